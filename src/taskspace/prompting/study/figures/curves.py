"""Scores from 0 to k examples: a panel per target task, a line per start."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.prompting.study.figures._style import FAINT, INK, PALE, blank, heading, tidy
from taskspace.prompting.study.looks import look, ordered
from taskspace.prompting.study.shots import best_single, cells
from taskspace.prompting.study.statistics import mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.shots import Cell


def shot_curves(runs: Iterable[Run]) -> Figure:
    """All targets on equal terms: one order and colour of methods, the scale of shots the same in every panel."""
    runs = tuple(runs)
    lines, rest = curves(runs)
    tasks = list(dict.fromkeys(task for task, _ in lines))
    methods = ordered(method for _, method in lines)
    across = min(3, ceil(len(tasks) ** 0.5)) or 1
    down = ceil(len(tasks) / across) or 1
    figure = blank(4.3 * across + 2.2, 3.1 * down + 0.9)
    panels = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
    metric = {run.task: run.metric for run in reversed(runs)}
    for axes, task in zip(panels, tasks, strict=False):
        draw_curves(axes, {m: lines[task, m] for m in methods if (task, m) in lines}, methods, rest.get(task, []))
        axes.set_title(task, loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_ylabel(metric[task].replace("_", " "), fontsize=8, color=INK)
    for axes in panels[len(tasks) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(tasks) - across) : len(tasks)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("examples of the target task", fontsize=8, color=INK)
    _legend(figure, methods, bool(rest))
    heading(figure, "What a target task makes of k examples, by where its prompt starts")
    return figure


def curves(runs: Iterable[Run]) -> tuple[dict[tuple[str, str], list[Cell]], dict[str, list[list[Cell]]]]:
    """Per target and method its cells over shots (of single sources: the best one), and per target each single source.

    Which single source is best may change with the shots: the line is what a user gets who picks anew.
    """
    runs = tuple(runs)
    tested = cells(runs)
    best = best_single(tested, cells(runs, "validation"))
    lines: dict[tuple[str, str], list[Cell]] = {}
    rest: dict[str, dict[str, list[Cell]]] = {}
    for each in tested:
        if each.method == "single":
            rest.setdefault(each.task, {}).setdefault(each.source or "", []).append(each)
            if each is not best[each.task, each.shots].cell:
                continue
        lines.setdefault((each.task, each.method), []).append(each)
    return lines, {task: list(sources.values()) for task, sources in rest.items() if len(sources) > 1}


def draw_curves(
    axes: Axes, lines: Mapping[str, Sequence[Cell]], methods: Sequence[str], rest: Sequence[Sequence[Cell]] = ()
) -> None:
    """One target: means with 95 % intervals; lines stand a little apart so that no interval hides another."""
    shots = sorted({cell.shots for line in lines.values() for cell in line})
    step = min((s for s in shots if s > 0), default=1)
    axes.set_xscale("symlog", linthresh=step, linscale=0.8)
    for line in rest:
        axes.plot([c.shots for c in line], [c.mean for c in line], color=FAINT, linewidth=1.0, zorder=1)
    for method, line in lines.items():
        _draw_line(axes, method, line, methods, step)
    axes.set_xticks(shots, [str(s) for s in shots])
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.25 * step, max(shots) * 1.25 if max(shots) else step)
    tidy(axes, grid="both")


def _draw_line(axes: Axes, method: str, line: Sequence[Cell], methods: Sequence[str], step: int) -> None:
    style = look(method, methods)
    shift = (methods.index(method) - (len(methods) - 1) / 2) * 0.02
    x = [cell.shots * (1 + shift) + (0 if cell.shots else shift * step * 1.1) for cell in line]
    found = [mean_interval(cell.values) for cell in line]
    means = np.array([mean for mean, _, _ in found])
    low, high = (
        np.array([mean if each[i] is None else each[i] for mean, each in zip(means, found, strict=True)])
        for i in (1, 2)
    )
    first = method == "tpv"
    axes.errorbar(
        x, means, yerr=np.array([means - low, high - means], dtype=np.float64), color=style.colour, marker=style.marker,
        markersize=5.5 if first else 4, linewidth=2.0 if first else 1.1, elinewidth=0.8,
        ecolor=(style.colour, 0.5), markeredgecolor="white", markeredgewidth=0.5, zorder=4 if first else 3,
    )  # fmt: skip


def _legend(figure: Figure, methods: Sequence[str], rest: bool) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = [
        Line2D([], [], color=style.colour, marker=style.marker, linewidth=2.0 if name == "tpv" else 1.1,
               markersize=5, markeredgecolor="white", markeredgewidth=0.5, label=style.label)
        for name, style in ((name, look(name, methods)) for name in methods)
    ]  # fmt: skip
    if rest:
        handles.append(Line2D([], [], color=FAINT, linewidth=1.0, label="other single sources"))
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=8.5, labelcolor=INK,
        title="start\n(mean, 95 % interval)", title_fontsize=8, alignment="left",
    ).get_title().set_color(PALE)  # fmt: skip
