"""The order of a tree's leaves in which neighbours are nearest.

scipy has a function for it, which does not always find that order (scipy issue 11227).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class _Joined(NamedTuple):
    """Two branches beside each other.

    For an outermost leaf ``a`` of the first and ``b`` of the second, ``length[a, b]`` is that of the shortest way
    through all leaves, ``into[a, b]`` where it enters the second, and ``out[a, k]`` where it leaves the first to enter
    the second at ``k``.
    """

    first: int
    second: int
    length: NDArray[np.float64]
    out: NDArray[np.intp]
    into: NDArray[np.intp]


def leaf_order(merges: NDArray[np.float64], far: NDArray[np.float64]) -> NDArray[np.intp]:
    """int[m]: among all orders that the linkage rows float64[m - 1, 4] allow, one with the least sum of the distances
    float64[m, m] between neighbours (Bar-Joseph, Gifford and Jaakkola 2001); cubic in m.
    """
    leaves = [np.array([leaf]) for leaf in range(len(far))]
    ways = {leaf: np.zeros((1, 1)) for leaf in range(len(far))}
    joined: list[_Joined] = []
    for first, second in merges[:, :2].astype(np.intp).tolist():
        between, out = _shortest(ways.pop(first), far[np.ix_(leaves[first], leaves[second])])
        length, into = _shortest(between, ways.pop(second))
        joined.append(_Joined(first, second, length, out, into))
        ways[len(leaves)] = _either_way(length)
        leaves.append(np.concatenate([leaves[first], leaves[second]]))
    return np.array(_read(joined, leaves), dtype=np.intp)


def turned(merges: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    """The same merges with leaves counted by their place in ``order``, the branch that stands first named first."""
    count = len(order)
    number = np.arange(2 * count - 1)  # clusters keep their numbers
    number[order] = np.arange(count)
    placed = merges.copy()
    placed[:, :2] = number[merges[:, :2].astype(np.intp)]
    start = list(range(count))
    for row in placed:
        first, second = int(row[0]), int(row[1])
        if start[first] > start[second]:
            row[0], row[1] = second, first
        start.append(min(start[first], start[second]))
    return placed


def _shortest(ways: NDArray[np.float64], steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The least of ``ways[a, m] + steps[m, b]`` over m, and the m at which it is."""
    least = np.empty((len(ways), steps.shape[1]))
    place = np.empty(least.shape, dtype=np.intp)
    for a, way in enumerate(ways):
        total = way[:, None] + steps
        place[a] = total.argmin(axis=0)
        least[a] = total.min(axis=0)
    return least, place


def _either_way(length: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the leaves of both branches; no way begins and ends in the same one."""
    a, b = length.shape
    whole = np.full((a + b, a + b), np.inf)
    whole[:a, a:] = length
    whole[a:, :a] = length.T
    return whole


def _read(joined: Sequence[_Joined], leaves: Sequence[NDArray[np.intp]]) -> list[int]:
    """The leaves along the shortest way, from the top: what is still to be read is (branch, first leaf, last leaf)."""
    count = len(leaves) - len(joined)
    if not joined:
        return list(range(count))
    top = joined[-1]
    a, b = np.unravel_index(int(top.length.argmin()), top.length.shape)
    rest = [(len(leaves) - 1, int(a), len(leaves[top.first]) + int(b))]
    order: list[int] = []
    while rest:
        branch, first, last = rest.pop()
        if branch < count:
            order.append(branch)
            continue
        node = joined[branch - count]
        size = len(leaves[node.first])
        begins = first < size
        a, b = (first, last - size) if begins else (last, first - size)
        into = int(node.into[a, b])
        parts = [(node.first, a, int(node.out[a, into])), (node.second, into, b)]
        rest += parts[::-1] if begins else [(i, end, start) for i, start, end in parts]
    return order
