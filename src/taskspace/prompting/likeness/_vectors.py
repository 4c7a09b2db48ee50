"""Measures that see a prompt as one vector: its tokens are pooled first, so prompts of any length compare.

Pooling the raw tokens weighs each by its length.  Prompts differ much in scale: on published ones for one
backbone the largest entry goes from 0.2 to 44.  A cosine forgets the scale of a whole prompt, not that of a token
among its prompt's tokens; ``pooled_rows`` forgets both.  Whatever mixes prompts before the cosine (centring,
components) must bring them to one length first, or the longest one decides alone: ``centred_raw`` shows how that goes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from taskspace.prompting.likeness._query import Query

    Pool: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    Change: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_NEIGHBOURS = 10  # Conneau et al. 2018, section 2.3
_ENERGY = 0.9
_TINY = np.finfo(np.float64).tiny


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (last axis) of length 1; rows of zeros stay zeros."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def mean_token(tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    return tokens.mean(axis=0)


def mean_direction(tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the tokens after each was brought to length 1."""
    return unit(tokens).mean(axis=0)


def largest_entries(tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    return tokens.max(axis=0)


def pooled_cosine(query: Query, *, pool: Pool = mean_token) -> NDArray[np.float64]:
    """cos(pool(P), pool(Q)); with the mean, SPoT's task similarity (Vu et al. 2022, section 5)."""
    return _cosines(_pooled(query, pool))


def negative_distance(query: Query) -> NDArray[np.float64]:
    """-‖mean P - mean Q‖: grows with the scale of a prompt, hence with how long it was trained."""
    vectors = _pooled(query, mean_token)
    return -np.linalg.norm(vectors[1:] - vectors[0], axis=1)


def norm_difference(query: Query) -> NDArray[np.float64]:
    """-abs(log ‖P‖ - log ‖Q‖), norms per token: a control that sees no direction at all."""
    sizes = np.log([max(_size(tokens), _TINY) for tokens in query.prompts])
    return -np.abs(sizes[1:] - sizes[0])


def source_norm(query: Query) -> NDArray[np.float64]:
    """The norm of the source per token: a control that does not look at the target."""
    return np.array([_size(tokens) for tokens in query.sources])


def in_company(query: Query, *, change: Change, scale: Change = unit) -> NDArray[np.float64]:
    """Cosines after ``change`` of all pooled prompts float64[n + 1, d] together, each of length 1 before."""
    return _cosines(change(scale(_pooled(query, mean_token))))


def centred(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less the mean prompt, which all share: the backbone's or the init's, not the task's."""
    return vectors - vectors.mean(axis=0)


def scaled(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each coordinate divided by its root mean square, against rogue ones (Timkey and van Schijndel 2021).

    Whitening goes no further here: with fewer prompts than coordinates it makes all prompts orthogonal, that is,
    equally unlike one another.
    """
    spread = np.sqrt((vectors**2).mean(axis=0))
    return np.divide(vectors, spread, out=np.zeros_like(vectors), where=spread > 0)


def without_top(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less the component along the first principal direction (Mu and Viswanath 2018), the mean kept."""
    top = np.linalg.svd(vectors, full_matrices=False)[2][:1]
    return vectors - (vectors @ top.T) @ top


def top_components(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates on the fewest principal directions that hold nine tenths of the energy, the mean kept."""
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    energy = np.cumsum(sizes**2)
    kept = int(np.searchsorted(energy, _ENERGY * energy[-1])) + 1
    return (left * sizes)[:, :kept]


def hubness_corrected(query: Query) -> NDArray[np.float64]:
    """2 cos(t, s) - r(t) - r(s), r = mean cosine with the 10 nearest (CSLS; Conneau et al. 2018, equation 2)."""
    vectors = unit(_pooled(query, mean_token))
    cosines = vectors @ vectors.T
    others = cosines[~np.eye(len(cosines), dtype=bool)].reshape(len(cosines), -1)
    crowd = np.sort(others, axis=1)[:, -_NEIGHBOURS:].mean(axis=1)
    return 2 * cosines[0, 1:] - crowd[0] - crowd[1:]


centred_cosine = partial(in_company, change=centred)


def _pooled(query: Query, pool: Pool) -> NDArray[np.float64]:
    """float64[n + 1, d]: the target's vector first."""
    return np.stack([pool(tokens) for tokens in query.prompts])


def _cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the first row with each of the others."""
    directions = unit(vectors)
    return directions[1:] @ directions[0]


def _size(tokens: NDArray[np.float64]) -> float:
    """Root mean square of the token norms."""
    return float(np.sqrt((tokens**2).sum(axis=1).mean()))
