"""Measured transfers: what a source's prompt was worth on a target, and what that says of sources elsewhere."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking import history
from taskspace.ranking.history.prior import mean_worth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.ranking.history import Measured

    Scores = Mapping[str, Mapping[str, float]]


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
    return tuple(Transfer(row.source, row.target, row.score) for row in history.read_rows(path, model=model))


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
    values = np.array([row.get(name, np.nan) for name in names], dtype=np.float64)
    own = np.array([name == target for name in names], dtype=np.bool_)
    return history.standardised(values[:, None], own[:, None])[:, 0]


def source_prior(scores: Scores, target: str, names: Sequence[str]) -> NDArray[np.float64]:
    """float64[n]: mean standardised score of each source on tasks other than ``target`` and its own; 0 without any.

    Neither the target's column nor its prompt as a source enters, provided it is not among ``names``.
    """
    tasks = [task for task in scores if task != target]
    shape = (len(names), len(tasks))
    values = np.array([[scores[task].get(name, np.nan) for task in tasks] for name in names], dtype=np.float64)
    own = np.array([[task == name for task in tasks] for name in names], dtype=np.bool_).reshape(shape)
    return mean_worth(history.standardised(values.reshape(shape), own), own)


def known_transfers(scores: Scores, target: str, names: Sequence[str]) -> NDArray[np.float64]:
    """float64[n, n], row p: standardised scores on the task of source p; NaN rows for tasks without transfers.

    ``target`` says whose transfers may not be seen, also where a source carries its name.
    """
    unknown = np.full(len(names), np.nan)
    return np.array(
        [standardised(scores[task], task, names) if task in scores and task != target else unknown for task in names]
    ).reshape(len(names), len(names))
