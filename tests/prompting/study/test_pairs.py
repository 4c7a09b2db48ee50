"""Sums of two vectors, on cases worked by hand."""

from __future__ import annotations

import pytest

from taskspace.prompting.study import Run
from taskspace.prompting.study.pairs import pair_table, scale_curves, sums

SINGLE = {"a": {0: 0.8, 1: 1.0}, "b": {0: 0.5, 1: 0.5}}


def source(task, init, score, **fields):
    return Run(part="sources", task=task, metric="f1", init=init, score=score, **fields)


def of_pair(task, other, init, scale, score, split="validation"):
    return Run(
        part="pairs", task=task, other=other, metric="f1", init=init, scale=scale, score=score, split=split,
        method="tpv",
    )  # fmt: skip


@pytest.fixture
def singles():
    return [source(task, init, score) for task, own in SINGLE.items() for init, score in own.items()]


def both(init, scale, first, second, split="validation"):
    return [of_pair("a", "b", init, scale, first, split), of_pair("b", "a", init, scale, second, split)]


def test_validation_chooses_the_smallest_best_scale(singles):
    """Means .3, .6, .6, .5 at λ 0, .5, .75, 1: .5 is chosen, though 1 is best on test."""
    runs = [*singles]
    for scale, a, b in ((1.0, 0.5, 0.5), (0.75, 0.4, 0.8), (0.5, 0.8, 0.4), (0.0, 0.3, 0.3)):
        runs += both(0, scale, a, b) + both(0, scale, scale, 0.45, "test")
    (found,) = sums(runs)
    assert (found.scale, found.scores, found.single) == (0.5, (0.5, 0.45), (0.8, 0.5))
    assert found.relative == pytest.approx((0.625, 0.9))
    assert found.kept == pytest.approx(0.625)


def test_test_scores_choose_nothing(singles):
    runs = [*singles, *both(0, 0.5, 0.7, 0.4, "test"), *both(0, 1.0, 0.6, 0.5, "test")]
    assert sums(runs) == []
    assert [found.scale for found in sums(runs[:-2])] == [0.5]


def test_a_scale_scored_on_one_task_only_is_left_out(singles):
    runs = [*singles, *both(0, 0.5, 0.7, 0.4), of_pair("a", "b", 0, 0.9, 1.0)]
    (curve,) = scale_curves(runs)
    assert dict(curve.scores) == {0.5: (0.7, 0.4)}
    assert curve.best == 0.5


def test_a_sum_without_its_single_prompts_or_with_a_useless_one_is_not_rated(singles):
    tested = both(0, 1.0, 0.7, 0.4, "test")
    assert len(sums([*singles, *tested])) == 1
    assert sums([*singles[1:], *tested]) == []
    assert sums([source("a", 0, 0.0), source("b", 0, 0.5), *tested]) == []


def test_the_order_in_which_a_pair_is_named_does_not_matter(singles):
    runs = [*singles, *both(0, 1.0, 0.7, 0.4, "test")]
    assert sums(runs) == sums([*singles, *runs[:-3:-1]])


def test_the_table_says_what_is_kept_and_tests_it_against_the_share(singles):
    """Kept .9 and .8 (the worse task of each init): mean .85, t = -.05/.05 = -1 against .9, p = 1/2 at one df."""
    starts = [source(task, 0, score, method="start") for task, score in (("a", 0.45), ("b", 0.4))]
    runs = [*singles, *starts, *both(0, 0.6, 0.72, 0.5, "test"), *both(1, 0.8, 1.0, 0.4, "test")]
    (row,) = pair_table(runs)
    assert (row["task_a"], row["task_b"], row["n"], row["scales"]) == ("a", "b", 2, "0.6 0.8")
    assert row["scale"] == pytest.approx(0.7)
    assert (row["relative_a"], row["relative_b"]) == pytest.approx(((0.9 + 1.0) / 2, (1.0 + 0.8) / 2))
    assert row["kept"] == pytest.approx(0.85)
    assert (row["low"] + row["high"]) / 2 == pytest.approx(0.85)
    assert row["p"] == pytest.approx(0.5)
    assert row["untrained_kept"] == pytest.approx(0.45 / 0.9)


def test_holm_goes_over_the_pairs_of_one_method(made):
    sources = list(made.sources(("a", "b", "c")))
    rows = pair_table([*sources, *made.pairs(sources)])
    assert [(row["task_a"], row["task_b"]) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert min(row["p_holm"] for row in rows) == pytest.approx(3 * min(row["p"] for row in rows))
    assert all(row["scale"] == pytest.approx(0.6) and row["n"] == 3 for row in rows)
    assert all(row["kept"] == pytest.approx(0.96, abs=0.01) for row in rows)


def test_one_init_is_not_enough(singles):
    (row,) = pair_table([*singles, *both(0, 1.0, 0.7, 0.4, "test")])
    assert (row["note"], row["p"], row["low"]) == ("not enough runs", None, None)
