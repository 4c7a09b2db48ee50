"""One SQLite file: the usual engine."""

from __future__ import annotations

from taskspace.atlas.engines.sqlite._connections import SqliteStore

__all__ = ["SqliteStore"]
