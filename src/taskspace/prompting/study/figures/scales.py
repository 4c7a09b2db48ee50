"""Sums along λ: a triangle of panels, one per pair of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.prompting.study.figures._style import FIRST, INK, PALE, SECOND, blank, heading, tidy
from taskspace.prompting.study.pairs import scale_curves, single_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskspace.prompting.study.pairs import ScaleCurve
    from taskspace.prompting.study.runs import Run


def scale_triangle(runs: Iterable[Run], *, method: str = "tpv", split: str = "validation") -> Figure:
    """Every pair of tasks: what P0 + λ (sum of both vectors) scores on the task of the row and that of the column."""
    runs = tuple(runs)
    curves = [each for each in scale_curves(runs) if each.method == method and each.split == split]
    tasks = [task for task in dict.fromkeys(run.task for run in runs) if any(task in each.tasks for each in curves)]
    across, single = max(len(tasks) - 1, 1), single_scores(runs, split)
    roomy = across > 4  # the empty half of the triangle then holds the legend
    figure = blank(1.4 * across + (1.3 if roomy else 5.0), 1.2 * across + 1.3)
    panels = figure.subplots(across, across, squeeze=False, sharex=True, sharey=True)
    for axes in panels.ravel():
        axes.set_visible(False)
    for row, below in enumerate(tasks[1:]):
        for column, beside in enumerate(tasks[: row + 1]):
            panels[row, column].set_visible(True)
            own = [each for each in curves if set(each.tasks) == {below, beside}]
            draw_scales(panels[row, column], own, (below, beside), single)
    _label(panels, tasks)
    _legend(figure, split, bool(single), inside=roomy)
    heading(figure, "Sums of two vectors along λ")
    return figure


def draw_scales(
    axes: Axes, curves: Sequence[ScaleCurve], tasks: tuple[str, str], single: Mapping[tuple[str, int], float]
) -> None:
    """One pair, its first task blue and its second red: inits thin, their mean thick, a dashed line each alone."""
    for task, colour in zip(tasks, (FIRST, SECOND), strict=True):
        for each in curves:
            axes.plot(list(each.scores), _scores(each, task), color=colour, linewidth=0.5, alpha=0.35)
        common = sorted(set.intersection(*(set(each.scores) for each in curves))) if curves else []
        lines = [[each.scores[scale][each.tasks.index(task)] for scale in common] for each in curves]
        if common:
            axes.plot(common, np.mean(lines, axis=0), color=colour, linewidth=1.7)
        alone = [single[task, each.init] for each in curves if (task, each.init) in single]
        if alone:
            axes.axhline(float(np.mean(alone)), color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
    for each in curves:
        axes.axvline(each.best, ymax=0.07, color=INK, linewidth=1.2)
    tidy(axes, grid="both")
    axes.tick_params(labelsize=7)
    axes.locator_params(axis="x", nbins=3)


def _scores(curve: ScaleCurve, task: str) -> list[float]:
    side = curve.tasks.index(task)
    return [pair[side] for pair in curve.scores.values()]


def _label(panels: Any, tasks: Sequence[str]) -> None:
    """Tasks along the left and the bottom, in the colour their lines have."""
    for row, task in enumerate(tasks[1:]):
        panels[row, 0].set_ylabel(task, fontsize=9, color=FIRST, fontweight="bold")
    for column, task in enumerate(tasks[:-1]):
        panels[-1, column].set_xlabel(f"λ\n{task}", fontsize=9, color=SECOND, fontweight="bold")


def _legend(figure: Figure, split: str, alone: bool, *, inside: bool) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = [
        Line2D([], [], color=FIRST, linewidth=1.7, label=f"{split} score on the task of the row"),
        Line2D([], [], color=SECOND, linewidth=1.7, label=f"{split} score on the task of the column"),
        Line2D([], [], color=PALE, linewidth=0.5, label="single inits"),
        Line2D([], [], color=INK, linewidth=0, marker="|", markersize=7, label="λ chosen"),
    ]
    if alone:
        handles.append(Line2D([], [], color=PALE, linewidth=0.9, linestyle=(0, (4, 3)), label="the task's own prompt"))
    figure.legend(
        handles=handles,
        loc="upper right" if inside else "outside right upper",
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
