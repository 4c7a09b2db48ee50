"""What to start from for one target, with how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace.pictures._style import FAINT, FAMILIES, INK, MARKERS, PALE, empty, plain, shown, signed, tidy
from taskspace.ranking import DO_NOT_TRANSFER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from taskspace.ranking import Hit, Ranking

_GAINS, _LOSES = FAMILIES[0], "#9aa7b8"


def draw_ranking(axes: Axes, ranking: Ranking, *, limit: int = 30) -> Axes:
    """The best ``limit`` candidates, best first: predicted gains with their intervals, or bare scores.

    With gains the vertical line at 0 is not transferring; what is expected to lose stands below a thin line.
    """
    hits = [hit for hit in ranking.hits if hit.kind != "none"][:limit]
    if ranking.calibrated:
        _draw_gains(axes, hits)
    else:
        _draw_scores(axes, hits)
    _write_beside(axes, hits)
    axes.set_yticks(range(len(hits)), [shown(hit.name) for hit in hits])
    axes.set_ylim(max(len(hits), 1) - 0.5, -0.5)
    tidy(axes, sides=("bottom",), grid="x")
    axes.tick_params(axis="y", length=0, pad=5, labelsize=8.5)
    axes.set_xlabel(_words(ranking.measure), fontsize=8, color=PALE)
    plain(*axes.get_yticklabels(), axes.xaxis.label)
    if not hits:
        empty(axes, "nothing to rank")
    return axes


def _draw_gains(axes: Axes, hits: Sequence[Hit]) -> None:
    for place, hit in enumerate(hits):
        if hit.gain is None:
            continue
        colour = _GAINS if hit.gain.mean > 0 else _LOSES
        axes.plot([hit.gain.low, hit.gain.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        _dot(axes, hit, hit.gain.mean, place, colour)
    axes.axvline(0, color=INK, linewidth=1.0, zorder=2)
    axes.annotate(
        DO_NOT_TRANSFER, (0, 1), xytext=(0, 4), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="center", va="bottom", fontsize=8, color=INK,
    )  # fmt: skip
    above = sum(hit.score > 0 for hit in hits)
    if 0 < above < len(hits):
        axes.axhline(above - 0.5, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))


def _draw_scores(axes: Axes, hits: Sequence[Hit]) -> None:
    for place, hit in enumerate(hits):
        axes.plot([0, hit.score], [place, place], color=FAINT, linewidth=1.4, solid_capstyle="round")
        _dot(axes, hit, hit.score, place, _GAINS)
    lowest = min((hit.score for hit in hits), default=0.0)
    axes.set_xlim(min(lowest, 0.0) * 1.05, max(max((hit.score for hit in hits), default=1.0) * 1.05, 0.01))


def _write_beside(axes: Axes, hits: Sequence[Hit]) -> None:
    """The numbers again, as columns at the right; the kinds as well where there are several."""
    kinds = len({hit.kind for hit in hits}) > 1
    for place, hit in enumerate(hits):
        told = f"{hit.score:.3f}" if hit.gain is None else f"{signed(hit.gain.mean)}   helps {hit.gain.helps:4.0%}"
        axes.text(
            1.02, place, f"{told}   {hit.kind}" if kinds else told, transform=axes.get_yaxis_transform(), fontsize=7.5,
            color=INK, va="center", ha="left",
        )  # fmt: skip


def _dot(axes: Axes, hit: Hit, value: float, place: int, colour: str) -> None:
    shape: dict[str, Any] = {"marker": MARKERS.get(hit.kind, "o"), "color": colour}
    axes.plot(value, place, markersize=6.5, markeredgecolor="white", markeredgewidth=0.8, zorder=4, **shape)


def _words(measure: str) -> str:
    """The measure over two lines where it is long."""
    head, comma, rest = measure.partition(", ")
    return f"{head},\n{rest}" if comma and len(measure) > 60 else measure
