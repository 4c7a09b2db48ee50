"""The store of embeddings and of measured transfers: one SQLite file, or LanceDB tables; searched exactly."""

from __future__ import annotations

from taskspace.atlas._atlas import Atlas
from taskspace.atlas._values import Entry, Transfer
from taskspace.atlas.copying import Copied, copy_atlas
from taskspace.atlas.matrix import Matrix

__all__ = ["Atlas", "Copied", "Entry", "Matrix", "Transfer", "copy_atlas"]
