"""How the alike come together, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.pictures._style import FAMILIES, PALE, empty, plain, shown, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from taskspace.atlas.map import Similarities

_PAIR = 2
_MIXED = "#5f5f5f"
NAMED = 120
"""Leaves up to which they carry their names."""


def draw_dendrogram(
    axes: Axes, found: Similarities, *, families: Mapping[str, int] | None = None, names: bool = True
) -> Axes:
    """Leaves at the right in the order of ``found``; two branches meet at the mean cosine of their members.

    ``families`` gives names their place among the map's families: a branch all of whose leaves are of one family has
    its colour.
    """
    collections: Any = require("matplotlib.collections", extra="plot", why="drawing a picture")
    lines, colours = _brackets(found, families or {})
    axes.add_collection(
        collections.LineCollection(
            lines, colors=colours, linewidths=1.2 if len(found) <= NAMED else 0.7, capstyle="round"
        )
    )
    lowest = 1.0 - float(found.merges[:, 2].max(initial=0.0)) if len(found) else 0.0
    axes.set_xlim(min(lowest, 0.0) - 0.03, 1.0)
    axes.set_ylim(max(len(found), 1) - 0.5, -0.5)
    tidy(axes, sides=("bottom",), grid="x")
    axes.set_xlabel("mean cosine of the two branches", fontsize=8, color=PALE)
    axes.yaxis.tick_right()
    named = names and len(found) <= NAMED
    axes.set_yticks(range(len(found)) if named else [], [shown(name) for name in found.names] if named else [])
    axes.tick_params(axis="y", length=0, pad=4, labelsize=float(np.clip(300 / max(len(found), 1), 3.5, 8.5)))
    plain(*axes.get_yticklabels())
    if len(found) < _PAIR:
        empty(axes, "nothing to compare yet")
    return axes


def _brackets(found: Similarities, families: Mapping[str, int]) -> tuple[list[list[tuple[float, float]]], list[str]]:
    """The three sides of each merge, leaves at cosine 1 and one apart, and its colour."""
    height = list(map(float, range(len(found))))
    cosine = [1.0] * len(found)
    family: list[int | None] = [families.get(name, -1) for name in found.names]
    lines: list[list[tuple[float, float]]] = []
    colours: list[str] = []
    for first, second, distance, _ in found.merges.tolist():
        a, b, meet = int(first), int(second), 1.0 - distance
        lines.append([(cosine[a], height[a]), (meet, height[a]), (meet, height[b]), (cosine[b], height[b])])
        same = family[a] if family[a] == family[b] else None
        colours.append(_MIXED if same is None or same < 0 else FAMILIES[same % len(FAMILIES)])
        height.append((height[a] + height[b]) / 2)
        cosine.append(meet)
        family.append(same)
    return lines, colours
