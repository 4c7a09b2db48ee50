"""A weighted sum of carriers, taken when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import WeightsError
from taskspace.merging.carriers.factors import Factors
from taskspace.merging.carriers.scaled import Scaled
from taskspace.merging.checkpoint import named
from taskspace.merging.numbers import added

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.merging.carriers._carrier import Carrier
    from taskspace.merging.carriers.factors import Pair
    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.numbers import Spec
    from taskspace.merging.window import Window


@dataclass(frozen=True, eq=False)
class Combined:
    """``sum of weight * carrier``; a tensor that one of them does not name is zero there."""

    terms: tuple[tuple[float, Carrier], ...]

    @property
    def layout(self) -> Layout:
        return self._layout

    @cached_property
    def _layout(self) -> Layout:
        return joined([carrier.layout for _, carrier in self.terms])

    @property
    def whole(self) -> bool:
        return any(carrier.whole for _, carrier in self.terms)

    def block(self, window: Window) -> NDArray[Any]:
        total = None
        for weight, carrier in self.terms:
            if window.name in carrier.layout:
                total = added(total, weight, carrier.block(window))
        return np.zeros(window.stop - window.start, dtype=np.float32) if total is None else total

    def identity(self) -> str:
        return named(*(f"{weight}*{carrier.identity()}" for weight, carrier in self.terms))


def combine(terms: Sequence[tuple[float, Carrier]]) -> Combined:
    """Sums of sums become one; a carrier that comes twice is read once, and one that cancels not at all."""
    weights: dict[int, float] = {}
    carriers: dict[int, Carrier] = {}
    for weight, carrier in terms:
        inner = carrier.terms if isinstance(carrier, Combined) else ((1.0, carrier),)
        for own, part in inner:
            carriers[id(part)] = part
            weights[id(part)] = weights.get(id(part), 0.0) + weight * own
    return Combined(tuple((weight, carriers[key]) for key, weight in weights.items() if weight))


def terms(carrier: Carrier, name: str) -> list[tuple[float, Carrier]]:
    """What a tensor is the weighted sum of, seen through sums of sums and scalings."""
    if name not in carrier.layout:
        return []
    if isinstance(carrier, Combined):
        return [(w * own, part) for w, each in carrier.terms for own, part in terms(each, name)]
    if isinstance(carrier, Scaled):
        return [(carrier.factors.get(name, 1.0) * own, part) for own, part in terms(carrier.carrier, name)]
    return [(1.0, carrier)]


def factors(carrier: Carrier, name: str) -> list[tuple[float, Pair]]:
    """The weighted pairs that a tensor is the sum of; none where another part names it too."""
    found = terms(carrier, name)
    pairs = [(weight, part.pairs[name]) for weight, part in found if isinstance(part, Factors)]
    return pairs if len(pairs) == len(found) else []


def joined(layouts: Sequence[Layout]) -> Layout:
    """All tensors of all of them; raises :class:`WeightsError` where one name has two shapes."""
    found: dict[str, Spec] = {}
    for layout in layouts:
        for name, spec in layout.items():
            held = found.setdefault(name, spec)
            if held.shape != spec.shape:
                raise WeightsError(
                    f"{name!r} has shape {list(held.shape)} in one vector and {list(spec.shape)} in another; these are"
                    " differences of other models, or of another vocabulary"
                )
    return found
