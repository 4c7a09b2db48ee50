"""Differences whose size and direction were trained apart (DoRA, arXiv 2402.09353, equation 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import WeightsError
from taskspace.merging.checkpoint import digest, named
from taskspace.merging.window import windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.merging.carriers.factors import Factors
    from taskspace.merging.checkpoint import Layout, Weights
    from taskspace.merging.window import Window


@dataclass(frozen=True, eq=False)
class Decomposed:
    """``m (W + BA) / |W + BA| - W``, with W of ``base`` and a norm over the weights of each output.

    ``magnitudes`` holds m, float32[outputs], by weight.  Norms take one pass over a weight, when it is first asked for.
    """

    base: Weights
    directions: Factors
    magnitudes: Mapping[str, NDArray[np.float32]]
    _gains: dict[str, NDArray[np.float64]] = field(default_factory=dict[str, Any], init=False, repr=False)

    whole = False

    @property
    def layout(self) -> Layout:
        return self.directions.layout

    def block(self, window: Window) -> NDArray[Any]:
        """The sum is taken as ``(g - 1) W + g BA`` with ``g = m / |W + BA|``, which loses nothing where g is near 1."""
        if window.name not in self._gains:
            self._gains[window.name] = self.magnitudes[window.name] / self._norms(window.name)
        gains = self._gains[window.name][self._outputs(window)]
        under, step = window.of(self.base), self.directions.block(window)
        return (gains - 1).astype(np.float32) * under + gains.astype(np.float32) * step

    def identity(self) -> str:
        parts = (part for name, m in self.magnitudes.items() for part in (digest(self.base, name), m.tobytes()))
        return named(self.directions.identity(), *parts)

    def _norms(self, name: str) -> NDArray[np.float64]:
        """float64[outputs]: always summed in the same windows, so that they do not depend on who asks."""
        squares = np.zeros(len(self.magnitudes[name]))
        for window in windows(name, self.layout[name]):
            trained = window.of(self.base).astype(np.float64) + self.directions.block(window)
            squares += np.bincount(self._outputs(window), trained**2, len(squares))
        if not squares.all():
            raise WeightsError(f"{name!r} has an output of zeros, which has no direction; merge the adapter with peft")
        return np.sqrt(squares)

    def _outputs(self, window: Window) -> NDArray[np.int64]:
        """int64[stop - start]: the output that each number is a weight of."""
        shape, places = self.layout[window.name].shape, np.arange(window.start, window.stop)
        transposed = self.directions.pairs[window.name].transposed
        return places % shape[-1] if transposed else places // math.prod(shape[1:])
