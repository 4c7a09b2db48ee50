"""Pictures of an atlas.

``draw_…`` draws on matplotlib ``Axes`` that are given and gives them back; ``…_figure`` makes a whole figure.
Nothing of matplotlib's global state is changed, so that several threads may draw at once.
"""

from __future__ import annotations

from taskspace.pictures._dendrogram import draw_dendrogram
from taskspace.pictures._figures import dendrogram_figure, map_figure, ranking_figure, similarities_figure
from taskspace.pictures._map import draw_map
from taskspace.pictures._ranking import draw_ranking
from taskspace.pictures._similarities import draw_similarities
from taskspace.pictures._style import ENDINGS, FAMILIES, MARKERS, blank, heading, write_figure

__all__ = [
    "ENDINGS",
    "FAMILIES",
    "MARKERS",
    "blank",
    "dendrogram_figure",
    "draw_dendrogram",
    "draw_map",
    "draw_ranking",
    "draw_similarities",
    "heading",
    "map_figure",
    "ranking_figure",
    "similarities_figure",
    "write_figure",
]
