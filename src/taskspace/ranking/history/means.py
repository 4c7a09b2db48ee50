"""Measured transfers one by one, averaged over their runs: what is shown of them, with nothing filled in."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from taskspace.ranking.history.rows import Measured

    class Run(Measured, Protocol):
        """A measurement that says in which metric, and what the target scored without the source."""

        @property
        def metric(self) -> str: ...
        @property
        def baseline(self) -> float | None: ...


@dataclass(frozen=True)
class MeanTransfer:
    """The mean over ``runs`` runs of a source on a target in one metric.

    ``gain`` and ``baseline`` are those of the runs which state a baseline, each against its own; None without any.
    """

    source: str
    target: str
    gain: float | None
    score: float
    baseline: float | None
    metric: str
    runs: int


def mean_transfers(rows: Iterable[Run]) -> list[MeanTransfer]:
    """One for each source, target and metric, in that order.

    :class:`Transfers`, from which gains are predicted, also holds a run without a baseline against those of others.
    """
    cells: defaultdict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for row in rows:
        cells[row.source, row.target, row.metric].append(row)
    return [_mean(*key, cells[key]) for key in sorted(cells)]


def _mean(source: str, target: str, metric: str, runs: Sequence[Run]) -> MeanTransfer:
    based = [(run.score, run.baseline) for run in runs if run.baseline is not None]
    return MeanTransfer(
        source=source,
        target=target,
        gain=fmean(score - baseline for score, baseline in based) if based else None,
        score=fmean(run.score for run in runs),
        baseline=fmean(baseline for _, baseline in based) if based else None,
        metric=metric,
        runs=len(runs),
    )
