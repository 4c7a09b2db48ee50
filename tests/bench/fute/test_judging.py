"""Hand-worked truths: what an order gets, beside chance and the prior."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from taskspace.bench.fute.judging import CHANCE, CROSS_DOMAIN, IN_CLASS, PRIOR, Judge
from taskspace.ranking.history import Row as Measured
from taskspace.ranking.history import Transfers

PAIRS = {"a": False, "b": False, "c": True, "x": False, "y": True}
SCORES = {"x": {"a": 0.9, "b": 0.7, "c": 0.5}, "y": {"a": 0.5, "b": 0.6, "c": 0.9}}


def measured(scores, seed=0):
    return [Measured(s, t, score, 0.5, seed, "accuracy") for t, row in scores.items() for s, score in row.items()]


@pytest.fixture
def judge():
    return Judge.of(Transfers.of(measured(SCORES)), PAIRS, ("y",))


def rows(way="w", **given):
    """Similarities by target: ``x={"a": .1}``."""
    return [{"way": way, "target": t, "source": s, "cosine": c} for t, row in given.items() for s, c in row.items()]


def test_ndcg_rank_and_regret_by_hand(judge):
    marks = judge.marks(rows(x={"a": 0.2, "b": 0.3, "c": 0.1}, y={"a": 3, "b": 2, "c": 1}), ["way"])["w",]
    second = 1 / np.log2(3)
    # x: gains 1, 1/2, 0; the order is b, a, c.  y: gains 0, 1/4, 1; the order is a, b, c.
    assert marks["x"]["ndcg"] == pytest.approx((0.5 + second) / (1 + 0.5 * second))
    assert marks["y"]["ndcg"] == pytest.approx((0.25 * second + 0.5) / (1 + 0.25 * second))
    assert [marks[t]["rank_of_best"] for t in "xy"] == [2, 3]
    assert [marks[t]["regret_3"] for t in "xy"] == [0, 0]
    table = {row["way"]: row for row in judge.table(rows(x=SCORES["x"], y=SCORES["y"]), ["way"])}
    assert table["w"]["ndcg"] == pytest.approx(1)
    assert table["w"]["targets"] == 2


def test_chance_is_the_mean_over_all_orders(judge):
    orders = [
        judge.marks(rows(x=dict(zip("abc", order, strict=True))), ["way"])["w",]["x"]["ndcg"]
        for order in permutations((1, 2, 3))
    ]
    found = judge.marks(rows(x=dict.fromkeys("abc", 0.0)), ["way"])
    assert found[CHANCE]["x"]["ndcg"] == pytest.approx(np.mean(orders))
    assert found[CHANCE]["x"]["rank_of_best"] == 2


def test_the_prior_knows_the_other_target_alone(judge):
    found = judge.marks(rows(x=SCORES["x"], y=SCORES["y"]), ["way"])
    assert found[PRIOR]["x"]["rank_of_best"] == 3  # on y the source a is the worst
    assert found[PRIOR]["y"]["rank_of_best"] == 3


def test_a_difference_is_paired_over_targets(judge):
    row = judge.table(rows(x=SCORES["x"], y=SCORES["y"]), ["way"])[0]
    marks = judge.marks(rows(x=SCORES["x"], y=SCORES["y"]), ["way"])
    gaps = [1 - marks[PRIOR][t]["ndcg"] for t in "xy"]
    assert row["above_prior"] == pytest.approx(np.mean(gaps))
    assert row["above_prior_low"] == pytest.approx(min(gaps))  # with two targets, both draws may be the same


def test_one_class_of_sources_and_targets_of_another_domain(judge):
    given = rows(x=SCORES["x"], y=SCORES["y"])
    assert set(judge.marks(given, ["way"], candidates=IN_CLASS)["w",]) == {"x"}  # y has one source of pairs
    assert judge.table(given, ["way"], candidates=IN_CLASS)[0]["sources"] == 2
    assert set(judge.marks(given, ["way"], of=CROSS_DOMAIN)["w",]) == {"y"}


def test_all_ways_are_scored_on_the_same_sources(judge):
    some = rows("less", x={"a": 1, "b": 2}, y={"a": 1})
    marks = judge.marks(some + rows("more", x=SCORES["x"], y=SCORES["y"]), ["way"])
    assert {way: set(found) for way, found in marks.items()} == dict.fromkeys(
        [("less",), ("more",), PRIOR, CHANCE], {"x"}
    )
    assert marks["more",]["x"]["sources"] == 2


def test_what_says_nothing_stands_last(judge):
    marks = judge.marks(rows(x={"a": None, "b": -0.9, "c": -0.8}), ["way"])
    assert marks["w",]["x"]["rank_of_best"] == 3


def test_a_run_that_is_not_complete_does_not_count():
    later = {"x": {"a": 0.1}, "y": {"a": 0.7, "b": 0.8, "c": 0.7}}
    judge = Judge.of(Transfers.of(measured(SCORES) + measured(later, seed=1)), PAIRS)
    assert (judge.runs("x"), judge.runs("y")) == (1, 2)
    assert judge.transfers.column("x").tolist() == [0.9, 0.7, 0.5]
    assert judge.transfers.column("y").tolist() == pytest.approx([0.6, 0.7, 0.8])


def test_a_target_is_not_its_own_source():
    scores = {"x": {"x": 1.0, "a": 0.9, "b": 0.7}}
    judge = Judge.of(Transfers.of(measured(scores)), PAIRS)
    marks = judge.marks(rows(x={"x": 9, "a": 2, "b": 1}), ["way"])
    assert marks["w",]["x"]["sources"] == 2


def test_nothing_measured_gives_no_table(judge):
    assert judge.table(rows(z={"a": 1.0}), ["way"]) == []
    assert judge.table([], ["way"]) == []
