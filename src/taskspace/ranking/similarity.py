"""Cosine per component of a vector, exact, over many candidates at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import EmbeddingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from taskspace.embedding import Blocks


_ROUNDING = 1e-12
"""What is left of a squared length, against what it was taken from, that is no more than the rounding of float32."""


def block_cosines(
    target: NDArray[np.float32],
    candidates: NDArray[np.float32],
    blocks: Blocks,
    norms: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Cosines float64[n, b] of ``target`` float32[d] with each row of ``candidates`` float32[n, d], per block.

    A part that is all zeros has cosine 0 with everything.  ``norms`` float64[n, b] are those of
    :func:`block_norms`, for a caller that keeps them.  Sums run in float64 over the float32 rows where
    they lie: nothing large is copied, nothing overflows, and equal rows tie.

    Raises :class:`EmbeddingError` when the numbers do not fit ``blocks``.
    """
    _require_fit(target[None], blocks)
    _require_fit(candidates, blocks)
    mine = block_norms(target[None], blocks)
    theirs = block_norms(candidates, blocks) if norms is None else norms
    cosines = np.zeros((len(candidates), len(blocks)))
    for c, part in enumerate(_parts(blocks)):
        dots = np.einsum("ij,j->i", candidates[:, part], target[part].astype(np.float64))
        scale = theirs[:, c] * mine[0, c]
        np.divide(dots, scale, out=cosines[:, c], where=scale > 0)
    return np.clip(cosines, -1.0, 1.0)


def centred_cosines(
    target: NDArray[np.float32],
    candidates: NDArray[np.float32],
    blocks: Blocks,
    centre: NDArray[np.float64],
) -> NDArray[np.float64]:
    """As :func:`block_cosines`, of what is left when ``centre`` float64[d] is taken off every vector.

    A part that stands at the centre, to rounding, has cosine 0 with everything.
    """
    _require_fit(target[None], blocks)
    _require_fit(candidates, blocks)
    cosines = np.zeros((len(candidates), len(blocks)))
    for c, part in enumerate(_parts(blocks)):
        mine, middle = target[part] - centre[part], centre[part]
        # Expanded, so that nothing large is copied: (x - m)·(t - m) = x·(t - m) - m·(t - m), and |x - m|² likewise.
        dots = np.einsum("ij,j->i", candidates[:, part], mine) - middle @ mine
        squares = np.einsum("ij,ij->i", candidates[:, part], candidates[:, part], dtype=np.float64)
        gaps = squares - 2 * np.einsum("ij,j->i", candidates[:, part], middle) + middle @ middle
        gaps[gaps < _ROUNDING * (squares + middle @ middle)] = 0.0
        size = mine @ mine * (mine @ mine >= _ROUNDING * (target[part].astype(np.float64) @ target[part]))
        scale = np.sqrt(gaps * size)
        np.divide(dots, scale, out=cosines[:, c], where=scale > 0)
    return np.clip(cosines, -1.0, 1.0)


def centre_of(candidates: NDArray[np.float32], telling: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean float64[d] of the rows float32[n, d] that say something; zero where none does."""
    count = int(telling.sum())
    return np.einsum("ij,i->j", candidates, telling / max(count, 1), dtype=np.float64)


def block_norms(vectors: NDArray[np.float32], blocks: Blocks) -> NDArray[np.float64]:
    """Euclidean length float64[n, b] of each block of each row of ``vectors`` float32[n, d]."""
    norms = np.zeros((len(vectors), len(blocks)))
    for c, part in enumerate(_parts(blocks)):
        norms[:, c] = np.sqrt(np.einsum("ij,ij->i", vectors[:, part], vectors[:, part], dtype=np.float64))
    return norms


def _parts(blocks: Blocks) -> Iterator[slice]:
    start = 0
    for _, size in blocks:
        yield slice(start, start + size)
        start += size


def _require_fit(vectors: NDArray[np.float32], blocks: Blocks) -> None:
    length = sum(size for _, size in blocks)
    if vectors.ndim != 2 or vectors.shape[1] != length:
        raise EmbeddingError(
            f"vectors of shape {vectors.shape[1:]} do not fit blocks of {length} numbers; embed them again"
        )
