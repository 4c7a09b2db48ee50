"""Weight-space task vectors: differences of checkpoints and adapters, added, measured, merged and applied."""

from __future__ import annotations

from taskspace.merging._merge import merge
from taskspace.merging._vector import TaskVector

__all__ = ["TaskVector", "merge"]
