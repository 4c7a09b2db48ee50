"""The map as a picture: kinds as shapes, families as colours, and what it keeps of the space in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.atlas.map import percent
from taskspace.pictures._labels import Label, write_labels
from taskspace.pictures._style import AREAS, FAMILIES, INK, MARKERS, NONE, PALE, empty, plain, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from taskspace.atlas import Transfer
    from taskspace.atlas.map import Map

ALL_NAMED = 45
"""Points up to which every one gets its name; of more only the middles of the families do."""
_RASTER = 2_000
"""Points from which they are one image within a vector file."""
_KEPT_CLEAR = 200
"""Points, drawn at random, that the names of families keep off, so that they stand where there are few."""
_WORDS = 34.0
"""Height of the words on the map, in points."""
_ARROWS = 60
_NAMES = {"pca": "PCA", "mds": "MDS", "umap": "UMAP"}


def draw_map(axes: Axes, chart: Map, *, transfers: Sequence[Transfer] = ()) -> Axes:
    """All points of a map, hollow where they say nothing; up to 45 of them with their names.

    ``transfers``, as :meth:`Atlas.transfers` gives them, become an arrow per target from the source that gained most
    on it, at most 60.  What the map keeps of the neighbourhoods stands on it.
    """
    _frame(axes, chart)
    _draw_points(axes, chart)
    if transfers:
        _draw_transfers(axes, chart, transfers)
    _legend(axes, chart, arrows=bool(transfers))
    _name(axes, chart)
    return axes


def caption(chart: Map) -> str:
    """What was drawn and how far to trust it, as two short lines."""
    count = f"{len(chart):,} points" if len(chart) != 1 else "1 point"
    return f"{count} · {_NAMES[chart.method]}" + (f"\n{chart.trust}" if chart.trust else "")


def _frame(axes: Axes, chart: Map) -> None:
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#dddddd", linewidth=0.6)
    if chart.explained is not None and chart.kept is not None:
        first, second = chart.explained
        axes.set_xlabel(f"first component · {percent(first)} of the variance", fontsize=8, color=PALE)
        axes.set_ylabel(f"second component · {percent(second)}", fontsize=8, color=PALE)
    text = axes.annotate(
        caption(chart), (0, 0), xytext=(6, 6), xycoords="axes fraction", textcoords="offset points", fontsize=8,
        color=INK, va="bottom", ha="left", linespacing=1.35, zorder=7,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": (1, 1, 1, 0.85), "edgecolor": "none"},
    )  # fmt: skip
    text.set_in_layout(False)
    if len(chart):
        axes.update_datalim(_view(chart.points.astype(np.float64)))
        axes.margins(0)
    else:
        empty(axes, "nothing to draw yet")


def _view(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two corners around the points, with room below them for the words."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = float((high - low).max()) or 1.0
    wide, tall = np.maximum(high - low, 0.05 * width)
    return np.array([low - (0.08 * wide, 0.17 * tall), high + (0.08 * wide, 0.08 * tall)])


def _draw_points(axes: Axes, chart: Map) -> None:
    """A collection per kind, its points in a shuffled order so that no family lies over another."""
    shuffled = np.random.default_rng(0).permutation(len(chart))
    kinds, colours, size = np.array(chart.kinds), _colours(chart), _size(len(chart))
    few = len(chart) <= _RASTER
    alpha = 0.95 if few else float(np.clip(0.7 * (_RASTER / len(chart)) ** 0.28, 0.2, 0.7))
    for kind, marker in MARKERS.items():
        chosen = shuffled[(kinds[shuffled] == kind) & chart.informative[shuffled]] if len(chart) else shuffled
        axes.scatter(
            chart.points[chosen, 0], chart.points[chosen, 1], s=size * AREAS[kind], marker=marker,
            c=colours[chosen], alpha=alpha, linewidths=0.5 if few else 0,
            edgecolors="white" if few else "none", rasterized=not few, zorder=3,
        )  # fmt: skip
        silent = np.flatnonzero((kinds == kind) & ~chart.informative) if len(chart) else shuffled
        axes.scatter(
            chart.points[silent, 0], chart.points[silent, 1], s=size * AREAS[kind], marker=marker, facecolors="none",
            edgecolors=NONE, linewidths=0.7, rasterized=not few, zorder=3,
        )  # fmt: skip


def _colours(chart: Map) -> NDArray[np.float64]:
    """float64[n, 3]; all in the first colour where there are no families."""
    colors: Any = require("matplotlib.colors", extra="plot", why="drawing a picture")
    rest = NONE if chart.families else FAMILIES[0]
    palette = np.array([colors.to_rgb(colour) for colour in (*FAMILIES, rest)])
    return palette[np.where(chart.family < 0, len(FAMILIES), chart.family % len(FAMILIES))]


def _size(count: int) -> float:
    """The area of a point, so that the ink grows more slowly than the number of points."""
    return float(np.clip(90 / (1 + (count / 40) ** 0.62), 0.8, 46))


def _name(axes: Axes, chart: Map) -> None:
    """Names for few points, the most crowded first; else for the middle of each family."""
    points = chart.points.astype(np.float64)
    if len(chart) <= ALL_NAMED:
        labels = [Label(tuple(points[i]), chart.names[i]) for i in np.argsort(_crowding(points), kind="stable")]
        write_labels(axes, labels, points, floor=_WORDS)
        return
    place = {family.central: i for i, family in enumerate(chart.families)}
    found = {name: i for i, name in enumerate(chart.names) if name in place}
    labels = [
        Label(tuple(points[found[family.central]]), family.central, bold=True)
        for family in chart.families
        if family.central in found
    ]
    write_labels(axes, labels, points[np.random.default_rng(0).choice(len(points), _KEPT_CLEAR)], size=8, floor=_WORDS)


def _crowding(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n]: minus the distance to the nearest other point, so that crowded points choose first."""
    far = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(far, np.inf)
    return far.min(axis=1, initial=np.inf)


