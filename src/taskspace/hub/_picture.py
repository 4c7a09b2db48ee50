"""The map at the top of a card, where matplotlib is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace._extras import installed

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.atlas import Atlas
    from taskspace.embedding import SpaceId

LEAST = 10
"""Embeddings that say something, fewer of which a table shows as well."""

_DOTS_PER_INCH = 130


def draw(atlas: Atlas, space: SpaceId, place: Path) -> str:
    """Draw the map of a space, with the best start of each measured target; gives back what it is, in words.

    Nothing is drawn, and nothing said, of a small space or without the packages that draw.
    """
    if not can_draw():
        return ""
    from taskspace.atlas.map import map_of
    from taskspace.pictures import map_figure, write_figure

    matrix = atlas.matrix(space)
    if sum(bool(row.informative) for row in matrix.rows) < LEAST:
        return ""
    chart = map_of(matrix)
    write_figure(map_figure(chart, transfers=atlas.transfers()), place, dpi=_DOTS_PER_INCH)
    return f"Map of {len(chart):,} points by {chart.method.upper()}; it {chart.trust}"


def can_draw() -> bool:
    """Whether the packages of the extra ``plot`` are here."""
    return installed("matplotlib") and installed("scipy")
