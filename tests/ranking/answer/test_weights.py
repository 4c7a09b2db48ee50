"""Weights of signals: non-negative, shrunk, every target alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from taskspace.ranking.answer.weights import learn_weights, standardised


def test_columns_come_in_standard_deviations_and_what_is_unknown_is_average():
    columns = np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]])
    assert np.allclose(standardised(columns), [[-1, 0], [1, 0], [0, 0]])


def test_weights_are_the_nonnegative_least_squares_of_the_stacked_problem():
    rng = np.random.default_rng(0)
    signals = [standardised(rng.normal(size=(n, 3))) for n in (7, 12, 5)]
    gains = [x @ [0.8, -0.5, 0.1] + 0.3 * rng.normal(size=len(x)) for x in signals]
    usual, strength = np.array([0.2, 0.2, 0.0]), 0.5
    rows = [x / np.sqrt(len(x)) for x in signals] + [np.sqrt(strength) * np.eye(3)]
    right = [(g - g.mean()) / g.std() / np.sqrt(len(g)) for g in gains] + [np.sqrt(strength) * usual]
    expected, _ = nnls(np.vstack(rows), np.concatenate(right))
    assert learn_weights(signals, gains, usual, strength) == pytest.approx(expected, abs=1e-8)
    assert expected[1] == 0


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_the_size_of_a_target_s_gains_does_not_count(scale, shift):
    rng = np.random.default_rng(1)
    signals = [standardised(rng.normal(size=(6, 2))) for _ in range(2)]
    gains = [x[:, 0] + 0.1 * rng.normal(size=6) for x in signals]
    usual = np.array([0.3, 0.3])
    plain = learn_weights(signals, gains, usual, 1.0)
    assert learn_weights(signals, [scale * gains[0] + shift, gains[1]], usual, 1.0) == pytest.approx(plain, abs=1e-6)


def test_nothing_known_leaves_the_usual_weights():
    usual = np.array([0.4, 0.1])
    x = np.zeros((3, 2))
    assert learn_weights([], [], usual, 1.0) is usual
    assert learn_weights([x], [np.full(3, np.nan)], usual, 1.0) == pytest.approx(usual)
    assert learn_weights([x], [np.full(3, 0.5)], usual, 1.0) == pytest.approx(usual)


def test_missing_gains_are_left_out():
    x = standardised(np.array([[1.0], [2.0], [4.0], [9.0]]))
    gains = np.array([0.1, 0.2, np.nan, 0.5])
    usual = np.array([0.3])
    known = ~np.isnan(gains)
    assert learn_weights([x], [gains], usual, 1.0) == pytest.approx(
        learn_weights([x[known]], [gains[known]], usual, 1.0)
    )
