"""Where things live: under ``TASKSPACE_HOME`` if set, else in the platform's cache and data folders."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder for caches; not created here."""
    named = os.environ.get("TASKSPACE_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("taskspace", appauthor=False)


def default_atlas() -> Path:
    """The atlas of whoever names none: kept with the user's data, since a cache may be emptied."""
    if os.environ.get("TASKSPACE_HOME"):
        return home() / "atlas.db"
    from platformdirs import user_data_path

    return user_data_path("taskspace", appauthor=False) / "atlas.db"
