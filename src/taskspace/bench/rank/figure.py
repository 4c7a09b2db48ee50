"""Every method's mean NDCG with its interval, between chance and what a second measurement would get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.bench.rank.board import CONTROLS
from taskspace.bench.rank.scoring import ANSWER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from taskspace.bench.rank.board import Leaderboard
    from taskspace.bench.rank.scoring import Entry

_INK, _PALE, _GRID = "#222222", "#8a8a8a", "#e8e8e8"
_ANSWER, _SIGNAL, _CONTROL = "#D55E00", "#0072B2", "#8a8a8a"


def draw_board(board: Leaderboard) -> Figure:
    """A row per method, best first; raises :class:`MissingExtra` without matplotlib."""
    module: Any = require("matplotlib.figure", extra="plot", why="drawing the leaderboard")
    figure = module.Figure(figsize=(7.6, 1.5 + 0.19 * len(board.entries)), layout="constrained", facecolor="white")
    axes = figure.subplots()
    draw_orders(axes, board)
    figure.suptitle(board.title, x=0.012, ha="left", fontsize=11, fontweight="bold", color=_INK)
    return figure


def draw_orders(axes: Axes, board: Leaderboard) -> None:
    """The same on axes that are given."""
    ordered = sorted(board.entries, key=lambda entry: -entry.mean().mean)
    for place, entry in enumerate(ordered):
        said, colour = entry.mean(), _colour(entry)
        axes.plot([said.low, said.high], [place, place], color=colour, linewidth=1.1, alpha=0.75)
        axes.plot(said.mean, place, marker="o", markersize=4.5 if entry.kind == ANSWER else 3.5, color=colour)
    _draw_bounds(axes, board)
    axes.set_yticks(range(len(ordered)), [entry.name for entry in ordered])
    for label, entry in zip(axes.get_yticklabels(), ordered, strict=True):
        label.set(color=_colour(entry) if entry.kind == ANSWER else _INK, fontsize=7)
        label.set_fontweight("bold" if entry.kind == ANSWER else "normal")
    axes.set_ylim(len(ordered) - 0.4, -1.6)
    axes.set_xlabel("mean NDCG over targets, 95 % interval", fontsize=8, color=_INK)
    axes.tick_params(axis="x", length=2.5, width=0.6, color=_PALE, labelcolor=_INK, labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="both", color=_GRID, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_bounds(axes: Axes, board: Leaderboard) -> None:
    bounds = [("chance", board.chance, "--")] + ([("seed ceiling", board.ceiling, ":")] if board.ceiling else [])
    for name, entry, style in bounds:
        value = entry.mean().mean
        axes.axvline(value, color=_PALE, linewidth=1, linestyle=style, zorder=1)
        axes.text(value, -0.9, f" {name} {value:.2f}", fontsize=7, color=_PALE, ha="left", va="center")


def _colour(entry: Entry) -> str:
    return _ANSWER if entry.kind == ANSWER else _CONTROL if entry.name in CONTROLS else _SIGNAL
