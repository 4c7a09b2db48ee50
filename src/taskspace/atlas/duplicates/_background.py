"""How near to each other different tasks stand by chance, and so from which similarity on a pair is too near."""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 20
"""Entries of a kind below which nothing is derived."""

FALSE = 0.05
"""Share of what is listed that may be chance; where nothing is a copy, the chance that anything is listed."""

LEAST_MEAN = 0.3
"""The background's mean excess is taken to be at least this; in the spaces of real data sets it was 0.3 to 0.6."""

_BELIEF = 5.0
"""How many tasks the assumption of an exponential tail is worth."""

_SHAPES = np.linspace(1.0, 2.0, 101)
_NEARLY_ONE = 1e-12


@dataclass(frozen=True)
class Background:
    """The nearest other task of a task that has no copy: half of them stand nearer than ``median`` (a similarity).

    On the scale of :func:`gap`, the excess over the median has a Weibull tail of ``scale`` and ``shape``.
    ``entries`` is how many tasks it was read off.
    """

    median: float
    scale: float
    shape: float
    entries: int

    def chance(self, similarity: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n]: the probability that a task without a copy has a neighbour that near; 1 up to the median."""
        excess = gap(similarity) - gap(np.array(self.median))
        tail = np.exp(-((np.maximum(excess, 0.0) / self.scale) ** self.shape))
        return np.where(excess > 0, tail / 2, 1.0)

    def similarity(self, chance: float) -> float:
        """The similarity of that :meth:`chance`, at most one half."""
        excess = self.scale * (-np.log(min(2 * chance, 1.0))) ** (1 / self.shape)
        return float(1 - np.exp(-gap(np.array(self.median)) - excess))

    def threshold(self, nearest: NDArray[np.float64], population: int) -> float:
        """The similarity beyond which at most :data:`FALSE` of what is found is expected to be chance.

        ``nearest`` float64[m] are the similarities of tasks drawn from ``population`` with their nearest neighbours.
        The step-up rule of Benjamini and Hochberg (1995) on :meth:`chance`.
        """
        chances = np.sort(self.chance(nearest))
        passed = np.flatnonzero(chances <= FALSE * np.arange(1, len(chances) + 1) / len(chances))
        return self.similarity(FALSE * ((passed[-1] + 1) / len(chances) if len(passed) else 1 / population))


def gap(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log(1 - s): 1 - s is half the squared distance of unit vectors, so this is a log distance, larger if nearer.

    Were tasks spread evenly, the chance of a neighbour would grow with a power of the distance, and excesses on this
    scale be exponential.
    """
    return -np.log(np.maximum(1 - similarity, _NEARLY_ONE))


def derive(neighbours: NDArray[np.float64], population: int) -> tuple[Background, float]:
    """The background and the threshold, of the similarities float64[m, k] of m tasks with their k nearest, descending.

    A copy is no part of the background, and what is a copy depends on the threshold.  So it is raised from below:
    of each task the nearest neighbour short of the threshold tells the background, this a higher threshold, until it
    stands (ours).  So however many copies there are, the answer is the lowest threshold that what lies below it would
    rarely reach.
    """
    threshold = float(np.median(neighbours[:, neighbours.shape[1] // 2]))
    while True:
        short = np.where(neighbours < threshold, neighbours, -1.0).max(axis=1)
        background = _fitted(short[short > -1.0] if (short > -1.0).any() else neighbours[:, -1])
        raised = background.threshold(neighbours[:, 0], population)
        if raised <= threshold:
            return background, threshold
        threshold = raised


def _fitted(nearest: NDArray[np.float64]) -> Background:
    """By moments of the excess over the median: tasks that differ in how near their neighbours are have shorter tails
    than the exponential (shape 1), down to that of squares (shape 2).
    """
    excess = gap(nearest) - np.median(gap(nearest))
    excess = excess[excess > 0]
    mean = float(excess.mean()) if len(excess) else 0.0
    square = (float((excess**2).sum()) + _BELIEF * 2 * mean**2) / (len(excess) + _BELIEF)
    ratios = [sqrt(gamma(1 + 2 / shape)) / gamma(1 + 1 / shape) for shape in _SHAPES]
    shape = float(_SHAPES[np.abs(np.array(ratios) - (sqrt(square) / mean if mean else sqrt(2))).argmin()])
    return Background(float(np.median(nearest)), max(LEAST_MEAN, mean) / gamma(1 + 1 / shape), shape, len(nearest))
