"""What the page needs of an atlas when there is no server to ask, as one document of plain values."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas.map import map_of, similarities
from taskspace.atlas.sharing import shared_identity, shared_provenance
from taskspace.ranking.history import mean_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.atlas import Atlas, Matrix
    from taskspace.embedding import SpaceId

MOST_CARDS = 5_000
"""Tasks of which cards and neighbours go into the document; of more it holds the map alone."""
MOST_RANKED = 200
"""Tasks of which rankings go into the document."""
MOST_COMPARED = 200
"""Tasks in the table of similarities."""

_TOLD = ("surrogate", "revision", "learner", "pool_size", "seed")
_BATCH = 512


def document_of(
    atlas: Atlas, space: SpaceId | str | None = None, *, method: str = "pca", seed: int = 0, k: int = 10
) -> dict[str, Any]:
    """The map of a space, and for each task its card, its ``k`` nearest and, where gains can be predicted, its ranking.

    ``near`` holds, by name, [place in the map's names, score] of the nearest, best first.  Of more than 5,000 tasks
    there are no cards and neighbours, of more than 200 no rankings and similarities of a sample only, so that the file
    stays one that can be sent.

    Raises what :func:`taskspace.atlas.map.map_of` and :meth:`Atlas.space_id` raise.
    """
    identity = atlas.space_id(space)
    matrix = atlas.matrix(identity)
    names = [row.name for row in matrix.rows]
    document: dict[str, Any] = {
        "atlas": atlas.name,
        "space": {key: getattr(shared_identity(identity), key) for key in _TOLD},
        "map": {"space": identity.fingerprint, **map_of(matrix, method=method, seed=seed).to_dict()},
        "similarities": similarities(matrix, limit=MOST_COMPARED, seed=seed).to_dict() if names else None,
        "transfers": _transfers(atlas, set(names)),
    }
    if len(names) <= MOST_CARDS:
        silent = {row.name for row in matrix.rows if not row.informative}
        entries = atlas.entries(space=identity)
        document["cards"] = {
            entry.name: {
                **asdict(entry),
                "provenance": shared_provenance(entry.provenance),
                "informative": entry.name not in silent,
            }
            for entry in entries
        }
        document["near"] = {"measure": "cosine", "names": dict(zip(names, nearest(matrix, k), strict=True))}
    if len(names) <= MOST_RANKED:
        document["rankings"] = _rankings(atlas, identity, names, k)
    return document


def nearest(matrix: Matrix, k: int) -> Iterator[list[tuple[int, float]]]:
    """Per row the places and cosines, averaged over blocks, of its ``k`` nearest others that say something.

    What has the same content and kind is the same thing under another name, and left out as ``near`` leaves it out.
    """
    same: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(matrix.rows):
        same[row.content, row.kind].append(place)
    told = np.array([row.informative for row in matrix.rows], dtype=np.bool_)
    ends = np.cumsum([size for _, size in matrix.blocks])
    blocks = list(zip([0, *ends[:-1]], ends, strict=True))
    for start in range(0, len(matrix.rows), _BATCH):
        part = slice(start, start + _BATCH)
        cosines = np.zeros((len(matrix.rows[part]), len(matrix.rows)))
        for block, (low, high) in enumerate(blocks):
            lengths = np.outer(matrix.norms[part, block], matrix.norms[:, block])
            products = matrix.vectors[part, low:high] @ matrix.vectors[:, low:high].T
            cosines += np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0) / len(blocks)
        cosines[:, ~told] = -np.inf
        for i, row in enumerate(cosines):
            itself = matrix.rows[start + i]
            row[same[itself.content, itself.kind]] = -np.inf
            best = np.argsort(-row, kind="stable")[:k]
            yield [(int(place), round(float(row[place]), 4)) for place in best if np.isfinite(row[place])]


def _transfers(atlas: Atlas, names: set[str]) -> list[dict[str, Any]]:
    """Those between tasks of the map."""
    within = [row for row in atlas.transfers() if row.source in names and row.target in names]
    return [asdict(mean) for mean in mean_transfers(within)]


def _rankings(atlas: Atlas, space: SpaceId, names: Sequence[str], k: int) -> dict[str, Any]:
    """By name, the rankings that predict gains; nothing where the first of them does not."""
    found: dict[str, Any] = {}
    for name in names:
        ranking = atlas.rank(name, k=k, space=space)
        if not ranking.calibrated:
            break
        document = ranking.to_dict()
        wanted = ("rank", "name", "kind", "score", "gain")
        found[name] = {**document, "hits": [{key: hit[key] for key in wanted} for hit in document["hits"]]}
    return found
