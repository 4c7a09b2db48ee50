"""DARE: drop at random and rescale (Language Models are Super Mario, arXiv 2311.03099, section 3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.merging.methods._method import weighted_sum
from taskspace.merging.methods._table import require_share
from taskspace.merging.methods.trimmed import elect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs
    from taskspace.merging.window import Window

_LANES = 8
"""32-bit draws that one step of the counter gives."""


@dataclass(frozen=True)
class _Dropping:
    """What both methods leave of each vector: each number with probability ``density``, divided by it.

    What is drawn depends on the seed, the vector's place, the tensor's name and the number's place, and on nothing
    else: not on how tensors are cut, nor in which order they come.
    """

    density: float = 0.2
    seed: int = 0

    whole = False

    def __post_init__(self) -> None:
        require_share("density", self.density)

    def dropped(self, inputs: Inputs, window: Window) -> list[NDArray[Any]]:
        return [
            np.where(keeps(window, self.density, seed=self.seed, vector=t), delta / delta.dtype.type(self.density), 0)
            for t, delta in enumerate(inputs.read(window))
        ]


@dataclass(frozen=True)
class Dare(_Dropping):
    """Each number is kept with probability ``density`` and divided by it, then :class:`Sum`."""

    def over(self, inputs: Inputs) -> Combine:
        return lambda window: weighted_sum(self.dropped(inputs, window), inputs.weights)


@dataclass(frozen=True)
class DareTies(_Dropping):
    """DARE's dropping, then the sign election of TIES without its trimming."""

    def over(self, inputs: Inputs) -> Combine:
        return lambda window: elect(self.dropped(inputs, window), inputs.weights)


def keeps(window: Window, density: float, *, seed: int, vector: int) -> NDArray[np.bool_]:
    """bool[stop - start]: whether a number of the ``vector``-th vector stays; a counter-based generator (Philox)."""
    said = f"{seed}/{vector}/{window.name}".encode()
    key = np.frombuffer(hashlib.sha256(said).digest()[:16], dtype="<u8")
    first = window.start // _LANES
    steps = -(-window.stop // _LANES) - first
    draws = np.random.Philox(key=key, counter=first).random_raw(steps * _LANES // 2).view(np.uint32)
    begin = window.start - first * _LANES
    return draws[begin : begin + window.stop - window.start] < density * 2.0**32
