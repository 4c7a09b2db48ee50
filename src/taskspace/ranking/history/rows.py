"""Measured transfers as rows, from a table or from whoever keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from taskspace.data.files import existing, open_table
from taskspace.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from taskspace.data.rows import Source

_COLUMNS = ("source", "target", "score")

USUAL_METRIC = "accuracy"
"""What the score of a row that states no metric is taken to be once an atlas notes it."""


class Measured(Protocol):
    """A transfer that was measured, whoever keeps it; a higher ``score`` is better.

    A row may also have ``baseline`` (float or None: the score on the target without transfer), ``seed`` (int or None)
    and ``metric`` (str or None).
    """

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class Row:
    """One run from ``source`` on ``target``, in the units of its metric; None where the table does not say.

    An atlas that notes a row without a metric calls it :data:`USUAL_METRIC`.
    """

    source: str
    target: str
    score: float
    baseline: float | None = None
    seed: int | None = None
    metric: str | None = None


def read_rows(path: str | Path, *, model: str | None = None) -> tuple[Row, ...]:
    """The rows of a table (CSV, TSV, JSONL, Parquet) with the columns ``source``, ``target`` and ``score``.

    ``baseline``, ``seed`` and ``metric`` are read where they are there, and may be empty.  ``model`` keeps the rows of
    one backbone, by the column of that name; it must be said when there are several.

    Raises :class:`DataError` for a missing column, a model that is not there, and a score, baseline or seed that is no
    number: a run that failed is dropped by whoever knows why, not here.
    """
    table = open_table(existing(path))
    columns = table.columns()
    for name in (*_COLUMNS, *(("model",) if model is not None else ())):
        if name not in columns:
            raise DataError(f"{table.what} has no column {name!r}; it has {', '.join(map(repr, columns))}")
    rows = list(table.rows(tuple(columns)))
    if "model" in columns:
        kept = _model(table, {str(row.get("model")) for _, row in rows}, model)
        rows = [(number, row) for number, row in rows if str(row.get("model")) == kept]
    if not rows:
        raise DataError(f"{table.what} has no rows; give one per source and target")
    return tuple(_row(f"{table.what}, {table.unit} {number}", row) for number, row in rows)


def _model(table: Source, there: set[str], wanted: str | None) -> str:
    if wanted is None and len(there) > 1:
        raise DataError(f"{table.what} has transfers of {len(there)} models; say which{did_you_mean('', there)}")
    if wanted is not None and wanted not in there:
        raise DataError(f"{table.what} has no transfers of the model {wanted!r}{did_you_mean(wanted, there)}")
    return wanted if wanted is not None else next(iter(there), "")


def _row(where: str, row: Mapping[str, Any]) -> Row:
    score = _number(where, row, "score")
    if score is None:
        raise DataError(f"{where}: the score {row.get('score')!r} is not a number; mend or drop the row")
    seed = _number(where, row, "seed")
    if seed is not None and not seed.is_integer():
        raise DataError(f"{where}: the seed {row['seed']!r} is not a whole number; mend it, or leave it empty")
    metric = row.get("metric")
    return Row(
        _name(where, row, "source"), _name(where, row, "target"), score,
        baseline=_number(where, row, "baseline"),
        seed=None if seed is None else int(seed),
        metric=None if metric in (None, "") else str(metric),
    )  # fmt: skip


def _name(where: str, row: Mapping[str, Any], column: str) -> str:
    name = row.get(column)
    if name in (None, ""):
        raise DataError(f"{where}: the {column} has no name; mend or drop the row")
    return str(name)


def _number(where: str, row: Mapping[str, Any], column: str) -> float | None:
    """The finite number in a cell, None where there is none; a text that is no number is an error."""
    cell = row.get(column)
    if cell in (None, ""):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.inf
    if math.isnan(value) and column != "score":  # how Parquet and data frames leave a cell empty
        return None
    if not math.isfinite(value):
        raise DataError(f"{where}: the {column} {cell!r} is not a number; mend or drop the row")
    return value
