"""Where names can stand: geometry in pixels, without matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GAPS = np.array([1.0, 2.4, 4.2, 6.5, 9.0])
"""How far away a name may stand, in distances between a point and a name beside it; beyond the first a line leads."""
_DIRECTIONS = 16
_ROUNDS = 4
_OVER_POINT, _CROSSES, _OVER_NAME = 6.0, 4.0, 1000.0
"""What it costs to lie over a point, for a line to cross a point or a name, and to lie over another name; a step
further away costs 1.
"""
_STEPS = np.linspace(0, 1, 9)[:, None]


@dataclass(frozen=True, eq=False)
class Spots:
    """Per name its candidates: ``boxes`` float64[m, c, 4] as x0, y0, x1, y1, the ``lines`` float64[m, c, s, 2] that
    lead there from the point (NaN where none is needed), and what each costs by itself, float64[m, c].
    """

    boxes: NDArray[np.float64]
    lines: NDArray[np.float64]
    cost: NDArray[np.float64]


def places(
    anchors: NDArray[np.float64],
    extents: NDArray[np.float64],
    dots: NDArray[np.float64],
    inside: NDArray[np.float64],
    *,
    gap: float,
    size: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Boxes float64[m, 4] for names of ``extents`` float64[m, 2] at ``anchors`` float64[m, 2], whether each stands so
    far off that a line must lead there, and whether it found a free place at all.

    Names keep off the ``dots`` float64[n, 2] of that ``size``, off each other, and within ``inside``.  They are placed
    one after the other, outwards from where it is crowded, and then moved for some rounds with the others in place.
    """
    spots = _spots(anchors, extents, dots, inside, gap, size)
    every = np.arange(len(anchors))
    chosen = np.full(len(anchors), -1)
    for turn in range(_ROUNDS):
        before = chosen.copy()
        for i in every:
            others = every[(every != i) & (chosen >= 0)]
            cost = spots.cost[i] + _between(spots, int(i), others, chosen[others])
            chosen[i] = int(cost.argmin())
        if turn and (before == chosen).all():
            break
    boxes, leads = spots.boxes[every, chosen], ~np.isnan(spots.lines[every, chosen, 0, 0])
    return boxes, leads, _free(boxes, np.isfinite(spots.cost[every, chosen]))


def _spots(
    anchors: NDArray[np.float64], extents: NDArray[np.float64], dots: NDArray[np.float64],
    inside: NDArray[np.float64], gap: float, size: float,
) -> Spots:  # fmt: skip
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    around = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    shifts = (around[None] * (gap * _GAPS)[:, None, None]).reshape(-1, 2)
    away = np.tile(around, (len(_GAPS), 1))
    tip = anchors[:, None] + shifts  # the corner or edge of the box that faces the point
    low = tip - extents[:, None] * (1 - np.clip(0.5 + away * 1.001, 0, 1))
    boxes = np.concatenate([low, low + extents[:, None]], axis=-1)
    far = np.repeat(_GAPS, _DIRECTIONS)
    lines = anchors[:, None, None] + (tip - anchors[:, None])[:, :, None] * _STEPS
    lines[:, far <= _GAPS[0]] = np.nan
    cost = far[None] + 1.5 * (1 - np.einsum("mi,ci->mc", _outwards(anchors, dots), away)) - 0.3 * away[:, 0]
    cost = cost + _OVER_POINT * _covers(boxes, np.concatenate([dots - size, dots + size], axis=-1)).sum(axis=-1)
    own = np.hypot(*(dots[None] - anchors[:, None]).transpose(2, 0, 1)) < size / 4
    hits = np.hypot(*(lines[:, :, None] - dots[:, None]).transpose(4, 0, 1, 2, 3)).min(axis=-1) < size
    cost = cost + _CROSSES * (hits & ~own[:, None]).sum(axis=-1)
    cost[(boxes[..., :2] < inside[:2]).any(axis=-1) | (boxes[..., 2:] > inside[2:]).any(axis=-1)] = np.inf
    return Spots(boxes, lines, cost)


def _outwards(anchors: NDArray[np.float64], dots: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[m, 2]: away from the points around, near ones counting most; at most of length 1."""
    gaps = anchors[:, None] - dots[None]
    far = np.hypot(gaps[..., 0], gaps[..., 1])[..., None]
    pull = np.divide(gaps, far**2, out=np.zeros_like(gaps), where=far > 1e-6).sum(axis=1)
    return pull / np.maximum(np.hypot(pull[:, 0], pull[:, 1]), 1e-6)[:, None]


def _between(spots: Spots, i: int, others: NDArray[np.intp], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """float64[c]: what the candidates of one name cost for lying over the others or crossing their lines."""
    boxes, lines = spots.boxes[others, chosen], spots.lines[others, chosen]
    over = _covers(spots.boxes[i], boxes).sum(axis=-1)
    theirs = _holds(spots.boxes[i][:, None, None], lines[None]).any(axis=-1).sum(axis=-1)
    mine = _holds(boxes[None, :, None], spots.lines[i][:, None]).any(axis=-1).sum(axis=-1)
    return _OVER_NAME * over + _CROSSES * (theirs + mine)


def _covers(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[..., k]: whether boxes [..., 4] lie over each of ``others`` [k, 4]."""
    apart = (boxes[..., None, :2] >= others[:, 2:]) | (boxes[..., None, 2:] <= others[:, :2])
    return np.logical_not(apart.any(axis=-1))


def _holds(boxes: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points [..., 2] lie in boxes [..., 4]; NaN lies nowhere."""
    inside = (points > boxes[..., :2]) & (points < boxes[..., 2:])
    return np.logical_and(inside[..., 0], inside[..., 1])


def _free(boxes: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[m]: names inside that lie over no earlier one that stays."""
    stays = inside.copy()
    for i in np.flatnonzero(inside):
        earlier = np.flatnonzero(stays[:i])
        stays[i] = not _covers(boxes[i], boxes[earlier]).any()
    return stays
