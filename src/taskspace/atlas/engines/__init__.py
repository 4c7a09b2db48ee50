"""The engines below the seam: which one keeps an atlas is said by its path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taskspace.atlas.engines.sqlite import SqliteStore

if TYPE_CHECKING:
    from taskspace.atlas._store import Store

__all__ = ["open_store"]


def open_store(path: str | Path, *, create: bool) -> Store:
    """LanceDB for a URI and for what ends in ``.lance``, else SQLite."""
    is_uri = "://" in str(path)
    if is_uri or Path(path).suffix == ".lance":
        from taskspace.atlas.engines.lance import LanceStore

        return LanceStore(str(path) if is_uri else Path(path), create=create)
    return SqliteStore(Path(path), create=create)
