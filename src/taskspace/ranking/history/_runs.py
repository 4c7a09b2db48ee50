"""Rows sorted into runs: which scores, and which baselines, were measured with one seed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from taskspace.ranking.history.rows import Measured


Place: TypeAlias = tuple[str, int | None]
"""A target and a seed."""


class Run(NamedTuple):
    """A place on the last axis: seeds in order, what comes again after itself, no seed at the end.

    ``start`` counts the baselines that differ on one target with one seed: one run has one baseline.
    """

    seedless: bool
    number: int
    start: int
    repeat: int

    @classmethod
    def of(cls, seed: int | None, start: int = 0, repeat: int = 0) -> Run:
        return cls(seed is None, seed or 0, start, repeat)

    @property
    def seed(self) -> int | None:
        return None if self.seedless else self.number


def scores_of(
    rows: Iterable[Measured], baselines: Mapping[Place, Sequence[float]]
) -> dict[tuple[str, str, Run], float]:
    """Scores by source, target and run; each row on a run with the baseline that it states."""
    times: Counter[tuple[str, str, Run]] = Counter()
    scores: dict[tuple[str, str, Run], float] = {}
    for row in rows:
        first = Run.of(_seed(row), _start(row, baselines.get((row.target, _seed(row)), ())))
        cell = (row.source, row.target, first)
        scores[row.source, row.target, first._replace(repeat=times[cell])] = _score(row)
        times[cell] += 1
    return scores


def baselines_of(rows: Iterable[Measured], starts: Iterable[Measured]) -> Mapping[Place, tuple[float, ...]]:
    """By target and seed: the baselines that rows state, and after several, for rows without, their mean.

    Where none is stated it is the mean of what the ``starts``, which run without transfer, scored.
    """
    stated: dict[Place, set[float]] = defaultdict(set)
    measured: dict[Place, list[float]] = defaultdict(list)
    for row in rows:
        if (value := _baseline(row)) is not None:
            stated[row.target, _seed(row)].add(value)
    for row in starts:
        measured[row.target, _seed(row)].append(_score(row))
    alone = {place: (_mean(scores),) for place, scores in measured.items()}
    return alone | {
        place: (*sorted(values), _mean(values)) if len(values) > 1 else tuple(values)
        for place, values in stated.items()
    }


def runs_of(scored: Iterable[tuple[str, str, Run]], baselines: Mapping[Place, Sequence[float]]) -> list[Run]:
    """The last axis: runs with a score, and those for baselines alone; a mean that no row needs is none."""
    without = {
        Run.of(seed, start) for (_, seed), values in baselines.items() for start in range(max(1, len(values) - 1))
    }
    return sorted({run for _, _, run in scored} | without)


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


def _start(row: Measured, baselines: Sequence[float]) -> int:
    """Which of the baselines the row is held against: its own, else the last."""
    own = _baseline(row)
    return max(len(baselines) - 1, 0) if own is None else baselines.index(own)


def _baseline(row: Measured) -> float | None:
    value: float | None = getattr(row, "baseline", None)
    return None if value is None or math.isnan(value) else value


def _mean(values: Collection[float]) -> float:
    return math.fsum(values) / len(values)


def _seed(row: Measured) -> int | None:
    return getattr(row, "seed", None)


def _score(row: Measured) -> float:
    if not math.isfinite(row.score):
        raise DataError(f"the score of {row.source!r} on {row.target!r} is {row.score}; leave that row out")
    return row.score
