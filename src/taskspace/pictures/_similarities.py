"""Who is like whom: every cosine as a cell, the alike beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.pictures._style import FAINT, INK, MINUS, PALE, empty, plain, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from taskspace.atlas.map import Similarities

NAMED = 100
"""Rows up to which they carry their names."""
_WRITTEN = 12
"""Rows up to which the cosine stands in its cell."""
_OPPOSED = -0.05
"""From a cosine this low on the colours show on which side of 0 it is."""
_PAPER = ("#ffffff", "#dce9f5", "#a9cbe6", "#6aa3d0", "#3a78b3", "#1f4f87", "#0f2a4f")
"""White to dark blue, every step darker, so that it reads the same in grey."""
_BELOW = ("#a14a00", "#e08a2e", "#f6cf9b")
"""Of cosines below 0, down to -1 first."""


def draw_similarities(axes: Axes, found: Similarities, *, names: bool = True, bar: bool = True) -> Axes:
    """One cell per pair, darker where it is more alike; ``names`` along two sides where there is room, and a ``bar``.

    Where cosines are negative, orange is opposed.
    """
    colors: Any = require("matplotlib.colors", extra="plot", why="drawing a picture")
    opposed = bool((found.values < _OPPOSED).any())
    steps = [*zip(np.linspace(0, 0.5, 4), (*_BELOW, _PAPER[0]), strict=True)] if opposed else []
    steps += [*zip(np.linspace(0.5 if opposed else 0, 1, len(_PAPER)), _PAPER, strict=True)][bool(opposed) :]
    paper = colors.LinearSegmentedColormap.from_list("paper", steps)
    values = found.values if len(found) else np.zeros((1, 1))
    image = axes.imshow(values, cmap=paper, vmin=-1 if opposed else 0, vmax=1, interpolation="nearest")
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    if names and 0 < len(found) <= NAMED:
        _write_names(axes, found)
    if 0 < len(found) <= _WRITTEN:
        _write_values(axes, found)
    if not len(found):
        empty(axes, "nothing to compare yet")
    if bar and (figure := axes.get_figure(root=True)) is not None:
        scale = figure.colorbar(image, ax=axes, shrink=0.55, pad=0.02, aspect=26)
        scale.outline.set_visible(False)  # pyright: ignore[reportCallIssue]  # the stub takes a spine for a method
        scale.set_label("cosine", fontsize=8, color=PALE)
        scale.ax.tick_params(labelsize=7.5, length=2, color=PALE, labelcolor=INK)
    return axes


def _write_names(axes: Axes, found: Similarities) -> None:
    size = float(np.clip(260 / len(found), 3.5, 8))
    labels = [shown(name) for name in found.names]
    axes.set_yticks(range(len(found)), labels, fontsize=size, color=INK)
    axes.set_xticks(range(len(found)), labels, fontsize=size, color=INK, rotation=90)
    axes.tick_params(length=0, pad=2)
    plain(*axes.get_xticklabels(), *axes.get_yticklabels())


def _write_values(axes: Axes, found: Similarities) -> None:
    for row, line in enumerate(found.values):
        for column, value in enumerate(line):
            axes.text(
                column, row, f"{value:.2f}".replace("-", MINUS), ha="center", va="center", fontsize=7,
                color="white" if abs(value) > 0.55 else INK,
            )  # fmt: skip
