"""Whether two sources did the same for the same targets, where transfers were measured."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.atlas.duplicates._values import Evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.ranking.history import Transfers

_FEWEST_TARGETS = 3
_FEWEST_PAIRS = 20
_MOST_SOURCES = 200
"""Of more sources, these many are compared with each other to see how far apart sources usually are."""

_RARE, _USUAL = 0.95, 0.5


@final
class Effects:
    """Mean scores of sources on targets; scores on a source's own target do not count."""

    def __init__(self, transfers: Transfers) -> None:
        self._place = {name: row for row, name in enumerate(transfers.sources)}
        self._scores = transfers.foreign.mean

    def between(self, first: str, second: str) -> Evidence | None:
        """How far apart they are, against how far sources usually are; None with fewer than three common targets."""
        if first not in self._place or second not in self._place:
            return None
        gap, count = _gap(self._scores[self._place[first]], self._scores[self._place[second]])
        if count < _FEWEST_TARGETS:
            return None
        if gap == 0:
            return Evidence("transfers", f"equal scores as sources of {count} targets", True)
        says = f"as sources {gap:.4f} apart on {count} targets"
        if len(self._usual) < _FEWEST_PAIRS:
            return Evidence("transfers", says, None)
        nearer = float((self._usual > gap).mean())
        supports = True if nearer >= _RARE else False if nearer < _USUAL else None
        return Evidence("transfers", f"{says}, nearer than {nearer:.0%} of pairs of sources", supports)

    @cached_property
    def _usual(self) -> NDArray[np.float64]:
        """float64[p]: how far apart other pairs of sources are."""
        rows = np.random.default_rng(0).permutation(len(self._scores))[:_MOST_SOURCES].tolist()
        found = (_gap(self._scores[one], self._scores[other]) for one, other in combinations(rows, 2))
        return np.array([gap for gap, count in found if count >= _FEWEST_TARGETS])


def _gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, int]:
    """The mean difference of scores over targets that both were measured on, and their number."""
    apart = np.abs(one - other)
    apart = apart[~np.isnan(apart)]
    return (float(apart.mean()) if len(apart) else np.nan), len(apart)
