"""Where in a batch each token of each answer is predicted, and the sums over them."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.labelers.language_models._query import Query, Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.language_models._batches import Tokens
    from taskspace.labelers.language_models._forward import Place

    Job: TypeAlias = tuple[int, Tokens, tuple[int, ...]]
    """A query by its number, a stem of its answers, and the numbers of the answers that are read from it."""


def first_places(queries: Sequence[Query], columns: Sequence[int]) -> list[Place]:
    """The first token of every answer, read where its context ends."""
    return [(row, columns[row], answer[0]) for row, query in enumerate(queries) for answer in query.continuations]


def later_places(
    queries: Sequence[Query], jobs: Sequence[Job], columns: Sequence[int], *, skip: int = 1
) -> tuple[list[Place], NDArray[np.intp]]:
    """The tokens of every answer after ``skip``, read from the stems of ``jobs``, which begin at ``columns``.

    With them, for each, the answer it belongs to; the answers of all queries are numbered in one row.
    """
    begins = list(accumulate((len(query.continuations) for query in queries), initial=0))
    owned = [
        ((job, columns[job] + column, token), begins[row] + number)
        for job, (row, _, served) in enumerate(jobs)
        for number in served
        for column, token in enumerate(queries[row].continuations[number][skip:])
    ]
    return [place for place, _ in owned], np.array([owner for _, owner in owned], dtype=np.intp)


def as_scored(
    queries: Sequence[Query], answers: NDArray[np.float64], contexts: NDArray[np.float64] | None = None
) -> list[Scored]:
    """``answers`` float64[all answers] and ``contexts`` float64[queries], query by query."""
    ends = list(accumulate(len(query.continuations) for query in queries))
    parts = np.split(answers, ends[:-1])
    if contexts is None:
        return [Scored(part) for part in parts]
    lengths = [len(query.context) - 1 for query in queries]
    return [Scored(*row) for row in zip(parts, contexts.tolist(), lengths, strict=True)]
