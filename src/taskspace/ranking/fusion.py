"""One score from the cosines of several components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_DAMPING = 60  # Cormack, Clarke and Büttcher (2009), "Reciprocal rank fusion outperforms Condorcet …", SIGIR


def fuse(cosines: NDArray[np.float64], fusion: str) -> NDArray[np.float64]:
    """Scores float64[n], higher is nearer, from ``cosines`` float64[n, b] by the named rule.

    Raises :class:`SettingError` for an unknown name.
    """
    return fusion_named(fusion)(cosines)


def fusion_named(name: str) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The rule of that name, or :class:`SettingError`."""
    if name not in FUSIONS:
        raise SettingError(f"there is no fusion {name!r}{did_you_mean(name, FUSIONS)}")
    return FUSIONS[name]


def _mean(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    return cosines.mean(axis=1)


def _reciprocal_ranks(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ over components of 1 / (60 + rank), rank 1 the nearest, ties at their mean rank.

    A component that gives all candidates the same cosine orders nothing and is skipped; when all do,
    every candidate scores 0.
    """
    scores = np.zeros(len(cosines))
    for column in cosines.T:
        _, group, sizes = np.unique(-column, return_inverse=True, return_counts=True)
        if len(sizes) > 1:
            mean_ranks = np.cumsum(sizes) - (sizes - 1) / 2
            scores += 1 / (_DAMPING + mean_ranks[group])
    return scores


FUSIONS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": _mean,
    "rrf": _reciprocal_ranks,
}
