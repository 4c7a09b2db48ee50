"""A folder that is written shard by shard, gone on with after a stop, and under its name only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taskspace._files import replacing
from taskspace.errors import WeightsError
from taskspace.merging.numbers import Unfit

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
    stops can be gone on with; what the numbers themselves forbid leaves nothing.  Raises :class:`WeightsError` where
    another process writes there.
    """
    folder = _part(final)
    journal = folder / _JOURNAL
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for left in _stale(folder, plan):
            _removed(left)
        with replacing(journal) as partial:
            partial.write_text(_said(plan), encoding="utf-8")
        try:
            yield folder
        except BaseException as problem:
            if isinstance(problem, Unfit) or not any(folder.glob("*.safetensors")):
                shutil.rmtree(folder)
            raise
        journal.unlink()
        folder.replace(final)


def kept(final: Path, plan: str) -> frozenset[str]:
    """Files that an earlier try of the same ``plan`` finished."""
    folder = _part(final)
    stale = set(_stale(folder, plan))
    return frozenset(path.name for path in folder.glob("*.safetensors") if path not in stale)


def reclaimed(final: Path, plan: str) -> int:
    """Bytes of what an earlier try left and :func:`becoming` removes first."""
    return sum(path.stat().st_size for path in _stale(_part(final), plan) if path.is_file())


def _part(final: Path) -> Path:
    return final.with_name(f".{final.name}.part")


def _said(plan: str) -> str:
    return json.dumps({"plan": plan})


def _stale(folder: Path, plan: str) -> list[Path]:
    """What another plan left, or, hidden, a try that was killed had half written."""
    journal = folder / _JOURNAL
    same = journal.is_file() and journal.read_text(encoding="utf-8") == _said(plan)
    return [left for left in folder.glob("*") if not same or left.name.startswith(".")]


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
