"""Rows sorted into runs: which scores, and which baselines, were measured with one seed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from taskspace.ranking.history.rows import Measured


class Run(NamedTuple):
    """A place on the last axis: seeds in order, a seed that comes again after itself, no seed at the end."""

    seedless: bool
    number: int
    repeat: int

    @classmethod
    def of(cls, seed: int | None, repeat: int = 0) -> Run:
        return cls(seed is None, seed or 0, repeat)

    @property
    def seed(self) -> int | None:
        return None if self.seedless else self.number


def scores_of(rows: Iterable[Measured]) -> dict[tuple[str, str, Run], float]:
    """Scores by source, target and run."""
    times: Counter[tuple[str, str, int | None]] = Counter()
    scores: dict[tuple[str, str, Run], float] = {}
    for row in rows:
        cell = (row.source, row.target, _seed(row))
        scores[row.source, row.target, Run.of(cell[2], times[cell])] = _score(row)
        times[cell] += 1
    return scores


def baselines_of(rows: Iterable[Measured], starts: Iterable[Measured]) -> Mapping[tuple[str, int | None], float]:
    """By target and seed: what rows state, each value counted once, before what runs without transfer scored."""
    stated: dict[tuple[str, int | None], set[float]] = defaultdict(set)
    measured: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for row in rows:
        value: float | None = getattr(row, "baseline", None)
        if value is not None and not math.isnan(value):
            stated[row.target, _seed(row)].add(value)
    for row in starts:
        measured[row.target, _seed(row)].append(_score(row))
    found = {**measured, **{key: sorted(values) for key, values in stated.items()}}
    return {key: math.fsum(values) / len(values) for key, values in found.items()}


def metrics_of(rows: Iterable[Measured]) -> set[str]:
    """The metrics of all rows, one per target."""
    by_target: dict[str, str] = {}
    for row in rows:
        metric: str | None = getattr(row, "metric", None)
        if metric is not None and by_target.setdefault(row.target, metric) != metric:
            raise DataError(
                f"{row.target!r} was measured in {by_target[row.target]!r} and in {metric!r}, which do not compare; "
                "keep the rows of one metric"
            )
    return set(by_target.values())


def _seed(row: Measured) -> int | None:
    return getattr(row, "seed", None)


def _score(row: Measured) -> float:
    if not math.isfinite(row.score):
        raise DataError(f"the score of {row.source!r} on {row.target!r} is {row.score}; leave that row out")
    return row.score
