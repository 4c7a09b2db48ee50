"""A folder or a bucket of LanceDB tables: the engine for many writers and object stores.

Nothing here imports ``lancedb`` before an atlas is opened: that takes seconds.
"""

from __future__ import annotations

from taskspace.atlas.engines.lance._engine import LanceStore

__all__ = ["LanceStore"]