def _draw_transfers(axes: Axes, chart: Map, transfers: Sequence[Transfer]) -> None:
    patches: Any = require("matplotlib.patches", extra="plot", why="drawing a picture")
    place = {name: i for i, name in enumerate(chart.names)}
    gains = [found for found in best_starts(transfers) if found[0] in place and found[1] in place][:_ARROWS]
    largest = max((gain for _, _, gain in gains), default=1.0)
    for source, target, gain in gains:
        axes.add_patch(patches.FancyArrowPatch(
            tuple(chart.points[place[source]]), tuple(chart.points[place[target]]), connectionstyle="arc3,rad=0.18",
            arrowstyle="-|>,head_length=4,head_width=2", linewidth=0.6 + 1.6 * gain / largest, color=INK,
            alpha=0.55, shrinkA=4, shrinkB=4, zorder=2, joinstyle="round", capstyle="round",
        ))  # fmt: skip


def best_starts(transfers: Sequence[Transfer]) -> list[tuple[str, str, float]]:
    """(source, target, mean gain) of the source that gained most on each target, if any gained; largest gain first."""
    from taskspace.atlas._answering import table_of

    table = table_of(transfers).foreign
    if not table.sources or not table.targets:
        return []
    gain = np.where(np.isnan(table.gain), -np.inf, table.gain)
    pairs = zip(gain.argmax(axis=0), table.targets, strict=True)
    found = [(table.sources[s], target, float(gain[s, t])) for t, (s, target) in enumerate(pairs)]
    return sorted((each for each in found if each[2] > 0), key=lambda each: -each[2])


def _legend(axes: Axes, chart: Map, *, arrows: bool) -> None:
    """Families by their colours, then kinds by their shapes, at the right of the axes."""
    lines: Any = require("matplotlib.lines", extra="plot", why="drawing a picture")

    def key(label: str, marker: str = "o", colour: str = INK, **look: Any) -> Any:
        return lines.Line2D(
            [], [], linestyle="", marker=marker, color=colour, label=label, **{"markersize": 5.5, "mec": "none"} | look
        )

    keys = [
        key(f"{shown(family.name, 34)} · {family.size:,}", colour=FAMILIES[i % len(FAMILIES)])
        for i, family in enumerate(chart.families)
    ]
    alone = int(((chart.family < 0) & chart.informative).sum())
    if chart.families and alone:
        keys.append(key(f"in no family · {alone:,}", colour=NONE))
    kinds = [kind for kind in MARKERS if kind in chart.kinds]
    if len(kinds) > 1 or not chart.families:
        keys += [key("", "")] if keys else []
        keys += [key(f"{kind} · {chart.kinds.count(kind):,}", MARKERS[kind], PALE) for kind in kinds]
    silent = int((~chart.informative).sum())
    if silent:
        keys.append(key(f"says nothing · {silent:,}", mfc="none", mec=NONE))
    if arrows:
        keys.append(lines.Line2D([], [], color=INK, alpha=0.55, label="best measured start"))
    if len(keys) > 1:
        legend = axes.legend(
            handles=keys, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8, labelcolor=INK,
            handletextpad=0.5, borderaxespad=0.0, labelspacing=0.45,
        )  # fmt: skip
        plain(*legend.get_texts())
