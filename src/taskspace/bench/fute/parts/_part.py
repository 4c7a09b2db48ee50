"""A part of the study: what it measures, and the tables that are made of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.study import Study
    from taskspace.prompting.study.rows import Row

    Kept = Mapping[str, Sequence[Row]]
    Measure = Callable[[Study, Kept], Iterator[tuple[str, list[Row]]]]
    Tables = Callable[[Sequence[Row], Judge | None], dict[str, list[Row]]]


@dataclass(frozen=True)
class Part:
    """``measure`` yields the rows of one setting after the other, but those that ``kept`` has already.

    ``tables`` makes tables by name of all rows, fast and without any model, so that they can be made anew when more
    of the truth is known; without a judge what hangs on the truth is left out.  ``made`` names them all, ``title`` and
    ``reading`` head them.
    """

    name: str
    title: str
    reading: str
    measure: Measure
    tables: Tables
    made: tuple[str, ...]
