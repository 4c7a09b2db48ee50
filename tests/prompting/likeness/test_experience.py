from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import PromptError
from taskspace.prompting.likeness import MEASURES, Measure, neighbours, with_neighbours, with_prior

NAN = np.nan
TARGET = np.array([[1.0, 0.0]])
# Cosines with the target: 1/2, 0, -1/2; in standard deviations sqrt(3/2), 0, -sqrt(3/2).
SOURCES = [np.array([[np.cos(a), np.sin(a)]]) for a in np.deg2rad([60, 90, 120])]
Z = np.array([1.5**0.5, 0, -(1.5**0.5)])


def measured(rule):
    return Measure(rule, "", needs=("transfers",))


def test_neighbours_by_hand():
    known = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0], [1.0, 0.0, 2.0]])
    weights = np.exp(Z / 0.5)
    expected = weights @ known / weights.sum()
    np.testing.assert_allclose(MEASURES["neighbours"](TARGET, SOURCES, known=known), expected)


def test_what_was_not_measured_carries_no_weight():
    known = np.array([[NAN, 4.0, NAN], [1.0, 2.0, NAN], [NAN, NAN, NAN]])
    w = np.exp(np.array([1.0, -1.0]) / 0.5)  # two tasks were measured: one deviation above, one below
    scores = MEASURES["neighbours"](TARGET, SOURCES, known=known)
    np.testing.assert_allclose(scores, [1.0, (4 * w[0] + 2 * w[1]) / w.sum(), 0.0])


def test_a_narrow_bandwidth_takes_the_nearest_task_and_a_wide_one_the_mean():
    known = np.random.default_rng(0).normal(size=(3, 3))
    rule = MEASURES["pooled"].rule
    np.testing.assert_allclose(measured(neighbours(rule, 0.01))(TARGET, SOURCES, known=known), known[0])
    wide = measured(neighbours(rule, 1e9))(TARGET, SOURCES, known=known)
    np.testing.assert_allclose(wide, known.mean(axis=0), atol=1e-6)


def test_mixing_by_hand():
    prior = np.array([0.0, 0.0, 3.0])
    z_prior = (prior - 1) / 2**0.5
    np.testing.assert_allclose(
        MEASURES["pooled_and_prior"](TARGET, SOURCES, prior=prior), 0.75 * Z + 0.25 * z_prior, atol=1e-12
    )
    known = np.tile(prior, (3, 1))  # the same whatever the task: neighbours are the prior
    np.testing.assert_allclose(
        MEASURES["pooled_and_neighbours"](TARGET, SOURCES, known=known), 0.5 * Z + 0.5 * z_prior, atol=1e-12
    )


def test_a_prior_that_knows_nothing_changes_no_order():
    rule = with_prior(MEASURES["pooled"].rule, 0.9)
    scores = Measure(rule, "", needs=("prior",))(TARGET, SOURCES, prior=[7, 7, 7])
    assert list(np.argsort(-scores)) == [0, 1, 2]


@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.0, 1.0]))
def test_shares_of_nothing_and_all_are_the_parts(draw, seed, share):
    target, sources = draw(seed)
    known = np.random.default_rng(seed).normal(size=(4, 4))
    mixed = measured(with_neighbours(MEASURES["pooled"].rule, share))(target, sources, known=known)
    part = MEASURES["neighbours" if share else "pooled"](target, sources, known=known)
    assert list(np.argsort(mixed)) == list(np.argsort(part))


def test_prior_alone_is_blind():
    np.testing.assert_array_equal(MEASURES["prior"](TARGET, SOURCES, prior=[1, 3, 2]), [1, 3, 2])


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("prior", {}, "give a prior or measured transfers"),
        ("pooled_and_prior", {}, "give a prior or measured transfers"),
        ("neighbours", {}, "give measured transfers"),
        ("neighbours", {"known": np.full((3, 3), NAN)}, "no transfer was measured to the task of any source"),
        ("prior", {"prior": [1, 2]}, r"prior of shape \(2,\) do not fit 3 sources"),
        ("neighbours", {"known": np.zeros((2, 3))}, r"known transfers of shape \(2, 3\) do not fit 3 sources"),
    ],
)
def test_what_is_missing_is_said(name, given, says):
    with pytest.raises(PromptError, match=says):
        MEASURES[name](TARGET, SOURCES, **given)
