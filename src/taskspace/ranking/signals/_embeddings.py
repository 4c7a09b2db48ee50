"""Signals from task vectors alone: no text is read and no model run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.fusion import fuse
from taskspace.ranking.history import neighbours, relevance, task_shop
from taskspace.ranking.signals._signal import Signal
from taskspace.ranking.signals.question import stated
from taskspace.ranking.similarity import block_cosines, centre_of, centred_cosines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from taskspace.ranking.signals.question import Question, Vectors


def cosine(vectors: Vectors) -> NDArray[np.float64]:
    """Mean over blocks of the raw cosine."""
    return fuse(block_cosines(vectors.target, vectors.sources, vectors.blocks), "mean")


def centred(vectors: Vectors) -> NDArray[np.float64]:
    """Mean over blocks of the cosine once the sources' mean is taken off."""
    return fuse(_centred_blocks(vectors), "mean")


def fused(vectors: Vectors) -> NDArray[np.float64]:
    """Reciprocal ranks over blocks of the raw cosine."""
    return fuse(block_cosines(vectors.target, vectors.sources, vectors.blocks), "rrf")


def centred_fused(vectors: Vectors) -> NDArray[np.float64]:
    """Reciprocal ranks over blocks of the centred cosine."""
    return fuse(_centred_blocks(vectors), "rrf")


def lasso(vectors: Vectors) -> NDArray[np.float64]:
    """Weight of each source where the target's vector is written as a sparse sum of theirs."""
    return relevance(vectors.target, vectors.sources)


def to_pivots(vectors: Vectors) -> NDArray[np.float64]:
    """float64[p]: raw cosine of the target with each task that transfers were measured on; NaN without a vector."""
    pivots = stated(vectors.pivots, "the vectors of tasks with measured transfers")
    found = np.full(len(pivots), np.nan)
    known = known_rows(pivots)
    found[known] = fuse(block_cosines(vectors.target, pivots[known], vectors.blocks), "mean")
    return found


def by_neighbours(vectors: Vectors, question: Question) -> NDArray[np.float64]:
    """What each source did for the tasks nearest to the target; 0 for one that none of them was measured with."""
    return neighbours(question.measured, question.target, to_pivots(vectors))


def by_pivots(vectors: Vectors, question: Question) -> NDArray[np.float64]:
    """TaskShop over the sources and the pivots that have a vector; NaN for the other sources."""
    transfers, nearness = question.measured, to_pivots(vectors)
    there, near = known_rows(vectors.sources), ~np.isnan(nearness)
    scores = np.full(len(there), np.nan)
    if there.any():
        pivots = [name for name, has in zip(transfers.targets, near, strict=True) if has]
        known = transfers.only(sources=[name for name, has in zip(transfers.sources, there, strict=True) if has])
        alike = cosine(replace(vectors, sources=vectors.sources[there]))
        scores[there] = task_shop(known, question.target, alike, nearness[near], pivots)
    return scores


def signals_of(learner: str) -> list[Signal]:
    """The signals that one learner's vectors give."""
    needs = ("embeddings",)
    once = "target once"
    return [
        Signal(learner, f"cosine of {learner} vectors", needs, once, _alone(learner, cosine), 0.35),
        Signal(f"{learner}+centred", f"{learner}: cosine once centred", needs, once, _alone(learner, centred), 0.35),
        Signal(f"{learner}+rrf", f"{learner}: reciprocal ranks over blocks", needs, once, _alone(learner, fused), 0.35),
        Signal(
            f"{learner}+centred+rrf", f"{learner}: reciprocal ranks over centred blocks", needs, once,
            _alone(learner, centred_fused), 0.35,
        ),
        Signal(f"{learner}+lasso", f"sparse relevance over {learner} vectors", needs, once, _alone(learner, lasso)),
        Signal(
            f"{learner}+neighbours", f"transfers to the tasks nearest by {learner}", (*needs, "transfers"), once,
            _with_transfers(learner, by_neighbours), 0.05,
        ),
        Signal(
            f"{learner}+pivots", f"TaskShop with {learner} as its similarity", (*needs, "transfers"), once,
            _with_transfers(learner, by_pivots), 0.15,
        ),
    ]  # fmt: skip


def vectors_of(question: Question, learner: str) -> Vectors:
    """Raises :class:`DataError` where there are none, or that of the target says nothing."""
    found: Mapping[str, Vectors] = question.vectors
    vectors = stated(found.get(learner), f"the {learner} vectors of the target and the sources")
    if np.isnan(vectors.target).any():
        raise DataError(f"the {learner} vector of {question.target!r} says nothing, so nothing is like it")
    return vectors


def _alone(learner: str, rule: Callable[[Vectors], NDArray[np.float64]]) -> Callable[[Question], NDArray[np.float64]]:
    return lambda question: _where_known(vectors_of(question, learner), rule)


def _with_transfers(
    learner: str, rule: Callable[[Vectors, Question], NDArray[np.float64]]
) -> Callable[[Question], NDArray[np.float64]]:
    return lambda question: rule(vectors_of(question, learner), question)


def _where_known(vectors: Vectors, rule: Callable[[Vectors], NDArray[np.float64]]) -> NDArray[np.float64]:
    """The rule over the sources that have a vector, NaN for the others."""
    known = known_rows(vectors.sources)
    scores = np.full(len(known), np.nan)
    if known.any():
        scores[known] = rule(replace(vectors, sources=vectors.sources[known]))
    return scores


def known_rows(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """bool[n]: where there is a vector and not a row of NaN."""
    return np.asarray(~np.isnan(vectors).any(axis=1))


def _centred_blocks(vectors: Vectors) -> NDArray[np.float64]:
    centre = vectors.centre
    if centre is None:
        centre = centre_of(vectors.sources, np.ones(len(vectors.sources), dtype=np.bool_))
    return centred_cosines(vectors.target, vectors.sources, vectors.blocks, centre)
