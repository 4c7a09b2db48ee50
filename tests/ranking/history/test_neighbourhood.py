from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.prompting.likeness import MEASURES, Measure
from taskspace.prompting.likeness import neighbours as neighbours_of_prompts
from taskspace.ranking.history import Row, Transfers, neighbours, source_prior
from taskspace.ranking.history.neighbourhood import regressed

NAN = np.nan


def test_by_hand(four):
    # Two tasks stand at -1 and 1 whatever their similarities: at 2 / ln 3 the nearer one weighs three times as much.
    found = neighbours(four.table, "t", {"u": 0.1, "v": 0.2}, bandwidth=2 / np.log(3))
    np.testing.assert_allclose(found, (four.u + 3 * four.v) / 4)
    as_array = neighbours(four.table, "t", [NAN, 0.1, 0.2], bandwidth=2 / np.log(3))
    np.testing.assert_array_equal(as_array, found)


def test_tasks_without_a_similarity_have_no_say(four):
    np.testing.assert_allclose(neighbours(four.table, "t", {"v": 0.3}), four.v)
    np.testing.assert_allclose(neighbours(four.table, "t", {"u": 1, "v": 2}, near=["v"]), four.u)
    np.testing.assert_array_equal(neighbours(four.table, "t", {"t": 1}), [0, 0, 0])
    np.testing.assert_array_equal(neighbours(four.table, "t", {}), [0, 0, 0])


def test_a_source_is_judged_by_the_tasks_that_it_was_measured_on():
    rows = [Row("a", "u", 1), Row("b", "u", 3), Row("b", "v", 1), Row("c", "v", 3), Row("d", "w", 1)]
    found = neighbours(Transfers.of(rows), "t", {"u": 0, "v": 1, "w": 0.5}, bandwidth=1e-3)
    # u is hopelessly far, yet all that a was measured on; d was measured alone.
    np.testing.assert_allclose(found, [-1, -1, 1, 0])


def test_width(four, sparse):
    table = sparse(1).foreign
    similarity = np.arange(6.0)
    np.testing.assert_allclose(neighbours(table, "a", similarity, 1e9), source_prior(table, "a"), atol=1e-6)
    np.testing.assert_allclose(neighbours(four.table, "t", [0, 1, 2], 1e-3), four.v)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bandwidth=st.sampled_from([0.3, 1.0, 5.0]))
def test_agrees_with_the_sum_written_out(seed, bandwidth):
    rng = np.random.default_rng(seed)
    known, likeness = rng.normal(size=(4, 5)), rng.normal(size=5)
    known[rng.random(known.shape) < 0.3] = NAN
    known[:, 0] = rng.normal(size=4)
    asked = [p for p in range(5) if not np.isnan(known[:, p]).all()]
    z = (likeness - likeness[asked].mean()) / likeness[asked].std() if len(asked) > 1 else likeness * 0
    for s, found in enumerate(regressed(known, likeness, bandwidth)):
        w = {p: np.exp(z[p] / bandwidth) for p in asked if not np.isnan(known[s, p])}
        np.testing.assert_allclose(found, sum(w[p] * known[s, p] for p in w) / sum(w.values()))


def test_it_is_what_soft_prompts_are_ranked_by(published):
    """With cosines of prompts as similarities, and the tasks of the other prompts as targets."""
    table = published("prompt_transfer.csv", model="t5-small")
    names = [name for name in table.targets if name != "samsum"]
    table = table.only(sources=names)
    rng = np.random.default_rng(0)
    prompts = rng.normal(size=(len(names) + 1, 4, 8))
    like = MEASURES["pooled"]
    expected_known = np.array(
        [(c - c[o].mean()) / c[o].std() for c, o in ((table.column(p), [n != p for n in names]) for p in names)]
    )
    expected = Measure(neighbours_of_prompts(like.rule), "", ("transfers",))(
        prompts[0], list(prompts[1:]), known=expected_known
    )
    similarity = dict(zip(names, like(prompts[0], list(prompts[1:])), strict=True))
    np.testing.assert_allclose(neighbours(table, "samsum", similarity), expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_target_is_never_seen(sparse, seed):
    table = sparse(seed)
    scores = table.scores.copy()
    scores[:, 4], scores[4] = scores[::-1, 4] * 9, NAN
    similarity = np.random.default_rng(seed).normal(size=6)
    found = neighbours(replace(table, scores=scores), "e", similarity)
    np.testing.assert_array_equal(found, neighbours(table, "e", similarity))


@settings(max_examples=20, deadline=None)
@given(order=st.permutations("abcdef"))
def test_the_order_of_the_table_does_not_matter(sparse, order):
    table = sparse(5)
    similarity = {name: float(i * i) for i, name in enumerate("abcdef")}
    expected = dict(zip(table.sources, neighbours(table, "a", similarity), strict=True))
    found = neighbours(table.only(sources=order, targets=order[::-1]), "a", similarity)
    np.testing.assert_allclose(found, [expected[name] for name in order], atol=1e-12)


def test_what_does_not_fit_is_said(four):
    with pytest.raises(DataError, match=r"similarities of shape \(2,\) to 3 targets do not fit"):
        neighbours(four.table, "t", [1, 2])
    with pytest.raises(DataError, match="are infinite"):
        neighbours(four.table, "t", {"u": np.inf})
    with pytest.raises(SettingError, match="bandwidth=0 gives no weights; give more than 0"):
        neighbours(four.table, "t", [1, 2, 3], 0)
