"""Original against mixed initialisation, a line per source task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.figures._style import FIRST, INK, PALE, SECOND, blank, heading, signed, tidy
from taskspace.prompting.study.mixed import by_task, compare_by_vector, untrained, vectors
from taskspace.prompting.study.rows import shown_p
from taskspace.prompting.study.statistics import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskspace.prompting.study.mixed import Vector
    from taskspace.prompting.study.runs import Run


def mixed_dots(runs: Iterable[Run]) -> Figure:
    """Every score as a dot, the means as bars, and at the right the change with its adjusted p."""
    runs = tuple(runs)
    groups = by_task(vectors(runs))
    figure = blank(9.0, 0.46 * len(groups) + 1.7)
    axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    draw_dots(axes, groups, untrained(runs))
    _draw_changes(beside, groups)
    axes.set_xlabel("score on the test split", fontsize=8, color=INK)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False, fontsize=8.5,
        labelcolor=INK, handletextpad=0.3,
    )  # fmt: skip
    heading(figure, "A task's vector at home and on other inits")
    return figure


def draw_dots(axes: Axes, groups: Mapping[str, Sequence[Vector]], starts: Mapping[str, float] | None = None) -> None:
    """Two rows of dots per task: home above, foreign inits below (each cell by itself)."""
    for place, own in enumerate(groups.values()):
        home = [each.original for each in own]
        abroad = [score for each in own for score in each.foreign.values()]
        for scores, shift, colour, label in (
            (home, -0.16, FIRST, "its own init"), (abroad, 0.16, SECOND, "other inits"),
        ):  # fmt: skip
            y = np.full(len(scores), place + shift)
            axes.scatter(scores, y, s=26, color=colour, alpha=0.55, linewidths=0, label=None if place else label)
            axes.plot([np.mean(scores)] * 2, [place + shift - 0.15, place + shift + 0.15], color=colour, linewidth=2)
    for place, task in enumerate(groups):
        if starts and task in starts:
            first = not any(each in starts for each in list(groups)[:place])
            axes.scatter(
                starts[task], place, marker="|", s=180, color=PALE, linewidths=1.2,
                label="untrained inits (mean)" if first else None,
            )  # fmt: skip
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.9)
    tidy(axes, grid="x")
    axes.tick_params(axis="y", labelsize=9, length=0)


def _draw_changes(axes: Axes, groups: Mapping[str, Sequence[Vector]]) -> None:
    """The change of the mean, Holm's p over tasks, and n, as columns of text."""
    tests = [compare_by_vector(own) for own in groups.values()]
    table = [("change", "p (Holm)", "vectors")]
    for test, p in zip(tests, holm([test.p for test in tests]), strict=True):
        table.append((signed(test.difference or 0.0), test.note or shown_p(p), str(test.n[0])))
    axes.set_axis_off()
    for place, words in enumerate(table, -1):
        height = -0.75 if place < 0 else place
        for x, word in zip((0.22, 0.66, 1.0), words, strict=True):
            axes.text(
                x, height, word, transform=axes.get_yaxis_transform(), ha="right", va="center",
                fontsize=8 if place < 0 else 8.5, color=PALE if place < 0 else INK,
            )  # fmt: skip
