"""What stands on the map, read back from matplotlib's own objects."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Annotation

from taskspace.atlas import Transfer
from taskspace.pictures import FAMILIES, draw_map, map_figure
from taskspace.pictures._map import best_starts


def clouds(axes):
    """(offsets, colours, hollow) of each collection of points that holds any."""
    return [
        (found.get_offsets(), found.get_facecolors(), len(found.get_facecolors()) == 0)
        for found in axes.findobj(PathCollection)
        if len(found.get_offsets())
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 30, 300])
def test_any_number_is_drawn(axes, pixels, chart_of, count):
    assert draw_map(axes, chart_of(count)) is axes
    assert (pixels(axes) != 255).any()
    assert sum(len(offsets) for offsets, _, _ in clouds(axes)) == count


def test_every_point_stands_where_the_map_has_it_in_the_colour_of_its_family(axes, chart_of):
    chart = chart_of(40)
    draw_map(axes, chart)
    drawn = {
        tuple(np.float32(place)): to_hex(colour)
        for places, colours, _ in clouds(axes)
        for place, colour in zip(places, colours, strict=True)
    }
    assert drawn == {tuple(point): FAMILIES[family] for point, family in zip(chart.points, chart.family, strict=True)}


def test_each_kind_has_its_shape(axes, chart_of):
    draw_map(axes, chart_of(8))
    found = [each for each in axes.findobj(PathCollection) if len(each.get_offsets())]
    shapes = {each.get_paths()[0].vertices.tobytes(): len(each.get_offsets()) for each in found}
    assert list(shapes.values()) == [2, 2, 2, 2]


def test_what_says_nothing_is_hollow(axes, chart_of, words_on):
    chart = chart_of(12, silent=[4, 7])
    draw_map(axes, chart)
    hollow = np.vstack([places for places, _, hollow in clouds(axes) if hollow])
    assert {tuple(place) for place in np.float32(hollow)} == {tuple(chart.points[i]) for i in (4, 7)}
    assert "says nothing · 2" in words_on(axes)


def test_what_is_kept_stands_on_the_map(axes, chart_of, words_on):
    draw_map(axes, chart_of(30))
    assert "30 points · PCA\nkeeps 62% of each point's 10 nearest (chance: 34%)" in words_on(axes)
    assert "first component · 50% of the variance" in words_on(axes)


def test_families_and_kinds_are_explained(axes, chart_of, words_on):
    draw_map(axes, chart_of(9, names=[f"owner/$x_{i}$" for i in range(9)]))
    words = words_on(axes)
    assert [f"around owner/$x_{i}$ · 3" in words for i in range(3)] == [True] * 3
    assert "dataset · 3" in words
    assert "adapter · 2" in words


def test_names_of_few_points_lie_over_nothing(axes, chart_of, pixels):
    """Measured by the renderer, which the placing itself does not ask."""
    chart = chart_of(40, names=[f"a-name-{i}" * (1 + i % 2) for i in range(40)])
    draw_map(axes, chart)
    pixels(axes)
    labels = [text for text in axes.findobj(Annotation) if text.get_text().startswith("a-name")]
    assert len(labels) >= 38
    boxes = [text.get_tightbbox().extents for text in labels]
    boxes = [(x0, y0, x1, y1) for x0, y0, x1, y1 in boxes]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            assert min(wide, high) < 2.5, (labels[i].get_text(), a, b)  # the white rim may touch


def test_of_many_points_only_the_middles_of_families_are_named(axes, chart_of, words_on):
    chart = chart_of(200)
    draw_map(axes, chart)
    assert [word for word in words_on(axes) if word.startswith("task-")] == [
        family.central for family in chart.families
    ]


def test_names_are_no_formulas_and_any_script_may_be_drawn(axes, pixels, chart_of):
    """Warnings are errors here: a sign that the font lacks would be one."""
    draw_map(axes, chart_of(4, names=["$\\frac{", "情感分析", "a\nb", "🎯 target"]))
    pixels(axes)


def test_many_points_are_one_image_in_a_vector_file(chart_of, tmp_path):
    few, many = io.StringIO(), io.StringIO()
    map_figure(chart_of(500)).savefig(few, format="svg")
    map_figure(chart_of(20_000)).savefig(many, format="svg")
    assert "<image" not in few.getvalue()
    assert "<image" in many.getvalue()
    assert len(many.getvalue()) < 1_500_000


def transfer(source, target, score, baseline=0.5, metric="accuracy"):
    return Transfer(source, target, score, baseline, metric, 0, "")


MEASURED = [
    transfer("task-0", "task-1", 0.6),
    transfer("task-0", "task-1", 0.8),  # a mean gain of 0.2
    transfer("task-2", "task-1", 0.65),
    transfer("task-2", "task-3", 0.4),  # only loses
    transfer("task-4", "task-0", 0.9),
    transfer("gone", "task-4", 0.9),  # not on the map
    transfer("task-1", "task-2", 0.9, baseline=None),  # no gain is known
]


def test_the_best_start_of_each_target():
    assert best_starts(MEASURED) == [
        ("task-4", "task-0", pytest.approx(0.4)),
        ("gone", "task-4", pytest.approx(0.4)),
        ("task-0", "task-1", pytest.approx(0.2)),
    ]
    assert best_starts([]) == []
    assert best_starts(MEASURED[-1:]) == []


def test_observed_transfers_are_arrows(axes, pixels, chart_of, words_on):
    draw_map(axes, chart_of(6), transfers=MEASURED)
    pixels(axes)
    assert len([patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]) == 2
    assert "best measured start" in words_on(axes)


def test_threads_draw_what_one_alone_does(chart_of):
    def draw(seed):
        file = io.BytesIO()
        map_figure(chart_of(12, seed=seed), title=f"map {seed}").savefig(file, format="png")
        return file.getvalue()

    alone = [draw(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(draw, range(3))) == alone


def test_pyplot_is_never_imported(elsewhere):
    script = """
import sys
import numpy as np
from taskspace.atlas.map import Map
from taskspace.pictures import map_figure
nothing = np.zeros(1, dtype=int)
points = np.zeros((1, 2), dtype=np.float32)
points = np.zeros((1, 2), dtype=np.float32)
chart = Map("pca", points, ("a",), ("model",), nothing == 0, (), nothing - 1, None, 0, 0, None, "g")
map_figure(chart).savefig("a.png")
print("matplotlib.pyplot" in sys.modules)
"""
    assert elsewhere(script) == "False"
