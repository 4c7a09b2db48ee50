"""How good the predicted gains are: their intervals, whether a source helps at all, and the advice that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.metrics import auc_helps, bootstrap, brier, coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.ranking import Gain
    from taskspace.ranking.metrics import Interval


@dataclass(frozen=True)
class Advice:
    """One target: what was predicted of its sources, float64[n] each, and the ``truth`` of their gains."""

    truth: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    helps: NDArray[np.float64]

    @classmethod
    def of(cls, truth: NDArray[np.float64], gains: Sequence[Gain]) -> Advice:
        return cls(truth, *np.array([(gain.mean, gain.low, gain.high, gain.helps) for gain in gains]).T)

    @property
    def coverage(self) -> float:
        return coverage(self.low, self.high, self.truth)

    @property
    def lost(self) -> tuple[float, float, float]:
        """What is lost against the best choice there is, not transferring among them: by following the advice (take
        the first if its predicted gain is above 0), by always taking the first, and by never transferring.
        """
        best, first = max(float(self.truth.max()), 0.0), int(self.mean.argmax())
        always = float(self.truth[first])
        return best - (always if self.mean[first] > 0 else 0.0), best - always, best


@dataclass(frozen=True)
class Decisions:
    """Over all targets.  ``coverage`` and ``width`` are of 90 % intervals, each target counted alike, the width in
    units of the gain; ``auc`` and ``brier`` of whether a source helps, over all cells, of which the share ``helped``
    does; regrets in units of the gain, for following the advice, for always and for never transferring.

    ``within`` is the AUC of the cells of one target, the mean over those where some help and some do not; NaN where
    there is none.
    """

    coverage: Interval
    width: float
    error: float
    auc: float
    within: float
    brier: float
    brier_of_share: float
    helped: float
    advised: float
    following: Interval
    always: Interval
    never: Interval


def decided(advice: Sequence[Advice]) -> Decisions:
    """Sum up what was predicted for each target."""
    truth, mean, helps = (np.concatenate([getattr(one, key) for one in advice]) for key in ("truth", "mean", "helps"))
    happened = (truth > 0).astype(np.float64)
    mixed = [auc_helps(one.truth, one.mean) for one in advice if 0 < (one.truth > 0).sum() < len(one.truth)]
    following, always, never = (bootstrap(values) for values in zip(*(one.lost for one in advice), strict=True))
    return Decisions(
        coverage=bootstrap([one.coverage for one in advice]),
        width=float(np.mean([(one.high - one.low).mean() for one in advice])),
        error=float(np.mean([np.sqrt(np.mean((one.mean - one.truth) ** 2)) for one in advice])),
        auc=auc_helps(truth, mean),
        within=float(np.mean(mixed)) if mixed else float("nan"),
        brier=brier(helps, happened),
        brier_of_share=brier(np.full(len(happened), happened.mean()), happened),
        helped=float(happened.mean()),
        advised=float(np.mean([one.mean.max() > 0 for one in advice])),
        following=following,
        always=always,
        never=never,
    )  # fmt: skip
