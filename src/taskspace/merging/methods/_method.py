"""What a method is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from taskspace.merging.carriers.combined import joined
from taskspace.merging.checkpoint import named
from taskspace.merging.numbers import added
from taskspace.merging.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.carriers import Carrier
    from taskspace.merging.checkpoint import Layout

Combine: TypeAlias = "Callable[[Window], NDArray[Any]]"
"""The merged vector over a window, float32[stop - start]."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """T carriers and their weights."""

    carriers: tuple[Carrier, ...]
    weights: tuple[float, ...]

    @cached_property
    def layout(self) -> Layout:
        """Every tensor that any of them names."""
        return joined([carrier.layout for carrier in self.carriers])

    @property
    def whole(self) -> bool:
        return any(carrier.whole for carrier in self.carriers)

    def read(self, window: Window) -> list[NDArray[Any]]:
        """The T differences over a window, zeros where one names no such tensor."""
        return [
            carrier.block(window)
            if window.name in carrier.layout
            else np.zeros(window.stop - window.start, dtype=np.float32)
            for carrier in self.carriers
        ]

    def tensors(self, name: str) -> list[NDArray[Any]]:
        """The T differences of one tensor in its shape."""
        return self.around(Window(name, 0, self.layout[name].size))

    def around(self, window: Window) -> list[NDArray[Any]]:
        """The T differences of the tensor that a window lies in, whole and in its shape."""
        spec = self.layout[window.name]
        return [flat.reshape(spec.shape) for flat in self.read(window.whole(spec))]


class Method(Protocol):
    """``whole`` says that it needs whole tensors, not only the numbers in the same places."""

    @property
    def whole(self) -> bool: ...

    def over(self, inputs: Inputs) -> Combine:
        """Bind the method to its inputs; what needs a pass of its own is done when the first window asks for it."""
        ...


@runtime_checkable
class Linear(Protocol):
    """A method that is a weighted sum, so that factors stay factors in what it gives."""

    def coefficients(self, weights: Sequence[float]) -> Sequence[float]:
        """What each vector is multiplied by."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A method that is none, and that knows what each vector counted all the same."""

    def told(self, weights: Sequence[float]) -> Sequence[float]: ...


@dataclass(frozen=True, eq=False)
class Merged:
    """A carrier again, so that what was merged can be merged, measured and applied like any vector."""

    inputs: Inputs
    method: Method

    @property
    def layout(self) -> Layout:
        return self.inputs.layout

    @property
    def whole(self) -> bool:
        return self.method.whole or self.inputs.whole

    def block(self, window: Window) -> NDArray[Any]:
        return self.combine(window)

    def identity(self) -> str:
        weighted = zip(self.inputs.weights, self.inputs.carriers, strict=True)
        return named(f"{self.method!r}", *(f"{weight}*{carrier.identity()}" for weight, carrier in weighted))

    @cached_property
    def combine(self) -> Combine:
        """The method bound to its inputs; raises :class:`SettingError` where it takes others."""
        return self.method.over(self.inputs)


def linear(method: Linear, inputs: Inputs) -> Combine:
    """A weighted sum, seen through windows."""
    coefficients = method.coefficients(inputs.weights)
    return lambda window: weighted_sum(inputs.read(window), coefficients)


def by_tensor(inputs: Inputs, merge: Callable[[Sequence[NDArray[Any]], str], NDArray[Any]]) -> Combine:
    """A method of whole tensors, seen through windows."""

    def combine(window: Window) -> NDArray[Any]:
        tensors = inputs.around(window)
        merged = merge(tensors, window.name) if tensors[0].size else tensors[0]
        return merged.reshape(-1)[window.start : window.stop]

    return combine


def weighted_sum(deltas: Sequence[NDArray[Any]], weights: Sequence[float]) -> NDArray[Any]:
    """``sum of w * tau`` in the dtype of the differences, always in the order given."""
    total = None
    for weight, delta in zip(weights, deltas, strict=True):
        total = added(total, weight, delta)
    assert total is not None  # there is a method only of something
    return total
