"""Learn from earlier targets what signals are worth, and how sure a prediction for a new one can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking._gain import LEVEL
from taskspace.ranking.answer.calibration import Line, fit_line
from taskspace.ranking.answer.weights import learn_weights, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.ranking.signals import Signal

STRENGTH = 2.0
"""How many targets the usual weights are worth."""


@dataclass(frozen=True, eq=False)
class Observed:
    """An earlier question whose answer was measured: readings float64[n, k] and gains float64[n], NaN where missing."""

    target: str
    readings: NDArray[np.float64]
    gains: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predictor:
    """Weights float64[k] of the signals, and the line from their sum to a gain; None while uncalibrated."""

    signals: tuple[Signal, ...]
    weights: NDArray[np.float64]
    line: Line | None

    def scores(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] of readings float64[n, k]: the weighted sum, in the order that counts."""
        return standardised(readings) @ self.weights

    def parts(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, k]: what each signal adds to a source's prediction, in units of the gain where calibrated."""
        slope = 1.0 if self.line is None else self.line.slope
        return standardised(readings) * self.weights * slope


def fit(signals: Sequence[Signal], observed: Sequence[Observed]) -> Predictor:
    """Learn from earlier targets how much each signal counts and what a score is worth.

    Every target is left out in turn to see how far off a prediction for a new one is, and intervals are made wide
    enough for that (ours; the jackknife+ idea of Barber et al. 2021 at the level of targets).  Needs two observed
    targets with a gain to be calibrated at all.
    """
    usual = np.array([signal.usual for signal in signals])
    known = [one for one in observed if not np.isnan(one.gains).all()]
    if len(known) < 2:
        return Predictor(tuple(signals), usual, None)
    whole = _fitted(signals, known, usual)
    if len(known) < 3:
        return whole
    return replace(whole, line=replace(_line(whole), widen=_needed_width(signals, known, usual)))


def _fitted(signals: Sequence[Signal], observed: Sequence[Observed], usual: NDArray[np.float64]) -> Predictor:
    readings = [standardised(one.readings) for one in observed]
    gains = [one.gains for one in observed]
    weights = learn_weights(readings, gains, usual, STRENGTH)
    return Predictor(tuple(signals), weights, fit_line([x @ weights for x in readings], gains))


def _needed_width(signals: Sequence[Signal], observed: Sequence[Observed], usual: NDArray[np.float64]) -> float:
    """The factor on the intervals of left-out targets that makes them hold the share :data:`LEVEL` of their gains."""
    off: list[NDArray[np.float64]] = []
    for out in range(len(observed)):
        rest = _fitted(signals, [one for i, one in enumerate(observed) if i != out], usual)
        predicted = _line(rest).predict(rest.scores(observed[out].readings))
        middle, half = np.array([(g.mean, (g.high - g.low) / 2) for g in predicted]).T
        gains = observed[out].gains
        known = ~np.isnan(gains)
        off.append(np.abs(gains - middle)[known] / np.maximum(half[known], 1e-12))
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in off])
    return float(_quantile(np.concatenate(off), weights, LEVEL))


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _line(predictor: Predictor) -> Line:
    assert predictor.line is not None
    return predictor.line
