"""The study as a picture: NDCG of every learner in every pairing, with its interval, beside the prior and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskspace.prompting.study.rows import Row

COLOURS = {"MTE-DTE": "#D55E00", "DTE-DTE": "#0072B2", "original": "#8a8a8a"}
_BASES = {"prior": ":", "chance": "--"}


def ndcg_dots(tables: Mapping[str, Sequence[Row]]) -> Figure:
    """A panel per table, titles as given; a row per learner, a dot per pairing."""
    module: Any = require("matplotlib.figure", extra="plot", why="drawing a figure")
    shown = {title: rows for title, rows in tables.items() if rows}
    learners = list(dict.fromkeys(str(r["learner"]) for rows in shown.values() for r in rows if r["pairing"]))
    figure = module.Figure(figsize=(3.4 * len(shown) + 1.6, 0.5 * len(learners) + 1.6), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (title, rows) in zip(panels, shown.items(), strict=True):
        _draw(axes, rows, learners)
        axes.set_title(title, loc="left", fontsize=9)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8
    )
    return figure


def _draw(axes: Axes, rows: Sequence[Row], learners: Sequence[str]) -> None:
    for place, (pairing, colour) in enumerate(COLOURS.items()):
        mine = [row for row in rows if row["pairing"] == pairing]
        values = [[float(row[f"ndcg{end}"] or 0) for row in mine] for end in ("", "_low", "_high")]
        y = [learners.index(str(row["learner"])) + 0.22 * (place - 1) for row in mine]
        gaps = [[v - low for v, low in zip(values[0], values[1], strict=True)]]
        gaps.append([high - v for v, high in zip(values[0], values[2], strict=True)])
        axes.errorbar(values[0], y, xerr=gaps, fmt="o", color=colour, markersize=4.5, elinewidth=1, label=pairing)
    for name, style in _BASES.items():
        for row in [row for row in rows if row["learner"] == name]:
            axes.axvline(float(row["ndcg"] or 0), color="#222222", linewidth=0.9, linestyle=style, label=name)
    axes.set_yticks(range(len(learners)), learners)
    axes.set_ylim(len(learners) - 0.5, -0.5)
    axes.set_xlabel("NDCG, linear gain (95 % over targets)", fontsize=8)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
