"""What the figures show, read back from their axes; no two labels may lie on each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from taskspace.prompting.study import Run
from taskspace.prompting.study.alike import cosines
from taskspace.prompting.study.figures import (
    cosine_maps,
    draw_curves,
    mixed_dots,
    scale_triangle,
    shot_curves,
    write_png,
)
from taskspace.prompting.study.figures._style import signed
from taskspace.prompting.study.figures.curves import curves
from taskspace.prompting.study.looks import LOOKS

PNG = b"\x89PNG\r\n\x1a\n"


def boxes(figure, texts):
    """The boxes of what is written, in pixels, once the figure is laid out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    return [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]


def overlap(boxes):
    return any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("kind", ["vectors", "prompts"])
def test_the_maps_hold_the_cosines_on_one_fixed_scale(prompts, kind):
    figure = cosine_maps(prompts, kind)
    for axes, measure in zip(figure.axes[:2], ("pooled", "flattened"), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), cosines(prompts, kind, measure).values)
        assert image.get_clim() == (-1, 1)
        assert [label.get_text() for label in axes.get_xticklabels()] == ["sst2", "mnli", "qnli", "mrpc", "trec"]
        assert list(axes.get_yticks()) == [1, 4, 7, 10, 13]  # the middle of three inits
        assert axes.get_title("left").startswith(f"{measure}: ")
        for labels in (axes.get_yticklabels(), axes.texts):
            assert not overlap(boxes(figure, labels))


def test_a_map_of_one_prompt_can_be_drawn(made, tmp_path):
    write_png(cosine_maps(list(made.prompts(("a",), (0,)))), tmp_path / "one.png")


def test_curves_show_the_means_in_the_methods_colours(study):
    figure = shot_curves(study)
    lines, rest = curves(study)
    first, second = figure.axes
    assert [axes.get_title("left") for axes in (first, second)] == ["sst5", "snli"]
    drawn = {to_hex(bar.lines[0].get_color()): bar.lines[0].get_ydata() for bar in first.containers}
    for method in ("random", "single", "tpv"):
        means = [cell.mean for cell in lines["sst5", method]]
        np.testing.assert_allclose(drawn[LOOKS[method].colour.lower()], means)
    assert [label.get_text() for label in second.get_xticklabels()] == ["0", "10", "50", "100", "500"]
    assert first.get_xscale() == "symlog"
    assert len(rest["sst5"]) == 2
    assert not overlap(boxes(figure, second.get_xticklabels()))


def test_the_legend_stands_outside_in_one_order(study):
    figure = shot_curves(study)
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    methods = ("random", "single", "spot", "tpv", "average", "attempt", "mpt", "dept")
    assert words == [LOOKS[method].label for method in methods] + ["other single sources"]
    (frame, *panels) = boxes(figure, [*legend.get_texts()]), *(axes.get_window_extent() for axes in figure.axes)
    assert not any(box.overlaps(panel) for box in frame for panel in panels)


def test_the_best_single_source_may_change_with_the_shots():
    def single(source, shots, score):
        return Run(part="shots", task="x", metric="f1", method="single", other=source, shots=shots, score=score)

    lines, rest = curves([single("a", 0, 0.3), single("b", 0, 0.5), single("a", 9, 0.8), single("b", 9, 0.6)])
    assert [(cell.shots, cell.source) for cell in lines["x", "single"]] == [(0, "b"), (9, "a")]
    assert len(rest["x"]) == 2


def test_curves_can_be_drawn_on_axes_that_are_given_even_with_no_shots_at_all(tmp_path):
    figure = Figure()
    run = Run(part="shots", task="x", metric="f1", method="tpv", shots=0, score=0.5)
    lines, _ = curves([run])
    draw_curves(figure.subplots(), {"tpv": lines["x", "tpv"]}, ["tpv"])
    write_png(figure, tmp_path / "zero.png")
    assert (tmp_path / "zero.png").read_bytes().startswith(PNG)


def test_dots_show_every_score_and_the_change_beside(study):
    figure = mixed_dots(study)
    axes, beside = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sst2", "mnli", "qnli", "mrpc", "trec"]
    first_task = axes.collections[:2]
    assert [len(dots.get_offsets()) for dots in first_task] == [3, 6]
    words = [text.get_text() for text in beside.texts]
    assert words[:3] == ["change", "p (Holm)", "vectors"]
    assert words[-3].startswith("\N{MINUS SIGN}0.30")
    assert words[-2:] == ["< 0.001", "3"]
    (legend,) = figure.legends
    assert not overlap(boxes(figure, [*beside.texts, *legend.get_texts(), *axes.get_xticklabels()]))


@pytest.mark.parametrize("tasks", ["abc", "abcdef"])
def test_the_triangles_legend_and_title_hide_no_panel_and_not_each_other(made, tasks):
    sources = list(made.sources(tuple(tasks)))
    figure = scale_triangle([*sources, *made.pairs(sources, scales=(0.0, 0.6))])
    boxes(figure, [])
    taken = [axes.get_window_extent() for axes in figure.axes if axes.get_visible()]
    assert len(taken) == len(tasks) * (len(tasks) - 1) // 2
    assert not overlap([*taken, *boxes(figure, [*figure.legends[0].get_texts(), figure._suptitle])])


def test_the_triangle_has_a_panel_per_pair_with_both_tasks(study):
    figure = scale_triangle(study)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 5 * 4 // 2
    assert [axes.get_ylabel() for axes in shown if axes.get_ylabel()] == ["mnli", "qnli", "mrpc", "trec"]
    last = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert [label.removeprefix("λ\n") for label in last] == ["sst2", "mnli", "qnli", "mrpc"]
    runs = [run for run in study if run.part == "pairs" and run.split == "validation"]
    of = {}
    for run in runs:
        if {run.task, run.other} == {"sst2", "mnli"}:
            of.setdefault((run.task, run.scale), []).append(run.score)
    thick = [line for line in shown[0].lines if line.get_linewidth() == 1.7]
    for line, task in zip(thick, ("mnli", "sst2"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), [np.mean(of[task, x]) for x in sorted({x for _, x in of})])


def test_signs():
    assert [signed(x) for x in (0.0123, -0.5, -0.0001, 0.0)] == ["+0.012", "\N{MINUS SIGN}0.500", "0.000", "0.000"]


def test_drawing_leaves_pyplot_alone(elsewhere):
    code = """
import sys
from pathlib import Path
from taskspace.prompting.study import Run
from taskspace.prompting.study.figures import shot_curves, write_png
runs = [Run(part="shots", task="x", metric="f1", method="tpv", shots=k, score=.5 + k / 100) for k in (0, 5)]
assert "matplotlib" not in sys.modules
write_png(shot_curves(runs), Path("x.png"))
print("matplotlib.pyplot" in sys.modules, Path("x.png").exists())
"""
    assert elsewhere(code) == "False True"
