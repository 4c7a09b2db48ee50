"""From scores to gains: the line, its pooled height, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from taskspace.ranking.answer.calibration import Line, fit_line


def test_a_line_worked_by_hand():
    # Two targets on exact lines of slope 2, heights 1 and 3: no spread within, and between them a variance of 2.
    line = fit_line([np.array([0.0, 1.0]), np.array([0.0, 1.0])], [np.array([1.0, 3.0]), np.array([3.0, 5.0])])
    assert (line.level, line.slope, line.within, line.targets) == pytest.approx((2.0, 2.0, 0.0, 2))
    assert line.between == pytest.approx(np.sqrt(2))


def test_scores_that_point_the_wrong_way_count_for_nothing():
    line = fit_line([np.array([0.0, 1.0])] * 2, [np.array([1.0, 0.0])] * 2)
    assert line.slope == 0


def test_missing_gains_are_left_out():
    whole = fit_line([np.array([0.0, 1.0]), np.array([0.0, 2.0])], [np.array([0.1, 0.2]), np.array([0.0, 0.5])])
    holes = fit_line(
        [np.array([0.0, 1.0, 7.0]), np.array([0.0, 2.0]), np.array([1.0])],
        [np.array([0.1, 0.2, np.nan]), np.array([0.0, 0.5]), np.array([np.nan])],
    )
    assert holes == whole


def test_what_was_measured_on_the_target_moves_its_height_as_the_gaussian_posterior_does():
    line = Line(level=0.2, slope=0.5, between=0.3, within=0.1, targets=6)
    scores, measured = np.array([0.0, 1.0, 2.0, -1.0]), np.array([0.9, np.nan, 1.6, np.nan])
    gains = line.predict(scores, measured)
    # The same by the joint normal distribution of all four gains, conditioned on the two that are known.
    variance = line.between**2 * (1 + 1 / line.targets)
    cov = variance * np.ones((4, 4)) + line.within**2 * np.eye(4)
    mean, known, rest = line.level + line.slope * scores, [0, 2], [1, 3]
    gain = cov[np.ix_(rest, known)] @ np.linalg.inv(cov[np.ix_(known, known)])
    expected = mean[rest] + gain @ (measured[known] - mean[known])
    left = cov[np.ix_(rest, rest)] - gain @ cov[np.ix_(known, rest)]
    assert [gains[i].mean for i in rest] == pytest.approx(expected)
    reach = stats.t.ppf(0.95, line.targets - 1)
    assert [(gains[i].high - gains[i].low) / 2 for i in rest] == pytest.approx(reach * np.sqrt(np.diag(left)))


def test_the_probability_to_help_is_that_of_the_interval_s_distribution():
    line = Line(level=0.1, slope=1.0, between=0.2, within=0.3, targets=5)
    (gain,) = line.predict(np.array([0.4]))
    spread = np.sqrt(0.3**2 + 0.2**2 * 6 / 5)
    assert gain.helps == pytest.approx(stats.t.cdf(0.5 / spread, 4))
    assert gain.low < 0 < gain.mean < gain.high


def test_intervals_hold_nine_in_ten_gains_of_new_targets():
    rng = np.random.default_rng(0)
    held, drawn = 0, 0
    for _ in range(150):
        heights = rng.normal(0.1, 0.2, size=13)
        scores = rng.normal(size=(13, 15))
        gains = heights[:, None] + 0.3 * scores + rng.normal(0, 0.15, size=(13, 15))
        line = fit_line(list(scores[:-1]), list(gains[:-1]))
        for predicted, gain in zip(line.predict(scores[-1]), gains[-1], strict=True):
            held += predicted.low <= gain <= predicted.high
            drawn += 1
    assert 0.86 <= held / drawn <= 0.95


def test_noise_alone_makes_no_spread_between_targets():
    rng = np.random.default_rng(2)
    gains = [rng.normal(0, 1, size=400) for _ in range(10)]
    line = fit_line([np.zeros(400)] * 10, gains)
    assert line.between < 0.1
    assert line.within == pytest.approx(1.0, abs=0.05)
