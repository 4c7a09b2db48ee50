"""Measures between two prompts that see every token: float64[m, d] against float64[k, d] gives one number.

The order of a prompt's tokens comes from its init, and two inits do not agree on one: those that pair tokens by place
(``flat``, ``cka``) are here as controls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace._extras import require
from taskspace.prompting.likeness._vectors import mean_direction, unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from taskspace.prompting.likeness._query import Rule

_DIRECTIONS = 10


def pairwise(like: Callable[[NDArray[np.float64], NDArray[np.float64]], float]) -> Rule:
    """A measure of two prompts, asked of each source in turn."""
    return lambda query: np.array([like(query.target, source) for source in query.sources], dtype=np.float64)


def all_pairs(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Mean over all token pairs of their cosine: the dot product of the two mean directions."""
    return float(mean_direction(target) @ mean_direction(source))


def best_matches(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Mean over target tokens of the best source token's cosine (MAX; Lin et al. 2024); not symmetric."""
    return float((unit(target) @ unit(source).T).max(axis=1).mean())


def matched(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Mean cosine under the best one-to-one match of tokens (Kuhn 1955)."""
    assign = require("scipy.optimize", extra="sklearn", why="the measure 'matched'").linear_sum_assignment
    cosines = unit(target) @ unit(source).T
    return float(cosines[assign(cosines, maximize=True)].mean())


def flat(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Cosine over all m·d entries, token i against token i."""
    return float(unit(target.ravel()) @ unit(source.ravel()))


def cka(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Linear CKA with tokens as examples (Kornblith et al. 2019, equation 4): how alike tokens stand to each other."""
    return _alignment(*(gram(tokens - tokens.mean(axis=0)) for tokens in (target, source)))


def second_moment(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """‖U Vᵀ‖² / (‖U Uᵀ‖ ‖V Vᵀ‖), tokens of length 1: which directions the tokens take, whatever their sign and order.

    The cosine of the two second-moment matrices UᵀU and VᵀV, d by d (RV coefficient, not centred; Robert and Escoufier
    1976), by way of the much smaller products.
    """
    u, v = unit(target), unit(source)
    scale = np.linalg.norm(gram(u)) * np.linalg.norm(gram(v))
    return float(np.linalg.norm(u @ v.T) ** 2 / scale) if scale else 0.0


def subspace(target: NDArray[np.float64], source: NDArray[np.float64]) -> float:
    """Mean squared cosine of the principal angles between the 10 leading directions of either prompt."""
    kept = min(_DIRECTIONS, *target.shape, *source.shape)
    mine, theirs = (np.linalg.svd(tokens, full_matrices=False)[2][:kept] for tokens in (target, source))
    return float(np.linalg.norm(mine @ theirs.T) ** 2 / kept)


def gram(tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[m, m]: the inner products of the tokens."""
    return tokens @ tokens.T


def _alignment(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine of two matrices of one shape; 0 where either is all zeros."""
    return float(unit(a.ravel()) @ unit(b.ravel()))
