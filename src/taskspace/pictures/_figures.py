"""Whole figures, sized by what is on them, for a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.pictures._dendrogram import NAMED, draw_dendrogram
from taskspace.pictures._map import draw_map
from taskspace.pictures._ranking import draw_ranking
from taskspace.pictures._similarities import draw_similarities
from taskspace.pictures._style import blank, heading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from taskspace.atlas import Transfer
    from taskspace.atlas.map import Map, Similarities
    from taskspace.ranking import Ranking


def map_figure(chart: Map, *, title: str = "", transfers: Sequence[Transfer] = ()) -> Figure:
    """The map; see :func:`draw_map`."""
    figure = blank(8.0, 5.6)
    axes = figure.subplots()
    heading(axes, title)
    draw_map(axes, chart, transfers=transfers)
    return figure


def similarities_figure(found: Similarities, *, title: str = "", families: Mapping[str, int] | None = None) -> Figure:
    """The heat map with its dendrogram at the left; see :func:`draw_similarities` and :func:`draw_dendrogram`."""
    side = float(np.clip(0.17 * len(found) + 2.2, 3.6, 10.0))
    figure = blank(side + 3.2, side + 1.2)
    tree, cells = figure.subplots(1, 2, width_ratios=(1, 4.6), gridspec_kw={"wspace": 0.0})
    draw_similarities(cells, found)
    cells.set_aspect("auto")  # as high as the tree, so that rows meet their leaves; the figure's shape makes it square
    cells.yaxis.tick_right()
    cells.tick_params(length=0)
    draw_dendrogram(tree, found, families=families, names=False)
    tree.grid(visible=False)
    tree.set_xlabel("")
    heading(tree, title)
    return figure


def dendrogram_figure(found: Similarities, *, title: str = "", families: Mapping[str, int] | None = None) -> Figure:
    """The dendrogram; see :func:`draw_dendrogram`."""
    step = 0.21 if len(found) <= NAMED else 0.05
    figure = blank(7.0, float(np.clip(step * len(found) + 1.4, 2.4, 22.0)))
    axes = figure.subplots()
    heading(axes, title)
    draw_dendrogram(axes, found, families=families)
    return figure


def ranking_figure(ranking: Ranking, *, title: str = "", limit: int = 20) -> Figure:
    """The ranking; see :func:`draw_ranking`."""
    rows = min(limit, sum(hit.kind != "none" for hit in ranking))
    figure = blank(7.2, 0.25 * max(rows, 2) + 1.5)
    axes = figure.subplots()
    heading(axes, title, room=ranking.calibrated)
    draw_ranking(axes, ranking, limit=limit)
    return figure
