"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from errno import EISDIR
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A name beside ``path`` to write to: it becomes ``path`` when the block ends well, and is deleted if not.

    So an older file stays until the new one is complete, whoever is stopped in between.
    """
    if not path.name:
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
