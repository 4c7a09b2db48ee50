"""Progress bars: only when asked for, and never when the hub's switch is off."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_batches(count: int, size: int, name: str, *, progress: bool) -> Iterator[range]:
    """Row ranges of at most ``size`` rows, under one bar if asked for."""
    batches = [range(start, min(start + size, count)) for start in range(0, count, size)]
    if not progress or _bars_are_off():
        yield from batches
        return
    from tqdm.auto import tqdm

    with tqdm(total=count, desc=name, unit="text") as bar:
        for rows in batches:
            yield rows
            bar.update(len(rows))


def _bars_are_off() -> bool:
    return os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() in {"1", "ON", "YES", "TRUE"}
