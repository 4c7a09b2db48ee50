"""One look for every figure.  Figures are objects of their own: matplotlib's global state is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace._files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PALE, FAINT, GRID = "#222222", "#8a8a8a", "#c6c6c6", "#e8e8e8"
FIRST, SECOND = "#0072B2", "#D55E00"
MINUS = "\N{MINUS SIGN}"


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    module: Any = require("matplotlib.figure", extra="plot", why="drawing a figure")
    figure = module.Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.07, w_pad=0.07)
    return figure


def tidy(axes: Axes, *, grid: str = "y") -> None:
    """A light grid behind, no box around, quiet ticks.  ``grid``: "x", "y", "both" or ""."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=PALE, linewidth=0.6)
    axes.tick_params(length=2.5, width=0.6, color=PALE, labelcolor=INK, labelsize=8)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=GRID, linewidth=0.6)  # pyright: ignore[reportArgumentType]  # the stub wants literals


def heading(figure: Figure, title: str) -> None:
    """A title at the left edge."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold", color=INK)


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, set with a true minus; no sign where it rounds to 0."""
    text = f"{value:+.{digits}f}".replace("-", MINUS)
    return text if any(digit in text for digit in "123456789") else text[1:]


def write_png(figure: Figure, path: Path, *, dpi: int = 150) -> None:
    """Write a figure as PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=dpi, format="png")
