"""Matrices of several tasks with no more columns than rows, read a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from taskspace.merging.ahead import in_order
from taskspace.merging.methods._method import weighted_sum
from taskspace.merging.methods.sums import shares
from taskspace.merging.window import Window, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs

Rows: TypeAlias = "Sequence[NDArray[np.float64]]"
"""The same rows of T matrices, each float64[p, n]."""

ByRows: TypeAlias = "Callable[[Rows], NDArray[np.float64]]"
"""Those rows of the merged matrix, float64[p, n]."""


@dataclass(frozen=True, eq=False)
class Tall:
    """T matrices of ``name``; those with more columns than rows are turned, and then ``held`` whole.

    ``shape`` is the one after turning.  Rows are always taken in the windows that such a tensor is cut into, since a
    product of other rows may round otherwise.
    """

    inputs: Inputs
    name: str
    shape: tuple[int, int]
    held: tuple[NDArray[Any], ...] | None

    @classmethod
    def of(cls, inputs: Inputs, name: str) -> Tall:
        rows, columns = inputs.layout[name].shape
        if rows < columns:
            turned = (np.ascontiguousarray(tensor.T) for tensor in inputs.tensors(name))
            return cls(inputs, name, (columns, rows), tuple(turned))
        return cls(inputs, name, (rows, columns), tuple(inputs.tensors(name)) if inputs.whole else None)

    @property
    def turned(self) -> bool:
        return self.shape != self.inputs.layout[self.name].shape

    def panels(self, start: int = 0, stop: int | None = None) -> Iterator[Window]:
        """The windows that hold the numbers ``start`` to ``stop``."""
        spec = replace(self.inputs.layout[self.name], shape=self.shape)
        last = spec.size if stop is None else stop
        return (window for window in windows(self.name, spec) if window.start < last and window.stop > start)

    def rows(self, panel: Window) -> Rows:
        parts = self.inputs.read(panel) if self.held is None else [
            matrix.reshape(-1)[panel.start : panel.stop] for matrix in self.held
        ]  # fmt: skip
        return [part.reshape(-1, self.shape[1]).astype(np.float64) for part in parts]

    def grams(self, seen: Callable[[Rows], Rows]) -> list[NDArray[np.float64]]:
        """``X'X``, float64[k, k], of each matrix that ``seen`` makes of the rows."""
        found: list[NDArray[np.float64]] = []
        for parts in in_order(lambda panel: seen(self.rows(panel)), self.panels()):
            products = [part.T @ part for part in parts]
            found = [total + product for total, product in zip(found, products, strict=True)] if found else products
        return found


def by_rows(inputs: Inputs, prepared: Callable[[Tall], ByRows]) -> Combine:
    """A method that goes row by row once passes over a matrix have prepared it; what is no matrix is averaged."""
    latest = _Latest(inputs, prepared)

    def combine(window: Window) -> NDArray[Any]:
        spec = inputs.layout[window.name]
        if len(spec.shape) != 2 or not spec.size:
            return weighted_sum(inputs.read(window), shares(inputs.weights))
        return latest.merged(window)

    return combine


@final
class _Latest:
    """What was prepared for the last matrix: windows come matrix by matrix, and several of one at once."""

    def __init__(self, inputs: Inputs, prepared: Callable[[Tall], ByRows]) -> None:
        self._inputs, self._prepared = inputs, prepared
        self._lock = Lock()
        self._held: tuple[str, Callable[[Window], NDArray[Any]]] | None = None

    def merged(self, window: Window) -> NDArray[Any]:
        with self._lock:
            if self._held is None or self._held[0] != window.name:
                self._held = None  # let go before the next is made
                self._held = (window.name, self._made(window.name))
            name, over = self._held
            assert name == window.name
        return over(window)

    def _made(self, name: str) -> Callable[[Window], NDArray[Any]]:
        tall = Tall.of(self._inputs, name)
        merge = self._prepared(tall)
        if not tall.turned:
            return lambda window: _cut(tall, merge, window)
        spec = self._inputs.layout[name]
        whole = _cut(tall, merge, Window(name, 0, spec.size)).reshape(tall.shape).T.reshape(-1)
        return lambda window: whole[window.start : window.stop]


def _cut(tall: Tall, merge: ByRows, window: Window) -> NDArray[Any]:
    """The merged numbers of a window, by the panels that it lies in."""
    panels = [window if _same(window, panel) else panel for panel in tall.panels(window.start, window.stop)]
    merged = np.concatenate([merge(tall.rows(panel)).reshape(-1) for panel in panels])
    begin = window.start - panels[0].start
    return merged[begin : begin + window.stop - window.start].astype(np.float32)


def _same(one: Window, two: Window) -> bool:
    """The window that was asked for knows what it has read."""
    return (one.start, one.stop) == (two.start, two.stop)
