"""Several prompt vectors made into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.prompting.soft._vector import PromptVector, combined, made_of, tables_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def total(vectors: Sequence[PromptVector]) -> PromptVector:
    """The sum (Task Prompt Vectors, section 3), taken in float64 and rounded once."""
    return combined(vectors, [1.0] * len(vectors))


def average(vectors: Sequence[PromptVector], weights: Sequence[float] | None = None) -> PromptVector:
    """The mean, or ``sum_i w_i v_i / sum_i w_i`` (SPoT weighs sources by their likeness to the target)."""
    shares = np.ones(len(vectors)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(shares) != len(vectors):
        raise SettingError(f"there are {len(vectors)} vectors and {len(shares)} weights; give one for each")
    if vectors and not shares.sum():
        raise SettingError("the weights add up to 0, so there is no average; give others")
    return combined(vectors, [float(share) for share in shares / (shares.sum() or 1.0)])


def negate(vector: PromptVector) -> PromptVector:
    """``-tau``: applied to a model's prompt it is meant to unlearn the task (named, not measured, in the paper)."""
    return -vector


def ties(vectors: Sequence[PromptVector], density: float = 0.2) -> PromptVector:
    """Trim, elect signs, and average what agrees (TIES-merging, Yadav et al. 2023, section 4).

    Of each vector the share ``density`` of numbers largest in size stays.  In every place the sign of what is left,
    summed, wins, and the numbers with that sign are averaged; places where it sums to zero get the positive ones.
    The result is not linear in its makers; each counts 1/n in ``weights``.
    """
    if not 0 < density <= 1:
        raise SettingError(f"density={density!r} is not a share; give a number above 0 and at most 1")
    trimmed = np.stack([_trimmed(table, density) for table in tables_of(vectors)])
    elected = np.where(trimmed.sum(axis=0) >= 0, 1.0, -1.0)
    agreeing = np.sign(trimmed) == elected
    values = (trimmed * agreeing).sum(axis=0) / np.maximum(agreeing.sum(axis=0), 1)
    return made_of(vectors, [1.0 / len(vectors)] * len(vectors), values, f"ties, density {density:g}")


def match_tokens(vectors: Sequence[PromptVector]) -> tuple[PromptVector, ...]:
    """The same vectors with their rows reordered to go best with the rows of the first.

    Token order is arbitrary when tuning began elsewhere, so row i of one vector and of another need not mean the
    same; an average of matched rows cancels less.  The order maximises the summed cosine of paired rows (Hungarian
    method; ours).  A reordered vector no longer gives its own prompt back from its own init.
    """
    tables = tables_of(vectors)
    best = require("scipy.optimize", extra="sklearn", why="matching tokens").linear_sum_assignment
    first = _unit_rows(tables[0])
    matched = [vectors[0]]
    for vector, table in zip(vectors[1:], tables[1:], strict=True):
        order = best(first @ _unit_rows(table).T, maximize=True)[1]
        if (order == np.arange(len(order))).all():
            matched.append(vector)
        else:
            matched.append(made_of([vector], [1.0], table[order], "rows reordered by match_tokens"))
    return tuple(matched)


def _trimmed(table: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    kept = max(1, round(density * table.size))
    small = np.argsort(np.abs(table), axis=None, kind="stable")[: table.size - kept]
    trimmed = table.copy()
    trimmed.flat[small] = 0.0
    return trimmed


def _unit_rows(table: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.where(norms, norms, 1.0)
