"""Sentences say what the figures say, and no more."""

from __future__ import annotations

import pytest

from taskspace.bench.fute.findings import findings
from taskspace.bench.fute.judging import Judge
from taskspace.bench.fute.shown import for_reading
from taskspace.ranking.history import Row, Transfers

SOURCES = "abcdef"


@pytest.fixture
def scores(rng):
    return {f"t{i}": dict(zip(SOURCES, rng.permutation(6) / 10, strict=True)) for i in range(8)}


@pytest.fixture
def judge(scores):
    measured = [Row(s, t, value, 0.2, 0) for t, row in scores.items() for s, value in row.items()]
    pairs = dict.fromkeys([*SOURCES, *scores], False)
    return Judge.of(Transfers.of(measured), pairs, ("t0", "t1"))


def rows(scores, learner, pairing, sign):
    return [
        {"learner": learner, "pairing": pairing, "target": t, "source": s, "cosine": sign * value}
        for t, row in scores.items() for s, value in row.items()
    ]  # fmt: skip


def test_perfect_is_surely_better_and_reversed_surely_worse(judge, scores):
    said = findings(rows(scores, "response", "MTE-DTE", 1) + rows(scores, "text", "DTE-DTE", -1), judge)
    assert said[0] == "8 targets, 6 sources each, transfers measured with 1 seed."
    assert said[1].startswith("Highest NDCG: `response` MTE-DTE, 1.000 [1.000, 1.000]; `text` DTE-DTE 0.")
    assert "Surely better than chance: `response` MTE-DTE; surely worse: `text` DTE-DTE." in said
    assert any(line.startswith("Surely better than the target-blind prior: `response` MTE-DTE") for line in said)
    assert "Surely better than `text`: `response` MTE-DTE." in said
    assert said[-2].startswith("Among sources of the target's own kind of input, 6.0 on average: highest NDCG: `resp")
    assert said[-1].startswith("On the 2 cross-domain targets, too few to tell ways apart: highest NDCG: `response`")


def test_equal_ways_differ_by_what_may_be_nothing(judge, scores):
    both = rows(scores, "fisher", "MTE-DTE", 1) + rows(scores, "fisher", "DTE-DTE", 1)
    assert "`fisher`, MTE-DTE minus DTE-DTE: +0.000 [+0.000, +0.000], which may be nothing." in findings(both, judge)
    apart = rows(scores, "fisher", "MTE-DTE", 1) + rows(scores, "fisher", "DTE-DTE", -1)
    (line,) = [line for line in findings(apart, judge) if "minus" in line]
    assert line.startswith("`fisher`, MTE-DTE minus DTE-DTE: +0.")
    assert "nothing" not in line


def test_tuned_parameters_are_not_held_against_themselves(judge, scores):
    said = findings([r for p in ("MTE-DTE", "DTE-DTE", "original") for r in rows(scores, "tuned:x", p, 1)], judge)
    assert not any("original minus" in line for line in said)


def test_nothing_in_common_is_said(judge):
    assert findings([], judge) == ["No target has two sources that were both measured and embedded."]


def test_an_interval_stands_behind_its_mean_and_chance_has_none():
    table = [
        {"learner": "x", "ndcg": 0.91234, "ndcg_low": 0.8, "ndcg_high": 1.0, "regret_3": 1.25, "targets": 3},
        {"learner": "chance", "ndcg": 0.5, "ndcg_low": 0.4, "ndcg_high": 0.6, "regret_3": None, "targets": 3},
    ]
    lines = for_reading(table).splitlines()
    assert lines[0] == "| learner | NDCG | regret@3, points | targets |"
    assert lines[2] == "| x | 0.912 [0.800, 1.000] | 1.2 | 3 |"
    assert lines[3] == "| chance | 0.500 | – | 3 |"
