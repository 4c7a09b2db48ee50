from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError
from taskspace.prompting.likeness import Transfer
from taskspace.ranking.history import Row, Transfers

NAN = np.nan


def seeds(source, target, scores, **more):
    return [Row(source, target, score, seed=seed, **more) for seed, score in enumerate(scores)]


@pytest.fixture
def measured():
    """Two seeds of a, one of b (the better seed), and what the target gets alone."""
    return [
        *seeds("a", "t", [0.5, 0.9]),
        Row("b", "t", 0.8, seed=1),
        *seeds("none", "t", [0.4, 0.6]),
        Row("a", "u", 0.3),
    ]


def test_a_table_by_hand(measured):
    table = Transfers.of(measured)
    assert (table.sources, table.targets) == (("a", "b"), ("t", "u"))
    # Runs: seed 0, seed 1, and at the end the run without a seed.
    np.testing.assert_array_equal(table.scores[0], [[0.5, 0.9, NAN], [NAN, NAN, 0.3]])
    np.testing.assert_array_equal(table.scores[1], [[NAN, 0.8, NAN], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(table.baseline, [[0.4, 0.6, NAN], [NAN, NAN, NAN]])
    np.testing.assert_allclose(table.mean, [[0.7, 0.3], [0.8, NAN]])
    np.testing.assert_array_equal(table.runs_of, [[2, 1], [1, 0]])
    assert list(table.cells()) == [("a", "t"), ("a", "u"), ("b", "t")]
    assert table.has_baseline


def test_a_gain_is_over_the_baseline_of_the_same_seed(measured):
    # a: (0.1 + 0.3) / 2.  b was measured with seed 1 only: 0.8 - 0.6, not 0.8 less the mean 0.5.
    gain = Transfers.of(measured).gain
    np.testing.assert_allclose(gain, [[0.2, NAN], [0.2, NAN]])
    np.testing.assert_allclose(Transfers.of(measured).benefit, [[0.2, 0.3], [0.2, NAN]])


def test_a_seed_without_a_baseline_is_held_against_the_mean_baseline(measured):
    gain = Transfers.of([*measured, Row("c", "t", 1.0, seed=7), Row("d", "t", 0.9)]).gain
    np.testing.assert_allclose(gain[2:, 0], [1.0 - 0.5, 0.9 - 0.5])


def test_stated_baselines_come_before_runs_without_transfer():
    rows = [
        *seeds("a", "t", [0.5, 0.5], baseline=0.2),
        *seeds("b", "t", [0.6, 0.6], baseline=0.4),
        Row("none", "t", 9, seed=0),
        Row("c", "t", 1, seed=0),
    ]
    np.testing.assert_allclose(Transfers.of(rows).gain, [[0.3], [0.2], [0.7]])
    # In the mean for c each value counts once, however many rows repeat it.
    np.testing.assert_allclose(Transfers.of([*rows, Row("d", "t", 1, 0.2, seed=0)]).gain[2:], [[0.7], [0.8]])


@pytest.mark.parametrize("seed", [None, 3])
def test_a_row_is_held_against_the_baseline_that_it_states(seed):
    rows = [
        Row("a", "t", 0.91, 0.88, seed),
        Row("b", "t", 0.80, 0.70, seed),
        Row("c", "t", 0.89, None, seed),
        Row("a", "u", 0.5, 0.4, seed),
        Row("b", "u", 0.7, 0.4, seed),
    ]
    table = Transfers.of(rows)
    np.testing.assert_allclose(table.gain, [[0.03, 0.1], [0.10, 0.3], [0.89 - 0.79, NAN]])
    # One run for each baseline, from the lowest, and the mean; u has one baseline and so one run.
    np.testing.assert_allclose(table.baseline, [[0.70, 0.88, 0.79], [0.4, NAN, NAN]])
    np.testing.assert_array_equal(table.scores[:, 0], [[NAN, 0.91, NAN], [0.80, NAN, NAN], [NAN, NAN, 0.89]])
    np.testing.assert_array_equal(table.scores[:, 1], [[0.5, NAN, NAN], [0.7, NAN, NAN], [NAN, NAN, NAN]])
    np.testing.assert_allclose(Transfers.of(rows[:2]).baseline, [[0.70, 0.88]])
    np.testing.assert_allclose(Transfers.of(rows[::-1]).only("abc", "tu").gain, table.gain)


def test_one_source_may_be_measured_against_several_baselines():
    table = Transfers.of([Row("a", "t", 0.9, 0.8), Row("a", "t", 0.9, 0.5), Row("a", "t", 0.7, 0.5)])
    np.testing.assert_array_equal(table.runs_of, [[3]])
    np.testing.assert_allclose(table.gain, [[(0.1 + 0.4 + 0.2) / 3]])


def test_reads_a_ground_truth_with_its_runs_without_transfer(tmp_path):
    path = tmp_path / "transfers.csv"
    path.write_text(
        "source,target,seed,metric,score,baseline,seconds\n"
        "none,t,0,accuracy,0.5,0.5,9.9\nnone,t,1,accuracy,0.7,0.7,9.9\n"
        "a,t,0,accuracy,0.6,0.5,9.9\na,t,1,accuracy,0.6,0.7,9.9\nb,t,1,accuracy,0.9,,9.9\n"
    )
    table = Transfers.read(path)
    assert (table.sources, table.targets, table.metric) == (("a", "b"), ("t",), "accuracy")
    np.testing.assert_array_equal(table.baseline, [[0.5, 0.7]])
    np.testing.assert_allclose(table.gain, [[0.0], [0.2]], atol=1e-12)


def test_a_seed_that_comes_again_is_a_further_run_against_the_same_baseline():
    rows = [Row("a", "t", 1, seed=0), Row("a", "t", 3, seed=0), Row("a", "t", 5, seed=1)]
    table = Transfers.of([*rows, Row("none", "t", 1, seed=0), Row("none", "t", 4, seed=1)])
    np.testing.assert_array_equal(table.scores, [[[1, 3, 5]]])
    np.testing.assert_array_equal(table.baseline, [[1, 1, 4]])
    np.testing.assert_allclose(table.gain, [[(0 + 2 + 1) / 3]])


def test_what_no_transfer_is_called_may_be_said():
    rows = [Row("random", "t", 0.2), Row("none", "t", 0.4), Row("a", "t", 0.5)]
    assert Transfers.of(rows).sources == ("random", "a")
    assert Transfers.of(rows, none="random").sources == ("none", "a")
    assert Transfers.of(rows, none=None).sources == ("random", "none", "a")
    assert not Transfers.of(rows, none=None).has_baseline


def test_rows_that_say_less_or_more_fit(four):
    assert Transfers.of([Transfer("a", "t", 0.5)]).column("t") == [0.5]
    assert Transfers.of([]).mean.shape == Transfers.of([]).gain.shape == (0, 0)
    assert not four.table.has_baseline
    assert np.isnan(four.table.gain).all()


def test_the_rows_of_an_atlas_fit(tmp_path):
    import taskspace

    with taskspace.Atlas(tmp_path / "a.db") as atlas:
        atlas.observe(source="a", target="t", score=0.9, baseline=0.8, seed=0)
        atlas.observe(source="a", target="t", score=0.7, baseline=0.5, seed=1)
        table = Transfers.of(atlas.transfers())
    np.testing.assert_allclose(table.gain, [[0.15]])
    assert table.metric == "accuracy"


def test_a_metric_may_differ_among_targets_only():
    rows = [Row("a", "t", 1, metric="f1"), Row("a", "u", 1, metric="accuracy"), Row("b", "t", 1)]
    assert Transfers.of(rows).metric == "score"
    assert Transfers.of(rows[:1]).metric == "f1"
    with pytest.raises(DataError, match="'t' was measured in 'f1' and in 'accuracy', which do not compare"):
        Transfers.of([*rows, Row("b", "t", 1, metric="accuracy")])


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing_but_the_order_of_names(order):
    rows = [Row(s, t, ord(s) * seed + ord(t), seed=seed) for s in "abc" for t in "tu" for seed in (0, 1)]
    straight, mixed = Transfers.of(rows), Transfers.of([rows[i] for i in order])
    np.testing.assert_array_equal(mixed.only(straight.sources, straight.targets).scores, straight.scores)


def test_own_cells_are_kept_and_can_be_left_out():
    table = Transfers.of([Row("a", "a", 1), Row("b", "a", 2), Row("a", "b", 3)])
    np.testing.assert_array_equal(table.self_cells, [[True, False], [False, True]])
    np.testing.assert_array_equal(table.mean, [[1, 3], [2, NAN]])
    np.testing.assert_array_equal(table.foreign.mean, [[NAN, 3], [2, NAN]])
    assert Transfers.of([]).self_cells.shape == (0, 0)


@pytest.mark.parametrize("name", ["mean", "gain", "benefit", "self_cells"])
def test_what_is_worked_out_is_kept_and_cannot_be_changed(sparse, name):
    table = sparse(3)
    assert getattr(table, name) is getattr(table, name)
    assert table.foreign is table.foreign
    with pytest.raises(ValueError, match="read-only"):
        getattr(table, name)[:] = 0
    # A part of the table works out its own.
    np.testing.assert_array_equal(getattr(table.only(targets="ba"), name), getattr(table, name)[:, [1, 0]])


def test_parts_of_a_table(four):
    part = four.table.only(sources=["c", "a"], targets=["v"])
    assert (part.sources, part.targets) == (("c", "a"), ("v",))
    np.testing.assert_array_equal(part.mean, [[8], [5]])
    assert four.table.without_target("u").targets == ("t", "v")
    np.testing.assert_array_equal(four.table.without_target("never measured").mean, four.table.mean)
    np.testing.assert_array_equal(four.table.column("u"), [1, 3, 2])


@pytest.mark.parametrize("ask", [{"sources": ["aa"]}, {"targets": ["aa"]}])
def test_a_name_that_is_not_there_gets_a_hint(ask):
    table = Transfers.of([Row("aaa", "aaa", 1)])
    with pytest.raises(DataError, match="'aa'; did you mean 'aaa'?"):
        table.only(**ask)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="the score of 'a' on 't' is nan; leave that row out"):
        Transfers.of([Row("a", "t", NAN)])


@pytest.mark.parametrize(
    ("scores", "baseline", "says"),
    [
        (np.zeros((2, 2, 1)), np.zeros((2, 1)), "do not fit 1 sources and 2 targets"),
        (np.zeros((1, 2)), np.zeros((2, 1)), "do not fit 1 sources and 2 targets"),
        (np.zeros((1, 2, 3)), np.zeros((2, 1)), "do not fit 1 sources and 2 targets"),
        (np.full((1, 2, 1), np.inf), np.zeros((2, 1)), "infinite scores; put NaN"),
    ],
)
def test_arrays_that_are_no_table_are_refused(scores, baseline, says):
    with pytest.raises(DataError, match=says):
        Transfers(("a",), ("t", "u"), scores, baseline)


def test_names_come_once():
    with pytest.raises(DataError, match="the target 't' comes 2 times"):
        Transfers(("a",), ("t", "t"), np.zeros((1, 2, 1)), np.zeros((2, 1)))
