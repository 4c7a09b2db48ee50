"""One look for every picture.  Figures are objects of their own: matplotlib's global state is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.errors import AtlasError, SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

INK, PALE, FAINT, GRID = "#222222", "#767676", "#c6c6c6", "#ebebeb"
NONE = "#a9a9a9"
"""Of what belongs to no family."""
FAMILIES = ("#2f70e9", "#f9aa38", "#60077d", "#82e5b6", "#f3555b", "#2f5607", "#c191d9", "#9e406b")
"""Eight colours that stay apart for every kind of colour blindness, and as eight evenly spaced greys."""
MARKERS = {"dataset": "o", "model": "s", "prompt": "^", "adapter": "D"}
AREAS = {"dataset": 1.0, "model": 0.85, "prompt": 1.05, "adapter": 0.72}
"""What makes the markers look equally large."""
MINUS = "\N{MINUS SIGN}"
ENDINGS = (".png", ".svg", ".pdf")


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    module: Any = require("matplotlib.figure", extra="plot", why="drawing a picture")
    figure = module.Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08)
    return figure


def write_figure(figure: Figure, path: Path, *, dpi: int = 200) -> Path:
    """Write a figure as the ending says (.png, .svg or .pdf), whole or not at all."""
    if path.suffix.casefold() not in ENDINGS:
        raise SettingError(f"{path} is no picture by its ending; end it in {', '.join(ENDINGS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            figure.savefig(partial, dpi=dpi, format=path.suffix[1:].casefold())
    except OSError as error:
        raise AtlasError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
    return path


def heading(axes: Axes, title: str, *, room: bool = False) -> None:
    """A title over the axes' left edge, with ``room`` for a line of words under it."""
    if title:
        plain(axes.set_title(
            shown(title, 80), loc="left", fontsize=11, fontweight="bold", color=INK, pad=20 if room else 8
        ))  # fmt: skip


def tidy(axes: Axes, *, sides: Sequence[str] = ("bottom",), grid: str = "") -> None:
    """No box around, quiet ticks, and a light grid behind along ``grid``: "x", "y" or ""."""
    for side, spine in axes.spines.items():
        spine.set(visible=side in sides, color=PALE, linewidth=0.6)
    axes.tick_params(length=2.5, width=0.6, color=PALE, labelcolor=INK, labelsize=8)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=GRID, linewidth=0.6)  # pyright: ignore[reportArgumentType]  # the stub wants literals


def empty(axes: Axes, words: str) -> None:
    """Says on the axes that there is nothing on them, and why."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=10, color=PALE)


def plain(*texts: Text) -> None:
    """Names are no formulas, whatever signs are in them."""
    for text in texts:
        text.set_parse_math(False)


def shown(name: str, most: int = 26) -> str:
    """A name as it is drawn: its end where it is long, on one line, with a box for signs that the font lacks."""
    name = " ".join(name.split())
    if len(name) > most and "/" in name:
        name = name.rpartition("/")[2] or name
    if len(name) > most:
        name = f"{name[: most - 5].rstrip()}…{name[-4:]}"
    return "".join(sign if ord(sign) in _signs() else "\N{WHITE SQUARE}" for sign in name)


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, set with a true minus; no sign where it rounds to 0."""
    text = f"{value:+.{digits}f}".replace("-", MINUS)
    return text if any(digit in text for digit in "123456789") else text[1:]


def _signs() -> dict[int, int]:
    """The signs of the font that comes with matplotlib, in which pictures are set; matplotlib keeps it open."""
    manager: Any = require("matplotlib.font_manager", extra="plot", why="drawing a picture")
    return cast("dict[int, int]", manager.get_font(manager.findfont("DejaVu Sans")).get_charmap())
