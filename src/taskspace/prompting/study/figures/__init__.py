"""Pictures of a study, each a matplotlib ``Figure`` or drawn on ``Axes`` that are given."""

from __future__ import annotations

from taskspace.prompting.study.figures._style import write_png
from taskspace.prompting.study.figures.curves import draw_curves, shot_curves
from taskspace.prompting.study.figures.dots import draw_dots, mixed_dots
from taskspace.prompting.study.figures.heat import cosine_maps, draw_cosines
from taskspace.prompting.study.figures.scales import draw_scales, scale_triangle

__all__ = [
    "cosine_maps",
    "draw_cosines",
    "draw_curves",
    "draw_dots",
    "draw_scales",
    "mixed_dots",
    "scale_triangle",
    "shot_curves",
    "write_png",
]
