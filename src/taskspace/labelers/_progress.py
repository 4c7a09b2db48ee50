"""Progress bars: only when asked for, and never when the hub's switch is off."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


class Bar(Protocol):
    """What shows how far something is."""

    def update(self, n: int) -> object: ...


class _NoBar:
    def update(self, n: int) -> None: ...


@contextmanager
def bar(total: int, name: str, *, progress: bool) -> Generator[Bar]:
    """A bar over ``total`` texts, or nothing."""
    if not progress or not total or _bars_are_off():
        yield _NoBar()
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=name, unit="text") as shown:
        yield shown


def in_batches(count: int, size: int, name: str, *, progress: bool) -> Iterator[range]:
    """Row ranges of at most ``size`` rows, under one bar if asked for."""
    with bar(count, name, progress=progress) as shown:
        for start in range(0, count, size):
            rows = range(start, min(start + size, count))
            yield rows
            shown.update(len(rows))


def _bars_are_off() -> bool:
    return os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() in {"1", "ON", "YES", "TRUE"}
