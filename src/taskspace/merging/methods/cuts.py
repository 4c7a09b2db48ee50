"""Where the largest numbers begin: exact, in constant memory, however tensors are cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.merging.ahead import WORKERS, in_order
from taskspace.merging.measures import stretch_of
from taskspace.merging.window import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Inputs
    from taskspace.merging.window import Window

PASSES = 3
"""How often a merge by cuts reads its inputs: twice to count, once to merge; more where numbers at a cut are equal."""

_HALF = 1 << 16


@dataclass(frozen=True)
class Cut:
    """Keep what is larger than ``bits``, and of what is equal the places up to ``last`` in the ``last_in`` tensor
    and every place of tensors before it; ``bits`` is a magnitude as its float32 pattern, which orders as numbers do.
    """

    bits: int
    last_in: int
    last: int

    def keeps(self, magnitude: NDArray[np.uint32], order: int, start: int) -> NDArray[np.bool_]:
        """bool[n] for the magnitudes from place ``start`` on of the tensor that stands ``order``-th."""
        above = magnitude > self.bits
        if order > self.last_in:
            return above
        equal = magnitude == self.bits
        if order == self.last_in:
            equal[max(self.last + 1 - start, 0) :] = False
        return above | equal


@final
class Cuts:
    """Cuts of each tensor of each vector, or of each whole vector, found when they are first needed.

    A histogram of the upper half of the bit patterns, then one of the lower half within the bin that holds the cut;
    a third pass finds where to stop among equal numbers, where some of them are left out.
    """

    def __init__(self, inputs: Inputs, density: float, *, model: bool = False) -> None:
        self._inputs = inputs
        self._density = density
        self._groups: dict[str, tuple[str, ...]] = (
            dict.fromkeys(inputs.layout, tuple(inputs.layout)) if model else {name: (name,) for name in inputs.layout}
        )
        self._found: dict[tuple[str, ...], list[Cut]] = {}
        self._lock = Lock()

    def trimmed(self, window: Window) -> list[NDArray[Any]]:
        """The T differences with what lies below the cut set to 0."""
        group = self._groups[window.name]
        with self._lock:  # windows are worked on at once, and the first of them looks for all
            if group not in self._found:
                self._found[group] = self._cuts(group)
        order = group.index(window.name)
        return [
            np.where(cut.keeps(magnitudes(delta), order, window.start), delta, 0)
            for cut, delta in zip(self._found[group], self._inputs.read(window), strict=True)
        ]

    def _cuts(self, group: tuple[str, ...]) -> list[Cut]:
        size = sum(self._inputs.layout[name].size for name in group)
        if not size:
            return [Cut(0, len(group), 0) for _ in self._inputs.carriers]
        keep = max(int(self._density * size), 1)
        upper = self._counted(group, lambda bits, _: bits >> np.uint32(16))
        bins = [_bin(counts, keep) for counts in upper]
        highs = [high for high, _ in bins]
        lower = self._counted(group, lambda bits, t: bits[bits >> np.uint32(16) == highs[t]] & np.uint32(_HALF - 1))
        lows = [_bin(counts, left) for counts, (_, left) in zip(lower, bins, strict=True)]
        patterns = [(high << 16) + low for high, (low, _) in zip(highs, lows, strict=True)]
        wanted = [left for _, left in lows]
        if all(
            not bits or counts[low] == left for bits, counts, (low, left) in zip(patterns, lower, lows, strict=True)
        ):
            return [Cut(bits, len(group), 0) for bits in patterns]
        return self._located(group, patterns, wanted)

    def _counted(
        self, group: tuple[str, ...], key: Callable[[NDArray[np.uint32], int], NDArray[np.uint32]]
    ) -> list[NDArray[np.int64]]:
        def count(place: tuple[int, Window]) -> list[NDArray[np.int64]]:
            deltas = self._inputs.read(place[1])
            return [np.bincount(key(magnitudes(delta), t), minlength=_HALF) for t, delta in enumerate(deltas)]

        total = [np.zeros(_HALF, dtype=np.int64) for _ in self._inputs.carriers]
        for counts in in_order(count, self._all(group), 1 if self._inputs.whole else WORKERS):
            for sums, part in zip(total, counts, strict=True):
                sums += part
        return total

    def _located(self, group: tuple[str, ...], patterns: Sequence[int], wanted: Sequence[int]) -> list[Cut]:
        """Walk to the last of the equal numbers that is kept."""
        left, cuts = list(wanted), [Cut(bits, len(group), 0) for bits in patterns]
        for order, window in self._all(group):
            for t, delta in enumerate(self._inputs.read(window)):
                if left[t] > 0:
                    places = np.flatnonzero(magnitudes(delta) == patterns[t])
                    if len(places) >= left[t]:
                        cuts[t] = Cut(patterns[t], order, window.start + int(places[left[t] - 1]))
                    left[t] -= len(places)
            if max(left) <= 0:
                break
        return cuts

    def _all(self, group: tuple[str, ...]) -> Iterator[tuple[int, Window]]:
        inputs = self._inputs
        for order, name in enumerate(group):
            stretch = stretch_of(*inputs.carriers, name=name, layout=inputs.layout)
            for window in windows(name, inputs.layout[name], stretch):
                yield order, window


def magnitudes(delta: NDArray[Any]) -> NDArray[np.uint32]:
    """uint32[n]: the float32 patterns of the absolute values."""
    return np.abs(delta.astype(np.float32, copy=False)).view(np.uint32)


def _bin(counts: NDArray[np.int64], keep: int) -> tuple[int, int]:
    """The bin in which the ``keep``-th largest lies, and the how-many-eth of it that is."""
    above = np.cumsum(counts[::-1])
    place = int(np.searchsorted(above, keep))
    found = len(counts) - 1 - place
    return found, int(keep - (above[place] - counts[found]))
