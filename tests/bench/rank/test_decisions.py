"""Predicted gains, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.bench.rank.decisions import Advice, decided
from taskspace.ranking import Gain

HELPS = Advice.of(np.array([0.2, -0.1]), [Gain(0.1, 0.0, 0.3, 0.8), Gain(-0.2, -0.3, -0.15, 0.1)])
HARMS = Advice.of(np.array([-0.3, -0.1]), [Gain(-0.1, -0.4, 0.2, 0.3), Gain(-0.2, -0.3, 0.0, 0.2)])
FOOLED = Advice.of(np.array([0.4, -0.5]), [Gain(0.1, 0.0, 0.2, 0.6), Gain(0.3, 0.2, 0.4, 0.9)])


def test_what_is_lost_by_following_by_always_and_by_never_transferring():
    assert HELPS.lost == pytest.approx((0.0, 0.0, 0.2))  # the first is the best and is taken
    assert HARMS.lost == pytest.approx((0.0, 0.3, 0.0))  # nothing above 0: left alone, and rightly
    assert FOOLED.lost == pytest.approx((0.9, 0.9, 0.4))  # the second is taken and costs half


def test_sums_over_targets():
    said = decided([HELPS, HARMS, FOOLED])
    assert said.coverage.mean == pytest.approx((0.5 + 1 + 0) / 3)
    assert said.width == pytest.approx(((0.3 + 0.15) / 2 + (0.6 + 0.3) / 2 + 0.2) / 3)
    # Of six cells two help; they are predicted .1 and .1, the others -.2, -.1, -.2 and .3: three of four below.
    assert said.auc == pytest.approx(3 / 4)
    assert said.within == pytest.approx((1 + 0) / 2)  # of the two targets where one helps and one does not
    assert said.helped == pytest.approx(2 / 6)
    assert said.brier == pytest.approx((0.2**2 + 0.1**2 + 0.3**2 + 0.2**2 + 0.4**2 + 0.9**2) / 6)
    assert said.brier_of_share == pytest.approx(1 / 3 * 2 / 3)
    assert said.advised == pytest.approx(2 / 3)
    assert said.following.mean == pytest.approx(0.3)
    assert said.always.mean == pytest.approx(0.4)
    assert said.never.mean == pytest.approx(0.2)
    rms = [np.sqrt((0.1**2 + 0.1**2) / 2), np.sqrt((0.2**2 + 0.1**2) / 2), np.sqrt((0.3**2 + 0.8**2) / 2)]
    assert said.error == pytest.approx(np.mean(rms))


def test_where_all_help_there_is_nothing_to_tell_apart_within_a_target():
    said = decided([Advice.of(np.array([0.1, 0.2]), [Gain(0.1, 0, 0.2, 0.9), Gain(0.2, 0, 0.3, 0.9)])])
    assert np.isnan(said.within)
    assert said.auc == 0.5
