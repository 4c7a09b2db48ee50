"""Pictures as SVG that lies in the page and takes its colours, so that they are as light or dark as it is."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.pictures import FAMILIES, blank, draw_map, draw_ranking
from taskspace.pictures._map import ALL_NAMED
from taskspace.pictures._style import FAINT, GRID, INK, NONE, PALE, plain, shown
from taskspace.report._words import signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from taskspace.atlas.map import Map
    from taskspace.report._values import Report

_COLOURS = {
    INK: "ink", "#000000": "ink", "black": "ink", PALE: "pale", FAINT: "faint", GRID: "grid", "#dddddd": "grid",
    NONE: "pale", "#9aa7b8": "loss", "#ffffff": "paper", "white": "paper",
    **{colour: f"family{i}" for i, colour in enumerate(FAMILIES)},
}  # fmt: skip
"""What pictures are drawn in, and the variable of the page that stands for it."""


def ranking_svg(report: Report) -> str:
    """The candidates that are told of, with their intervals in the page's unit; the table has the numbers."""
    rows = len(report.candidates)
    calibrated = report.ranking.calibrated
    measure = (
        f"predicted gain over not transferring, in {report.unit}, with 90 % intervals" if calibrated else "likeness"
    )
    figure = blank(6.9, 0.25 * max(rows, 2) + 1.0)
    axes = draw_ranking(figure.subplots(), replace(report.ranking, measure=measure), limit=rows)
    for text in [text for text in axes.texts if text.get_position()[0] > 1]:
        text.remove()
    if calibrated and report.hundredths:
        axes.xaxis.set_major_formatter(lambda value, _: signed(value, hundredths=True).removesuffix(".0"))
    return _svg(figure, "ranking", f"Candidates for {report.target.name}, best first")


def map_svg(report: Report, chart: Map) -> str:
    """The map, the target ringed."""
    figure = blank(6.9, 4.7)
    axes = figure.subplots()
    draw_map(axes, chart)
    if report.focus is not None:
        x, y = chart.points[report.focus].tolist()
        if len(chart) > ALL_NAMED:
            plain(axes.annotate(
                shown(report.target.name), (x, y), xytext=(0, 12), textcoords="offset points", ha="center", fontsize=9,
                fontweight="bold", color=INK, zorder=8,
            ))  # fmt: skip
        axes.scatter([x], [y], s=170, facecolors="none", edgecolors=INK, linewidths=1.8, zorder=3.5)
    return _svg(figure, "map", f"Map of the atlas; {report.target.name} is ringed")


def _svg(figure: Figure, name: str, title: str) -> str:
    """The same bytes each time: no date, and ids that come from ``name``."""
    matplotlib: Any = require("matplotlib", extra="report", why="the figures of a report")
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    drawn = out.getvalue()
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"(#[0-9a-f]{6}|\bblack\b|\bwhite\b)(?=[;\"'])", _variable, body)
    head = re.match(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', body)
    assert head is not None
    return (
        f'<svg class="{name}" role="img" viewBox="{head[1]}" xmlns="http://www.w3.org/2000/svg"'
        f' xmlns:xlink="http://www.w3.org/1999/xlink"><title>{escape(title)}</title>{body[head.end() :]}'
    )


def _variable(found: re.Match[str]) -> str:
    name = _COLOURS.get(found[1])
    return found[1] if name is None else f"var(--{name})"
