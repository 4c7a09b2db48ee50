"""One writer at a time in a folder, so that what a writer looked up still holds when it commits."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taskspace.atlas.engines.lance._errors import sentences
from taskspace.errors import AtlasError

try:
    import fcntl
except ImportError:  # no such locks here: LanceDB's own conflict detection is all there is
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK = ".writing"
_PAUSE = 0.01
"""Seconds between two tries."""


@contextmanager
def only_writer(folder: Path, patience: float) -> Generator[bool]:
    """Hold the folder's lock; the system frees it when a process dies.  Tells whether there is such a lock here."""
    if fcntl is None:
        yield False
        return
    with sentences(folder):
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield _held(file, folder, patience)
    finally:
        os.close(file)


def _held(file: int, folder: Path, patience: float) -> bool:
    """Wait for the lock; not held where the file system has none."""
    assert fcntl is not None
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise AtlasError(
                    f"{folder} was locked by another process for {patience:.0f} seconds; wait for it and run again"
                ) from None
            time.sleep(_PAUSE)
        except OSError:
            return False
        else:
            return True
