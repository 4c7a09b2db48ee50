"""LogME: the log evidence that a linear model on the features gives to the labels.

After You, Liu, Wang and Long, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning" (ICML 2021,
arXiv 2102.11005), with the fixed point of "Ranking and Tuning Pre-trained Models" (arXiv 2110.10545), read in the
authors' code (thuml/LogME).  It differs from that code in these ways:

* the code writes D/2·log α where only the k singular directions of F have a prior, so that features wider than the
  sample is long are paid for their width.  Here each direction gives -½ log(1 + σ/t): one without strength gives 0;
* all terms are taken at one and the same t = α/β, so that the score is an exact marginal likelihood;
* features and label columns are centred, or adding a constant to the features would change the score.  That leaves
  n - 1 observations, not n: counted as n, labels that wide features fit without error have evidence without bound;
* no ε = 1e-5 stands in the denominators: a bound on t that goes with the features' scale keeps them from zero, so
  that the score does not change with that scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.estimators._inputs import centred, feature_table, numbers, require_finite, sample
from taskspace.ranking.estimators._spectrum import Spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels

_STEPS, _SETTLED, _REACH = 100, 1e-6, 1e10
_NOTHING = 1e-24
"""Of the sum of squares about zero; less than this about the mean is rounding, and the column is constant."""


def logme(features: ArrayLike, labels: ArrayLike | TargetLabels, *, centre: bool = True) -> float:
    """Log evidence in nats per observation of ``labels`` by ``features`` [n, d], the mean over label columns.

    Classes that occur are told apart one against the rest; numbers [n] or [n, c] are regressed as they are.  Features
    that are constant explain nothing, and score what noise alone does.  ``centre=False`` leaves F and the columns where
    they are, as the authors do.  Raises :class:`DataError` as :func:`sample` has it.
    """
    table, target = sample(features, labels)
    if not centre:
        return float(evidence(Spectrum.of(table.astype(np.float64), target.columns), len(table)).score.mean())
    return float(evidence(Spectrum.of(centred(table), centred(target.columns)), len(table) - 1).score.mean())


@dataclass(frozen=True, eq=False)
class Evidence:
    """For each column float64[c]: log evidence per observation, and the precisions of the weights and of the noise."""

    score: NDArray[np.float64]
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]


def evidence(seen: Spectrum, observations: int) -> Evidence:
    """The evidence of y = Fw + e with w ~ N(0, 1/α), e ~ N(0, 1/β), at the α and β that make it large.

    t = α/β is MacKay's fixed point, as in the paper; given t, β = N / (r² + t·m²) makes the evidence largest, with
    r² the squared residual and m² the squared weights of the posterior mean.
    """
    ratio = _fixed_point(seen, observations)
    weights, residual = _fit(seen, ratio)
    beta = observations / (residual + ratio * weights)
    widened = np.log1p(seen.strengths[:, None] / ratio).sum(axis=0)
    score = (np.log(beta / (2 * np.pi)) - 1) / 2 - widened / (2 * observations)
    return Evidence(score, ratio * beta, beta)


def _fixed_point(seen: Spectrum, observations: int) -> NDArray[np.float64]:
    """The ratio t float64[c], within 1e-10 and 1e10 times the mean squared length of a row, where it starts."""
    unit = float(seen.strengths.sum()) / observations or 1.0
    ratio = np.full(seen.shares.shape[1], unit)
    for _ in range(_STEPS):
        weights, residual = _fit(seen, ratio)
        free = (ratio / (seen.strengths[:, None] + ratio)).sum(axis=0)
        used = len(seen.strengths) - free
        slack = max(observations - len(seen.strengths), 0) + free
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            moved = used * residual / (slack * weights)
        # Labels that F says nothing of have no weights; where F has no direction either, any t will do.
        moved = np.clip(np.nan_to_num(moved, nan=unit, posinf=np.inf), unit / _REACH, unit * _REACH)
        settled = np.abs(moved - ratio) <= _SETTLED * ratio
        ratio = np.where(settled, ratio, moved)  # so that no column's score depends on its company
        if settled.all():
            break
    return ratio


def _fit(seen: Spectrum, ratio: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared weights and squared residual float64[c] of the posterior mean at t = ``ratio``."""
    strengths = seen.strengths[:, None]
    shrunk = seen.shares / (strengths + ratio) ** 2
    return (strengths * shrunk).sum(axis=0), ratio**2 * shrunk.sum(axis=0) + seen.rest


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows of which LogME is a function: targets of any length, a chunk at a time.

    ``means`` float64[d] and ``label_means`` float64[c]; about them ``scatter`` float64[d, d] of the features, their
    ``cross`` products float64[d, c] with the label columns, and ``squares`` float64[c] of those.
    """

    rows: int
    means: NDArray[np.float64]
    label_means: NDArray[np.float64]
    scatter: NDArray[np.float64]
    cross: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, features: ArrayLike, columns: ArrayLike) -> Moments:
        """Of one chunk: ``features`` [n, d] and label ``columns`` [n, c], the same c in every chunk.

        Rows whose columns hold NaN are unlabelled and left out, as :func:`one_hot` marks them.
        """
        table, labels = feature_table(features), numbers(columns, "label columns").astype(np.float64)
        if labels.ndim != 2 or len(labels) != len(table):
            raise DataError(
                f"label columns of shape {labels.shape} do not match {len(table)} texts; give a row for each"
            )
        known = ~np.isnan(labels).any(axis=1)
        values, labels, rows = table[known].astype(np.float64), labels[known], int(known.sum())
        require_finite(labels, "label columns")
        means, label_means = values.sum(axis=0) / max(rows, 1), labels.sum(axis=0) / max(rows, 1)
        values, labels = values - means, labels - label_means
        squares = np.einsum("ij,ij->j", labels, labels)
        return cls(rows, means, label_means, values.T @ values, values.T @ labels, squares)

    def __add__(self, other: Moments) -> Moments:
        """Of the rows of both (Chan, Golub and LeVeque 1979)."""
        if self.cross.shape != other.cross.shape:
            raise DataError(
                f"chunks of {self.cross.shape} and {other.cross.shape} features and label columns do not add up; "
                "give every chunk the same columns"
            )
        rows = self.rows + other.rows
        step, label_step = other.means - self.means, other.label_means - self.label_means
        moved, weight = other.rows / max(rows, 1), self.rows * other.rows / max(rows, 1)
        return Moments(
            rows,
            self.means + moved * step,
            self.label_means + moved * label_step,
            self.scatter + other.scatter + weight * np.outer(step, step),
            self.cross + other.cross + weight * np.outer(step, label_step),
            self.squares + other.squares + weight * label_step**2,
        )

    def mapped(self, weight: ArrayLike, bias: ArrayLike) -> Moments:
        """Of ``features @ weight + bias`` without the features: what a map scores costs the same for any target."""
        through = np.asarray(weight, dtype=np.float64)
        if through.shape[:1] != self.means.shape:
            raise DataError(
                f"a map of shape {through.shape} does not fit features {len(self.means)} wide; fit it on these"
            )
        means = self.means @ through + np.asarray(bias, dtype=np.float64)
        scatter = through.T @ self.scatter @ through
        return Moments(self.rows, means, self.label_means, scatter, through.T @ self.cross, self.squares)

    def logme(self) -> float:
        """:func:`logme` of all rows; columns that do not vary, such as classes that never came, are left out."""
        told = self.squares > _NOTHING * (self.squares + self.rows * self.label_means**2)
        if not told.any():
            raise DataError(f"the labels of {self.rows} rows do not vary; add rows whose labels differ")
        spread = np.diag(self.scatter)
        live = spread > _NOTHING * (spread + self.rows * self.means**2)
        gram = self.scatter[np.ix_(live, live)]
        seen = Spectrum.from_gram(gram, self.cross[np.ix_(live, told)], self.squares[told])
        return float(evidence(seen, self.rows - 1).score.mean())
