"""How sure a mean over targets is: bootstrap intervals, paired differences, and a permutation test.

Everything is seeded: the same values give the same interval, and as many targets the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.metrics._columns import aligned, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-9
"""Values of a metric this near are the same order of the candidates, summed in another one."""


@dataclass(frozen=True)
class Interval:
    """A mean over targets, and where it would lie with other targets: percentile bootstrap, 95 % unless said.

    With a dozen targets such an interval is, if anything, too narrow.
    """

    mean: float
    low: float
    high: float


def bootstrap(values: ArrayLike, *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Interval:
    """Mean of ``values`` float64[targets], and its percentile interval over targets drawn with replacement.

    A single target gives an interval without width, which says nothing.  Raises :class:`DataError` for NaN or none.
    """
    (sample,) = aligned(values=values)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(draws, len(sample)))
    return _interval(float(sample.mean()), sample[drawn].mean(axis=1), confidence)


def two_level_bootstrap(
    values: Sequence[ArrayLike], *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """As :func:`bootstrap`, but the seeds of each drawn target are drawn anew as well.

    ``values`` holds one float64[seeds] per target, as many seeds as it has; each target counts the same.  What seeds
    do is partly in the spread between targets already, so the interval errs on the wide side.
    """
    runs = [aligned(values=sample)[0] for sample in values]
    if not runs:
        raise DataError("there are no targets; give the values of each")
    sizes = np.array([len(sample) for sample in runs])
    padded = np.zeros((len(runs), sizes.max()))
    for row, sample in zip(padded, runs, strict=True):
        row[: len(sample)] = sample
    rng = np.random.default_rng(seed)
    total = np.zeros(draws)
    for _ in runs:  # one of the targets of each draw at a time
        target = rng.integers(len(runs), size=draws)
        total += _mean_of_seeds(padded[target], sizes[target], rng)
    return _interval(float(np.mean([sample.mean() for sample in runs])), total / len(runs), confidence)


def paired(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Interval:
    """Mean of ``a`` minus ``b`` float64[targets], of the same targets in the same order, with its interval.

    What makes a target easy for both falls out, so it is narrower than two intervals side by side suggest.
    """
    first, second = aligned(a=a, b=b)
    return bootstrap(first - second, confidence=confidence, draws=draws, seed=seed)


def permutation_p(
    metric: Callable[..., float],
    tables: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    draws: int = 1_000,
    seed: int = 0,
    **settings: Any,
) -> float:
    """How often scores shuffled inside each target do at least as well on average: a one-sided p-value.

    ``tables`` holds (truth, scores) per target.  What was seen is counted among the draws, so p is at least
    1 / (draws + 1).  Which way a metric is better is read off itself: from what the truth as scores gets, and its
    reverse.  It is 1 where no order is better than another.
    """
    pairs = [columns(truth, scores) for truth, scores in tables]
    if not pairs:
        raise DataError("there are no targets; give truth and scores of each")

    def mean(scores: Sequence[NDArray[np.float64]]) -> float:
        return float(np.mean([metric(t, s, **settings) for (t, _), s in zip(pairs, scores, strict=True)]))

    better = np.sign(mean([truth for truth, _ in pairs]) - mean([-truth for truth, _ in pairs]))
    given = [scores for _, scores in pairs]
    seen = better * mean(given)
    rng = np.random.default_rng(seed)
    shuffled = np.array([better * mean([rng.permutation(scores) for scores in given]) for _ in range(draws)])
    return (1 + int((shuffled >= seen - _ROUNDING).sum())) / (draws + 1)


def _mean_of_seeds(
    padded: NDArray[np.float64], sizes: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """float64[draws]: for each row, the mean of as many of its first ``sizes`` values, drawn with replacement."""
    drawn = (rng.random(padded.shape) * sizes[:, None]).astype(np.int64)
    there = np.arange(padded.shape[1]) < sizes[:, None]
    return (np.take_along_axis(padded, drawn, axis=1) * there).sum(axis=1) / sizes


def _interval(mean: float, means: NDArray[np.float64], confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise SettingError(f"confidence is {confidence}; say a share between 0 and 1, such as 0.95")
    low, high = np.percentile(means, [50 - 50 * confidence, 50 + 50 * confidence])
    return Interval(mean, float(low), float(high))
