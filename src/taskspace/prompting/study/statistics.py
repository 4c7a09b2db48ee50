"""Tests and intervals on raw runs: n comes from the data, variances have ddof 1, and too few runs give no number.

Formulas are the textbook ones: Welch 1947, Student 1908, Hedges 1981 (the exact correction), Holm 1979; the two-way
bootstrap draws rows and columns independently (Owen 2007), which errs on the wide side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from taskspace._extras import require
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

NOT_ENOUGH = "not enough runs"
NO_SPREAD = "no spread"

Unit = TypeVar("Unit")


@dataclass(frozen=True)
class Comparison:
    """First minus second: the mean ``difference`` with its interval from ``low`` to ``high``, and a two-sided test.

    ``n`` counts the values of either side (the same twice for pairs).  ``g`` is Hedges' g: the difference
    in standard deviations (pooled; for pairs, of the differences), corrected for small n.  ``note`` says why there
    is no number: ``"not enough runs"`` with fewer than two, ``"no spread"`` where all runs are equal.
    """

    n: tuple[int, int]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    g: float | None = None
    t: float | None = None
    df: float | None = None
    p: float | None = None
    note: str = ""


def welch(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> Comparison:
    """Welch's t-test of two independent samples, variances not taken as equal."""
    a, b = _values(first), _values(second)
    n, difference = (len(a), len(b)), _difference(a, b)
    if min(n) < 2:
        return Comparison(n, difference, note=NOT_ENOUGH)
    if _constant(a) and _constant(b):
        return Comparison(n, difference, note=NO_SPREAD)
    error_a, error_b = a.var(ddof=1) / n[0], b.var(ddof=1) / n[1]
    df = (error_a + error_b) ** 2 / (error_a**2 / (n[0] - 1) + error_b**2 / (n[1] - 1))
    pooled = ((n[0] - 1) * a.var(ddof=1) + (n[1] - 1) * b.var(ddof=1)) / (sum(n) - 2)
    g = difference / np.sqrt(pooled) * _hedges(sum(n) - 2)
    return _student(n, difference, np.sqrt(error_a + error_b), df, g, confidence)


def paired(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95) -> Comparison:
    """Student's t-test of pairs; value i of both sides belongs together."""
    a, b = _values(first), _values(second)
    if len(a) != len(b):
        raise DataError(f"{len(a)} values cannot be paired with {len(b)}; give as many of both")
    n, changes = (len(a), len(b)), a - b
    difference = _difference(a, b)
    if len(a) < 2:
        return Comparison(n, difference, note=NOT_ENOUGH)
    if _constant(changes):
        return Comparison(n, difference, note=NO_SPREAD)
    spread = changes.std(ddof=1)
    g = difference / spread * _hedges(len(a) - 1)
    return _student(n, difference, spread / np.sqrt(len(a)), len(a) - 1, g, confidence)


def paired_by(
    first: Mapping[Unit, Sequence[float]], second: Mapping[Unit, Sequence[float]], *, confidence: float = 0.95
) -> Comparison:
    """:func:`paired` after averaging inside each unit that both sides have; n is the number of units.

    One vector put on two other inits gives two scores that are not independent: the vector is the unit.
    """
    units = [unit for unit in first if unit in second]
    means = [[float(np.mean(side[unit])) for unit in units] for side in (first, second)]
    return paired(*means, confidence=confidence)


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float | None, float | None]:
    """The mean with Student's interval around it; no interval for fewer than two values."""
    sample = _values(values)
    mean = float(sample.mean())
    if len(sample) < 2:
        return mean, None, None
    half = _quantile(len(sample) - 1, confidence) * float(sample.std(ddof=1)) / np.sqrt(len(sample))
    return mean, float(mean - half), float(mean + half)


def two_way_interval(
    cells: NDArray[np.float64], *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile interval of the mean of ``cells`` float64[rows, columns], rows and columns drawn with replacement.

    Cells that are not there are nan.  A draw that meets no cell is left out.  ``None`` with fewer than two rows or
    columns.  With a handful of rows even this interval is narrower than it says; read it beside the paired test.
    """
    seen = ~np.isnan(cells)
    kept = cells[seen.any(axis=1)][:, seen.any(axis=0)]
    rows, columns = kept.shape
    if min(rows, columns) < 2:
        return None
    there = ~np.isnan(kept)
    rng = np.random.default_rng(seed)
    by_row = rng.multinomial(rows, np.full(rows, 1 / rows), size=draws)
    by_column = rng.multinomial(columns, np.full(columns, 1 / columns), size=draws)
    weight = np.einsum("br,rc,bc->b", by_row, there.astype(np.float64), by_column)
    total = np.einsum("br,rc,bc->b", by_row, np.where(there, kept, 0.0), by_column)
    means = total[weight > 0] / weight[weight > 0]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bonferroni(ps: Sequence[float | None]) -> list[float | None]:
    """Each p times how many there are, at most 1; tests without a number are not counted."""
    count = sum(p is not None for p in ps)
    return [None if p is None else min(1.0, p * count) for p in ps]


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p: never above Bonferroni's, and as safe; tests without a number are not counted."""
    order = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


def _student(n: tuple[int, int], difference: Any, error: Any, df: float, g: Any, confidence: float) -> Comparison:
    t, half = difference / error, _quantile(df, confidence) * error
    p = 2 * float(_scipy().t.sf(abs(t), df))
    low, high, t, df = (float(each) for each in (difference - half, difference + half, t, df))
    return Comparison(n, difference, low, high, None if np.isnan(g) else float(g), t, df, p)


def _values(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise DataError(f"a sample of shape {sample.shape} is not a list of finite numbers; give one score per run")
    return sample


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    return float(a.mean() - b.mean()) if len(a) and len(b) else None


def _constant(values: NDArray[np.float64]) -> bool:
    """Whether all values are equal up to rounding: then t would divide by nothing."""
    return bool(np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max()))


def _hedges(df: int) -> float:
    """Hedges' correction J(df), exact; nan for df 1, where no unbiased effect exists."""
    if df < 2:
        return float("nan")
    gammaln = require("scipy.special", extra="sklearn", why="the study's statistics").gammaln
    return float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def _quantile(df: float, confidence: float) -> float:
    return float(_scipy().t.ppf((1 + confidence) / 2, df))


def _scipy() -> Any:
    return require("scipy.stats", extra="sklearn", why="the study's statistics")
