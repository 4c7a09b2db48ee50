from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.prompting.likeness import source_prior as prior_of_prompts
from taskspace.ranking.history import Row, Transfers, rank_prior, source_prior


def test_prior_by_hand(four):
    np.testing.assert_allclose(source_prior(four.table, "t"), (four.u + four.v) / 2)
    np.testing.assert_allclose(source_prior(four.table, "t", near=["u"]), four.v)
    np.testing.assert_array_equal(source_prior(four.table, "t", near=["u", "v"]), [0, 0, 0])


def test_a_target_never_measured_sees_all(four, rows_of):
    t = np.array([6, -3, -3]) / 18**0.5
    np.testing.assert_allclose(source_prior(four.table, "new"), (t + four.u + four.v) / 3)


def test_own_cells_do_not_count():
    rows = [Row("a", "a", 99), Row("b", "a", 5), Row("c", "a", 7), Row("a", "t", 1), Row("d", "u", 3)]
    # On a only b and c are foreign; a's 99 neither counts for it nor sets the scale; d was measured alone on u.
    np.testing.assert_allclose(source_prior(Transfers.of(rows), "t"), [0, -1, 1, 0])


def test_gains_are_taken_where_there_is_a_baseline():
    """a is better by its scores, b by what it gains with the seeds it was run with."""
    rows = [Row("a", "u", 0.9, 0.9, 0), Row("b", "u", 0.7, 0.5, 1), Row("a", "t", 0, 0, 0)]
    np.testing.assert_allclose(source_prior(Transfers.of(rows), "t"), [-1, 1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.sampled_from([-3.0, 0.0, 1e6]))
def test_the_target_is_never_seen(sparse, seed, factor):
    """Neither what was measured on it, nor its baseline, nor what it did as a source."""
    table = sparse(seed)
    scores, baseline = table.scores.copy(), table.baseline.copy()
    scores[:, 2] = factor * scores[::-1, 2]
    scores[2] = np.nan if factor == 0 else factor * scores[2, ::-1]
    baseline[2] = factor
    changed = replace(table, scores=scores, baseline=baseline)
    np.testing.assert_array_equal(source_prior(changed, "c"), source_prior(table, "c"))
    assert source_prior(table, "c")[2] == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations("abcdef"))
def test_the_order_of_the_table_does_not_matter(sparse, seed, order):
    table = sparse(seed)
    expected = dict(zip(table.sources, source_prior(table, "a"), strict=True))
    mixed = table.only(sources=order, targets=order[::-1])
    np.testing.assert_allclose(source_prior(mixed, "a"), [expected[name] for name in order], atol=1e-12)


@pytest.mark.parametrize("model", ["roberta-base", "t5-small"])
def test_it_is_the_prior_of_soft_prompts(published, model):
    table = published("prompt_transfer.csv", model=model)
    sources = [name for name in table.sources if name != "SST2"]
    scores = {t: dict(zip(table.sources, table.column(t), strict=True)) for t in table.targets}
    expected = prior_of_prompts(scores, "SST2", sources)
    np.testing.assert_allclose(source_prior(table.only(sources=sources), "SST2"), expected, atol=1e-12)


def test_nothing_measured():
    assert source_prior(Transfers.of([]), "t").shape == (0,)


def test_in_ranks_one_collapsed_run_costs_one_place():
    """b beats c and d on nine targets and collapses on the tenth."""
    rows = [Row(s, f"t{i}", v) for i in range(9) for s, v in (("b", 3.0), ("c", 2.9), ("d", 2.8))]
    rows += [Row("b", "t9", -1e6), Row("c", "t9", 2.9), Row("d", "t9", 2.8)]
    table = Transfers.of(rows)
    # Of three sources the best beats (3 - ½)/3 of them by halves: 1/3, 0 and -1/3 around the middle.
    np.testing.assert_allclose(rank_prior(table, "new"), [(9 - 1) / 30, (1 + 0) / 30, (0 - 9) / 30])
    np.testing.assert_allclose(rank_prior(table, "t9"), [1 / 3, 0, -1 / 3])


def test_ranks_do_not_see_the_target_nor_own_cells(four):
    rows = [Row("a", "a", 99), Row("b", "a", 5), Row("c", "a", 7), Row("a", "t", 1), Row("b", "t", 2)]
    table = Transfers.of(rows)
    np.testing.assert_allclose(rank_prior(table, "t"), [0, -0.25, 0.25])
    np.testing.assert_allclose(rank_prior(table, "new"), [-0.25, 0, 0.25])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_ranks_are_shares_of_sources_beaten(sparse, seed):
    table = sparse(seed)
    rounded = replace(table, scores=np.round(table.scores), baseline=np.zeros((6, 2)))  # with ties
    own = {s: [] for s in rounded.sources}
    for t, column in zip(rounded.targets, rounded.gain.T, strict=True):
        there = {s: v for s, v in zip(rounded.sources, column, strict=True) if v == v and s not in (t, "a")}
        for s, value in there.items() if t != "a" and len(there) > 1 else ():
            beaten = sum((other < value) + (other == value) / 2 for other in there.values())
            own[s].append(beaten / len(there) - 0.5)
    np.testing.assert_allclose(rank_prior(rounded, "a"), [np.mean(own[s]) if own[s] else 0 for s in own], atol=1e-12)
