"""From a combined score to a gain with an interval: a line per target, its height pooled over targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace._extras import require
from taskspace.ranking._gain import LEVEL, Gain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Line:
    """gain = level + u + slope · score + e, u ~ N(0, between²) once per target, e ~ N(0, within²) per source (ours).

    ``targets`` is how many the level was seen on; ``widen`` makes the intervals as wide as those targets, each left
    out in turn, show that they have to be.
    """

    level: float
    slope: float
    between: float
    within: float
    targets: int
    widen: float = 1.0

    @property
    def reach(self) -> float:
        """Spreads from the middle to the end of an interval, by Student's t over the targets."""
        stats = require("scipy.stats", extra="sklearn", why="predicted gains")
        return float(stats.t.ppf((1 + LEVEL) / 2, self._free))

    @property
    def spread(self) -> float:
        """Standard deviation of a gain on a target of which nothing was measured."""
        return float(np.sqrt(self.within**2 + self.between**2 * (1 + 1 / self.targets)))

    def means(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected gains float64[n] on such a target."""
        return self.level + self.slope * scores

    def predict(self, scores: NDArray[np.float64], measured: NDArray[np.float64] | None = None) -> list[Gain]:
        """A gain per score float64[n].

        ``measured`` float64[n] are gains already seen on this very target, NaN where not: they move the target's own
        height as far as their number deserves (partial pooling).
        """
        stats = require("scipy.stats", extra="sklearn", why="predicted gains")
        height, doubt = self._height(scores, measured)
        spread = self.widen * np.sqrt(self.within**2 + doubt)
        half = self.reach * spread
        means = height + self.slope * np.asarray(scores, dtype=np.float64)
        helps = stats.t.cdf(means / spread, self._free) if spread > 0 else (means > 0).astype(np.float64)
        return [
            Gain(mean, mean - half, mean + half, chance)
            for mean, chance in zip(means.tolist(), helps.tolist(), strict=True)
        ]

    @property
    def _free(self) -> int:
        return max(self.targets - 1, 1)

    def _height(self, scores: NDArray[np.float64], measured: NDArray[np.float64] | None) -> tuple[float, float]:
        """The target's expected height and its variance."""
        known = np.zeros(0) if measured is None else (measured - self.slope * scores)[~np.isnan(measured)]
        variance = self.between**2 * (1 + 1 / self.targets)
        if not len(known) or variance == 0:
            return self.level, variance
        noise = self.within**2 / len(known)
        share = variance / (variance + noise) if variance + noise > 0 else 1.0
        return self.level + share * (float(known.mean()) - self.level), variance * (1 - share)


def fit_line(scores: Sequence[NDArray[np.float64]], gains: Sequence[NDArray[np.float64]]) -> Line:
    """The line through the known cells of several targets, variances by moments; the slope is not below 0.

    With one target alone the between-target spread cannot be seen and is taken to be the spread of its gains.
    """
    parts = [(f[~np.isnan(g)], g[~np.isnan(g)]) for f, g in zip(scores, gains, strict=True)]
    parts = [(f, g) for f, g in parts if len(g)]
    across = sum(float(((f - f.mean()) * (g - g.mean())).sum()) for f, g in parts)
    along = sum(float(((f - f.mean()) ** 2).sum()) for f, _ in parts)
    slope = max(0.0, across / along) if along > 0 else 0.0
    rests = [g - slope * f for f, g in parts]
    free = sum(len(rest) - 1 for rest in rests) - 1
    within = sum(float(((rest - rest.mean()) ** 2).sum()) for rest in rests) / max(free, 1)
    heights = np.array([rest.mean() for rest in rests])
    noise = within * float(np.mean([1 / len(rest) for rest in rests]))
    seen = float(heights.var(ddof=1)) if len(heights) > 1 else float(np.concatenate(rests).var())
    between = max(0.0, seen - noise)
    return Line(float(heights.mean()), slope, float(np.sqrt(between)), float(np.sqrt(within)), len(heights))
