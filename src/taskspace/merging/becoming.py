"""A folder that is written shard by shard, gone on with after a stop, and under its name only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taskspace._files import replacing
from taskspace.errors import TaskspaceError, WeightsError

try:
    import fcntl
except ImportError:  # no such locks here
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_JOURNAL = "merge.json"
"""Says in an unfinished folder what is being written there."""


@contextmanager
def becoming(final: Path, plan: str) -> Generator[Path]:
    """A folder to write to, which becomes ``final`` when the block ends well.

    It holds the shards that an earlier try of the same ``plan`` left, and nothing else.  What the user or the system
    stops can be gone on with; what the weights themselves forbid leaves nothing.  Raises :class:`WeightsError` where
    another process writes there.
    """
    folder = final.with_name(f".{final.name}.part")
    journal, said = folder / _JOURNAL, json.dumps({"plan": plan})
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        same = journal.exists() and journal.read_text(encoding="utf-8") == said
        for left in folder.iterdir():
            if not same or left.name.startswith("."):  # hidden is what a try that was killed had half written
                _removed(left)
        with replacing(journal) as partial:
            partial.write_text(said, encoding="utf-8")
        try:
            yield folder
        except BaseException as problem:
            if isinstance(problem, TaskspaceError) or not any(folder.glob("*.safetensors")):
                shutil.rmtree(folder)
            raise
        journal.unlink()
        folder.replace(final)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Hold the folder's lock, where there are such locks; the system frees it when a process dies."""
    if fcntl is None:
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(held, folder)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path) -> None:
    assert fcntl is not None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WeightsError(
            f"{folder} is being written by another process; wait for it, or choose another name"
        ) from None
    except OSError:
        return  # this file system has no locks


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
