"""Lengths and inner products of vectors, a window at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.merging.carriers import Carrier, Factors
from taskspace.merging.carriers.combined import terms
from taskspace.merging.carriers.factors import inner
from taskspace.merging.window import STRETCH, windows

if TYPE_CHECKING:
    from taskspace.merging.checkpoint import Layout


def inner_products(one: Carrier, two: Carrier) -> dict[str, float]:
    """The inner product of each tensor that both name, in float64."""
    return {name: _inner(one, two, name) for name in one.layout if name in two.layout}


def _inner(one: Carrier, two: Carrier, name: str) -> float:
    """Sums are taken apart first, so that factor pairs meet factor pairs."""
    left, right = terms(one, name), terms(two, name)
    if all(isinstance(part, Factors) for _, part in [*left, *right]):
        return sum(
            w * v * inner(a.pairs[name], b.pairs[name])
            for w, a in left
            for v, b in right
            if isinstance(a, Factors) and isinstance(b, Factors)
        )
    total = 0.0
    for window in windows(name, one.layout[name], stretch_of(one, two, name=name, layout=one.layout)):
        total += float(np.vdot(one.block(window).astype(np.float64), two.block(window).astype(np.float64)))
    return total


def stretch_of(*carriers: Carrier, name: str, layout: Layout, usual: int = STRETCH) -> int:
    """Numbers to read at once: the whole tensor where one of them comes no cheaper in parts."""
    return max(layout[name].size, 1) if any(carrier.whole for carrier in carriers) else usual
