"""What every estimator asks of its arrays, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LARGEST = 1e100
"""Squares of larger numbers, summed over rows and columns, may leave float64."""

_ROUNDING = 1e-12
"""Of its own size; a column that varies less than this is constant, and float64 took its mean."""


@dataclass(frozen=True, eq=False)
class TargetLabels:
    """The labels of one target, prepared once for all its candidates.

    ``given`` rows were handed in and ``rows`` int64[m] of them are labelled.  ``columns`` float64[m, c] are one-hot
    over the classes that occur, or numbers; each varies.  ``codes`` int64[m] count those classes from 0 without gaps,
    and are empty where the labels are numbers.
    """

    given: int
    rows: NDArray[np.int64]
    columns: NDArray[np.float64]
    codes: NDArray[np.int64]

    @property
    def are_classes(self) -> bool:
        return len(self.codes) > 0

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows int64[c] of each class."""
        return np.bincount(self.codes)


def target_labels(labels: ArrayLike | TargetLabels) -> TargetLabels:
    """Read labels: whole numbers [n] are classes, a negative one or ``None`` stands for no label.

    Numbers with a point [n] and tables [n, c] are regression targets; a row that holds NaN or ``None`` is unlabelled.
    Constant columns are left out.  What is prepared already comes back as it is.

    Raises :class:`DataError` where fewer than two rows or classes are left, or nothing varies.
    """
    if isinstance(labels, TargetLabels):
        return labels
    given, rows, values = _without_none(labels)
    if values.ndim > 2:
        raise DataError(f"labels of shape {values.shape} are no table; give one label, or one row of numbers, per text")
    if values.ndim == 1 and values.dtype.kind in "iub":
        return _of_classes(given, rows[values >= 0], values[values >= 0])
    columns = (values if values.ndim == 2 else values[:, None]).astype(np.float64)
    told = ~np.isnan(columns).any(axis=1)
    return _of_numbers(given, rows[told], columns[told])


def sample(
    features: ArrayLike, labels: ArrayLike | TargetLabels, *, classes: bool = False, what: str = "features"
) -> tuple[NDArray[Any], TargetLabels]:
    """The labelled rows of ``features`` [n, d] beside their labels; with ``classes``, labels must be classes.

    ``what`` the rows hold is what they are called in errors.

    Raises :class:`DataError` for features that are no table of finite numbers, or not one row per label.
    """
    target, table = target_labels(labels), feature_table(features, what)
    if classes:
        require_classes(target)
    if len(table) != target.given:
        raise DataError(f"there are {len(table)} rows of {what} and {target.given} labels; give one label per row")
    return (table if len(target.rows) == target.given else table[target.rows]), target


def require_classes(target: TargetLabels) -> None:
    """Raise :class:`DataError` where the labels are numbers."""
    if not target.are_classes:
        raise DataError("the labels are numbers and this estimator takes classes; give whole-number codes")


def feature_table(features: ArrayLike, what: str = "features") -> NDArray[Any]:
    """``features`` as a table [n, d] of finite numbers, d at least 1; never copied to another width."""
    table = numbers(features, what)
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(f"{what} of shape {table.shape} are no table; give one row of numbers per text")
    require_finite(table, what)
    return table


def numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """An array of numbers of its own width, or :class:`DataError`."""
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype == object else array
    except (TypeError, ValueError) as error:
        raise DataError(f"the {what} are no table of numbers ({error}); give each row as many") from error
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise DataError(f"the {what} are no array of numbers ({array.dtype}, shape {array.shape}); encode them first")
    return array


def require_finite(values: NDArray[Any], what: str) -> None:
    """Raise :class:`DataError` for NaN, infinity, and numbers whose squares may not be summed."""
    if not float(np.abs(values).max(initial=0)) < _LARGEST:  # false for NaN, too
        raise DataError(f"the {what} hold NaN, infinity or numbers beyond {_LARGEST:g}; make those rows again")


def centred(table: NDArray[Any]) -> NDArray[np.float64]:
    """A float64 copy less its column means; exactly 0 in columns whose spread is no more than rounding."""
    values = table.astype(np.float64)
    size = np.abs(values).max(axis=0, initial=0)
    values -= values.sum(axis=0) / max(len(values), 1)
    values[:, np.abs(values).max(axis=0, initial=0) <= _ROUNDING * size] = 0.0
    return values


def one_hot(codes: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Columns float64[n, classes] of whole-number ``codes`` [n]; a row of NaN where the code is negative."""
    values = np.asarray(codes)
    if values.ndim != 1 or values.dtype.kind not in "iub" or values.max(initial=-1) >= classes:
        raise DataError(f"the codes are no whole numbers below {classes}; give one per row, -1 for no label")
    columns = (values[:, None] == np.arange(classes)).astype(np.float64)
    columns[values < 0] = np.nan
    return columns


def _of_classes(given: int, rows: NDArray[np.int64], values: NDArray[Any]) -> TargetLabels:
    names, codes = np.unique(values, return_inverse=True)
    if len(names) < 2:
        found = f"all {len(rows)} labelled rows are of one class" if len(rows) else "no row has a label"
        raise DataError(f"{found}; an estimator needs rows of two classes at least")
    return TargetLabels(given, rows, one_hot(codes, len(names)), codes.astype(np.int64))


def _of_numbers(given: int, rows: NDArray[np.int64], columns: NDArray[np.float64]) -> TargetLabels:
    require_finite(columns, "labels")
    varying = centred(columns).any(axis=0)
    if not varying.any():
        raise DataError(f"the labels of all {len(rows)} labelled rows are the same; give rows whose labels differ")
    return TargetLabels(given, rows, columns[:, varying], np.zeros(0, dtype=np.int64))


def _without_none(labels: ArrayLike) -> tuple[int, NDArray[np.int64], NDArray[Any]]:
    """How many labels there are, which rows hold one, and their values."""
    try:
        values = np.asarray(labels)
    except ValueError as error:
        raise DataError(f"the labels are no table ({error}); give each row as many") from error
    if values.dtype != object or values.ndim != 1:
        values = numbers(values, "labels")
        return len(values), np.arange(len(values)), values
    rows = np.flatnonzero([value is not None for value in values])
    return len(values), rows, numbers(values[rows].tolist(), "labels")
