"""Measured transfers: what a source's prompt was worth on a target, and what that says of sources elsewhere."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from taskspace.data.files import existing, open_table
from taskspace.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.data.rows import Source

    Scores = Mapping[str, Mapping[str, float]]

_COLUMNS = ("source", "target", "score")
_NOTHING = 1e-12
"""Spreads below this are rounding."""


class Measured(Protocol):
    """A transfer as evaluation reads it, whoever keeps it; a higher ``score`` is better."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class Transfer:
    """``source``'s prompt scored ``score`` on ``target``, in the units of its metric."""

    source: str
    target: str
    score: float


def read_transfers(path: str | Path, *, model: str | None = None) -> tuple[Transfer, ...]:
    """The rows of a table (CSV, TSV, JSONL, Parquet) with columns ``source``, ``target`` and ``score``.

    ``model`` keeps the rows of one backbone, by the column of that name; it must be said when there are several.
    Raises :class:`DataError` for a missing column, a model that is not there, and a score that is no number.
    """
    table = open_table(existing(path))
    columns = table.columns()
    for name in (*_COLUMNS, *(("model",) if model is not None else ())):
        if name not in columns:
            raise DataError(f"{table.what} has no column {name!r}; it has {', '.join(map(repr, columns))}")
    rows = list(table.rows(tuple(columns)))
    if "model" in columns:
        kept = _model(table, {str(row["model"]) for _, row in rows}, model)
        rows = [(number, row) for number, row in rows if row["model"] == kept]
    if not rows:
        raise DataError(f"{table.what} has no rows; give one per source and target")
    return tuple(_transfer(table, number, row) for number, row in rows)


def by_target(transfers: Iterable[Measured]) -> dict[str, dict[str, float]]:
    """Score by target, then by source, averaged where it was measured more than once; in the order of the rows."""
    runs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in transfers:
        if not math.isfinite(row.score):
            raise DataError(f"the score of {row.source!r} on {row.target!r} is {row.score}; leave that row out")
        runs[row.target][row.source].append(row.score)
    return {target: {source: float(np.mean(all_)) for source, all_ in row.items()} for target, row in runs.items()}


def standardised(row: Mapping[str, float], target: str, names: Sequence[str]) -> NDArray[np.float64]:
    """float64[n]: scores on one target in standard deviations over those ``names`` that are foreign to it.

    NaN for names that were not measured, and for all when fewer than two foreign ones were.  The target's own
    prompt stands on the same scale but does not set it.
    """
    values = np.array([row.get(name, np.nan) for name in names])
    foreign = values[[name != target for name in names]]
    foreign = foreign[~np.isnan(foreign)]
    if len(foreign) < 2:
        return np.full(len(names), np.nan)
    spread = float(foreign.std())
    return (values - foreign.mean()) / spread if spread > _NOTHING else np.where(np.isnan(values), np.nan, 0.0)


def source_prior(scores: Scores, target: str, names: Sequence[str]) -> NDArray[np.float64]:
    """float64[n]: mean standardised score of each source on tasks other than ``target`` and its own; 0 without any.

    Neither the target's column nor its prompt as a source enters, provided it is not among ``names``.
    """
    rows = np.array([standardised(row, task, names) for task, row in scores.items() if task != target])
    if not len(rows):
        return np.zeros(len(names))
    tasks = [task for task in scores if task != target]
    own = np.array([[task == name for name in names] for task in tasks])
    counted = ~np.isnan(rows) & ~own
    return np.where(counted, rows, 0.0).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)


def known_transfers(scores: Scores, target: str, names: Sequence[str]) -> NDArray[np.float64]:
    """float64[n, n], row p: standardised scores on the task of source p; NaN rows for tasks without transfers.

    ``target`` says whose transfers may not be seen, also where a source carries its name.
    """
    unknown = np.full(len(names), np.nan)
    return np.array(
        [standardised(scores[task], task, names) if task in scores and task != target else unknown for task in names]
    ).reshape(len(names), len(names))


def _model(table: Source, there: set[str], wanted: str | None) -> str:
    if wanted is None and len(there) > 1:
        raise DataError(f"{table.what} has transfers of {len(there)} models; say which{did_you_mean('', there)}")
    if wanted is not None and wanted not in there:
        raise DataError(f"{table.what} has no transfers of the model {wanted!r}{did_you_mean(wanted, there)}")
    return wanted if wanted is not None else next(iter(there), "")


def _transfer(table: Source, number: int, row: Mapping[str, Any]) -> Transfer:
    try:
        score = float(row["score"])
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise DataError(
            f"{table.what}, {table.unit} {number}: the score {row['score']!r} is not a number; mend or drop the row"
        )
    return Transfer(str(row["source"]), str(row["target"]), score)
