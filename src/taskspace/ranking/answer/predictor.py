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

_FEWEST = 2
_LEAST_SPREAD = 0.1
"""Share of the spread of all gains below which a line that fits a few targets too well is not believed."""


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
        """float64[n] of readings float64[n, k]: the weighted sum, from which gains are predicted."""
        return standardised(readings) @ self.weights

    def order(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n]: the same, by the usual weights where no signal was found to count."""
        usual = np.array([signal.usual for signal in self.signals])
        return standardised(readings) @ (self.weights if self.weights.any() else usual)

    def parts(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, k]: what each signal adds to a source's prediction, in units of the gain where calibrated."""
        slope = 1.0 if self.line is None else self.line.slope
        return standardised(readings) * self.weights * slope


def fit(signals: Sequence[Signal], observed: Sequence[Observed]) -> Predictor:
    """Learn from earlier targets how much each signal counts and what a score is worth.

    Every target is left out in turn to see how far off a prediction for a new one is, and intervals are made wide
    enough for that, never narrower than Student's t has them (ours; the idea of the jackknife+, Barber et al. 2021, at
    the level of targets).  Signals that know transfers, such as a prior, still saw the target left out when they were
    read for the others.  Needs two observed targets with a gain to be calibrated at all.
    """
    usual = np.array([signal.usual for signal in signals])
    known = [one for one in observed if not np.isnan(one.gains).all()]
    if len(known) < _FEWEST:
        return Predictor(tuple(signals), usual, None)
    whole = _fitted(signals, known, usual)
    if len(known) == _FEWEST:
        return whole
    line = _line(whole)
    return replace(whole, line=replace(line, widen=max(1.0, _needed_reach(signals, known, usual) / line.reach)))


def _fitted(signals: Sequence[Signal], observed: Sequence[Observed], usual: NDArray[np.float64]) -> Predictor:
    readings = [standardised(one.readings) for one in observed]
    gains = [one.gains for one in observed]
    weights = learn_weights(readings, gains, usual, STRENGTH)
    return Predictor(tuple(signals), weights, fit_line([x @ weights for x in readings], gains))


def _needed_reach(signals: Sequence[Signal], observed: Sequence[Observed], usual: NDArray[np.float64]) -> float:
    """How many spreads an interval must reach to hold the share :data:`LEVEL` of the gains of targets left out."""
    gains = np.concatenate([one.gains[~np.isnan(one.gains)] for one in observed])
    least = _LEAST_SPREAD * float(gains.std())
    off: list[NDArray[np.float64]] = []
    for out, one in enumerate(observed):
        rest = _fitted(signals, [other for i, other in enumerate(observed) if i != out], usual)
        missed = np.abs(one.gains - _line(rest).means(rest.scores(one.readings)))
        spread = max(_line(rest).spread, least)
        off.append(missed[~np.isnan(missed)] / spread if spread > 0 else np.zeros(1))
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in off])
    return _quantile(np.concatenate(off), weights, LEVEL)


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _line(predictor: Predictor) -> Line:
    assert predictor.line is not None
    return predictor.line
