"""Weight-space task vectors: differences of checkpoints and adapters, added, measured, merged, applied and stored."""

from __future__ import annotations

from taskspace.merging._merge import merge
from taskspace.merging._vector import TaskVector
from taskspace.merging.files import load_many, save_many

__all__ = ["TaskVector", "load_many", "merge", "save_many"]
