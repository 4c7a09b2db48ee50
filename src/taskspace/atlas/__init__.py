"""The store of embeddings and of measured transfers: one SQLite file, searched exactly."""

from __future__ import annotations

from taskspace.atlas._atlas import Atlas
from taskspace.atlas._values import Entry, Transfer
from taskspace.atlas.matrix import Matrix

__all__ = ["Atlas", "Entry", "Matrix", "Transfer"]
