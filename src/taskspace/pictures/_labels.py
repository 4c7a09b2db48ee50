"""Names beside points, none over another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.pictures._places import places
from taskspace.pictures._style import INK, PALE, plain, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Label:
    """A name for the point at ``place`` in data coordinates."""

    place: tuple[float, float]
    text: str
    colour: str = INK
    bold: bool = False


def write_labels(
    axes: Axes,
    labels: Sequence[Label],
    points: NDArray[np.float64],
    *,
    size: float = 7.5,
    gap: float = 5.0,
    floor: float = 0.0,
) -> int:
    """Write each name at a free spot near its point, ``gap`` points away where it can; how many found none.

    Free means over no other name, and within the axes above a ``floor`` of so many points; ``points`` float64[n, 2] are
    kept free where that is possible.
    The figure's layout is settled first, so that a spot that is free now is free in the file.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not labels:
        return 0
    figure.draw_without_rendering()
    pixel = figure.dpi / 72
    border = axes.get_window_extent()
    anchors = _pixels(axes, [label.place for label in labels])
    boxes, leads, free = places(
        anchors, np.array([_extent(figure, label, size) for label in labels]), _pixels(axes, points),
        np.array([border.x0, border.y0 + floor * pixel, border.x1, border.y1]), gap=gap * pixel, size=2.6 * pixel,
    )  # fmt: skip
    for i in np.flatnonzero(free).tolist():
        _write(axes, labels[i], (boxes[i] - np.tile(anchors[i], 2)) / pixel, size, leads=bool(leads[i]))
    return int((~free).sum())


def _pixels(axes: Axes, points: Any) -> NDArray[np.float64]:
    return np.asarray(axes.transData.transform(np.asarray(points, dtype=np.float64).reshape(-1, 2)))


def _extent(figure: Figure, label: Label, size: float) -> tuple[float, float]:
    """Width and height of a name in pixels, by its outlines, so that no renderer is needed."""
    textpath: Any = require("matplotlib.textpath", extra="plot", why="drawing a picture")
    properties: Any = require("matplotlib.font_manager", extra="plot", why="drawing a picture").FontProperties
    font = properties(size=size, weight="bold" if label.bold else "normal")
    width, _, _ = textpath.text_to_path.get_text_width_height_descent(shown(label.text), font, False)
    return width * figure.dpi / 72, 1.2 * size * figure.dpi / 72


def _write(axes: Axes, label: Label, box: NDArray[np.float64], size: float, *, leads: bool) -> None:
    """``box`` is x0, y0, x1, y1 in points, seen from the label's place."""
    effects: Any = require("matplotlib.patheffects", extra="plot", why="drawing a picture")
    halo = [effects.withStroke(linewidth=2.0, foreground="white")]
    if leads:
        nearest = np.clip(0.0, box[:2], box[2:])
        line = axes.annotate(
            "", label.place, xytext=tuple(nearest), textcoords="offset points", zorder=2.5,
            arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2.0},
        )  # fmt: skip
        line.set_in_layout(False)
    text = axes.annotate(
        shown(label.text), label.place, xytext=(box[0], (box[1] + box[3]) / 2), textcoords="offset points", ha="left",
        va="center_baseline", fontsize=size, color=label.colour, fontweight="bold" if label.bold else "normal",
        zorder=6, path_effects=halo,
    )  # fmt: skip
    text.set_in_layout(False)
    plain(text)
