"""Embedding for the study: one space per learner over one pool, all vectors in one atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking import block_cosines, centre_of, centred_cosines, fuse
from taskspace.scale import Source, embed_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from taskspace.atlas import Atlas
    from taskspace.embedding import SpaceId, TaskEmbedding
    from taskspace.labelers import Labeler
    from taskspace.prompting.study.rows import Row, Value
    from taskspace.space import Space
    from taskspace.task import Task

SCORES = ("cosine", "centred", "rrf")
"""How a target's vector is compared with a candidate's: the mean over blocks of the cosine, the same once the
candidates' mean is taken off, and reciprocal ranks over the blocks.
"""


@dataclass(frozen=True)
class Item:
    """Something to embed under a name; ``load`` reads it when its turn comes."""

    name: str
    load: Callable[[], Task | Labeler]


def embedded(
    space: Space, items: Sequence[Item], atlas: Atlas, tell: Callable[[str], None]
) -> dict[str, TaskEmbedding]:
    """The items' embeddings by name, from the atlas where they are there; one that fails is told of and left out."""
    sources = [Source(item.name, item.load) for item in items]
    found: dict[str, TaskEmbedding] = {}
    for outcome in embed_all(space, sources, atlas):
        if outcome.status == "failed":
            tell(f"{space.learner.name}: {outcome.origin} is left out, since {outcome.problem}")
            continue
        if outcome.status != "kept":
            tell(f"{space.learner.name}: {outcome.name} embedded")
        found[outcome.origin] = atlas.get(outcome.name, space=space.identity)
    return found


def stored(atlas: Atlas, identity: SpaceId) -> set[str]:
    """The names that an atlas has in a space."""
    return {entry.name for entry in atlas.entries() if entry.space == identity.fingerprint}


def similarities(
    targets: Mapping[str, TaskEmbedding], candidates: Mapping[str, TaskEmbedding], about: Mapping[str, Value]
) -> list[Row]:
    """A row per target and candidate with :data:`SCORES`, ``about`` in front; None where a candidate says nothing."""
    telling = {name: each for name, each in candidates.items() if each.informative}
    rows: list[Row] = []
    for target, embedding in targets.items():
        scores = _compared(embedding, telling)
        for source in candidates:
            given = scores.get(source, (None,) * len(SCORES))
            rows.append({**about, "target": target, "source": source, **dict(zip(SCORES, given, strict=True))})
    return rows


def _compared(target: TaskEmbedding, candidates: Mapping[str, TaskEmbedding]) -> dict[str, tuple[float, float, float]]:
    if not candidates:
        return {}
    for candidate in candidates.values():
        target.space.require_same(candidate.space)
    vectors = np.stack([candidate.vector for candidate in candidates.values()])
    raw = block_cosines(target.vector, vectors, target.blocks)
    centre = centre_of(vectors, np.ones(len(vectors), dtype=np.bool_))
    centred = centred_cosines(target.vector, vectors, target.blocks, centre)
    columns = [fuse(raw, "mean"), fuse(centred, "mean"), fuse(raw, "rrf")]
    return {
        name: (float(a), float(b), float(c)) for name, a, b, c in zip(candidates, *np.round(columns, 12), strict=True)
    }
