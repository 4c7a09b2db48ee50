from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from taskspace.pictures import draw_ranking, ranking_figure
from taskspace.ranking import DO_NOT_TRANSFER, Gain, Hit, Ranking

GAINS = {
    "first": (0.05, 0.01, 0.09, 0.98),
    "second/with $math$": (0.01, -0.03, 0.05, 0.7),
    "last": (-0.04, -0.08, 0.0, 0.05),
}


@pytest.fixture
def calibrated():
    hits = [Hit(name, "model", gain[0], {}, "c", 1, Gain(*gain)) for name, gain in GAINS.items()]
    hits.insert(2, Hit(DO_NOT_TRANSFER, "none", 0.0, {}, "", 3, Gain(0.0, 0.0, 0.0, 0.0)))
    return Ranking("the target", tuple(hits), "predicted gain in accuracy over not transferring, 90 % interval")


@pytest.fixture
def bare():
    hits = tuple(Hit(f"s{i}", "model" if i % 2 else "prompt", 0.9 - 0.1 * i, {}, "c", i + 1) for i in range(12))
    return Ranking("the target", hits, "cosine; uncalibrated")


def test_gains_stand_on_their_intervals(axes, pixels, calibrated, words_on):
    assert draw_ranking(axes, calibrated) is axes
    pixels(axes)
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]]
    spans = {line.get_ydata()[0]: tuple(line.get_xdata()) for line in bars if line.get_linewidth() > 2}
    assert spans == {place: gain[1:3] for place, gain in enumerate(GAINS.values())}
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert dots == {place: gain[0] for place, gain in enumerate(GAINS.values())}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second/with $math$", "last"]
    assert {"+0.050   helps  98%", "−0.040   helps   5%"} <= set(words_on(axes))


def test_not_transferring_is_the_line_at_0(axes, calibrated, words_on):
    draw_ranking(axes, calibrated)
    upright = [line for line in axes.lines if list(line.get_xdata()) == [0, 0]]
    assert len(upright) == 1
    assert words_on(axes).count(DO_NOT_TRANSFER) == 1
    level = [line for line in axes.lines if set(line.get_ydata()) == {1.5}]
    assert len(level) == 1, "a line between what is expected to gain and what is expected to lose"


def test_what_is_expected_to_lose_is_paler(axes, calibrated):
    draw_ranking(axes, calibrated)
    colours = {line.get_ydata()[0]: to_hex(line.get_color()) for line in axes.lines if len(line.get_xdata()) == 1}
    assert colours[0] == colours[1] != colours[2]


def test_bare_scores_are_drawn_from_0(axes, pixels, bare, words_on):
    draw_ranking(axes, bare, limit=5)
    pixels(axes)
    stems = {line.get_ydata()[0]: tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2}
    assert {place: pytest.approx(span) for place, span in stems.items()} == {i: (0, 0.9 - 0.1 * i) for i in range(5)}
    assert "0.900   prompt" in words_on(axes)
    assert DO_NOT_TRANSFER not in words_on(axes)
    assert "cosine; uncalibrated" in words_on(axes)


def test_nothing_to_rank(axes, pixels, words_on):
    draw_ranking(axes, Ranking("t", (), "nothing"))
    pixels(axes)
    assert "nothing to rank" in words_on(axes)


def test_a_figure_grows_with_its_rows(pixels, bare, calibrated):
    few, many = ranking_figure(bare, limit=3), ranking_figure(bare, title="What to start from")
    assert few.get_figheight() < many.get_figheight()
    pixels(ranking_figure(calibrated, title="with gains").axes[0])
    assert np.isfinite(many.axes[0].get_xlim()).all()
