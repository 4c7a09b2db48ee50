"""Cosines of all prompts, or of all vectors, as two maps side by side: pooled and flattened."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.alike import COSINES, cosines, likeness
from taskspace.prompting.study.figures._style import INK, MINUS, PALE, blank, heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from taskspace.prompting.study.alike import Cosines, Of
    from taskspace.prompting.study.prompts import TunedPrompt


def cosine_maps(prompts: Sequence[TunedPrompt], of: Of = "vectors") -> Figure:
    """Both measures of the prompts or vectors, on one scale from -1 to 1; prompts in the order given, by task."""
    side = float(np.clip(0.16 * len(prompts) + 1.0, 3.6, 9.0))
    figure = blank(2 * side + 3.0, side + 1.35)
    panels = figure.subplots(1, 2)
    images = [draw_cosines(axes, cosines(prompts, of, name)) for axes, name in zip(panels, COSINES, strict=True)]
    bar = figure.colorbar(images[0], ax=list(panels), shrink=0.7, pad=0.015, aspect=28, label="cosine")
    bar.outline.set_visible(False)
    name = {"vectors": "Task prompt vectors (tuned minus init)", "prompts": "Tuned prompts"}[of]
    heading(figure, f"{name}: who is like whom")
    return figure


def draw_cosines(axes: Axes, found: Cosines) -> AxesImage:
    """One map: red is alike, blue opposed; boxes hold the prompts of one task, small numbers are inits."""
    image = axes.imshow(found.values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    groups = [(task, len(list(own))) for task, own in groupby(found.tasks)]
    ends = np.cumsum([0, *(size for _, size in groups)])
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        axes.axhline(end - 0.5, color="white", linewidth=1.2)
        axes.axvline(end - 0.5, color="white", linewidth=1.2)
        box = [start - 0.5, end - 0.5, end - 0.5, start - 0.5, start - 0.5]
        axes.plot(box, [box[0], box[0], box[1], box[1], box[0]], color=INK, linewidth=0.8)
    middles, names = (ends[:-1] + ends[1:] - 1) / 2, [task for task, _ in groups]
    axes.set_xticks(middles, names, rotation=40, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(middles, names, fontsize=9)
    axes.tick_params(axis="x", length=0, pad=3)
    axes.tick_params(axis="y", length=0, pad=9)
    if len(found.inits) <= 48:
        for place, init in enumerate(found.inits):
            axes.text(
                -0.006, place, str(init), transform=axes.get_yaxis_transform(), ha="right", va="center",
                fontsize=5.5, color=PALE,
            )  # fmt: skip
    axes.spines[:].set_visible(False)
    axes.set_title(_title(found), loc="left", fontsize=9.5, color=INK)
    return image


def _title(found: Cosines) -> str:
    said = likeness(found, draws=0)
    if not said.tasks:
        return found.measure
    within, between = np.mean(said.within), np.mean(said.between)
    words = f"{found.measure}: {within:.2f} within tasks, {between:.2f} between (across inits)"
    return words.replace("-", MINUS)
