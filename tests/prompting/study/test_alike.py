"""Likeness within and between tasks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from taskspace.prompting.study import TunedPrompt
from taskspace.prompting.study.alike import (
    Cosines,
    alike_by_task,
    alike_table,
    cosine_table,
    cosines,
    likeness,
)


def flat_cosine(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def of(values, tasks, inits):
    return Cosines("vectors", "pooled", tuple(tasks), tuple(inits), np.array(values, dtype=np.float64))


@pytest.mark.parametrize("kind", ["prompts", "vectors"])
def test_both_cosines_by_their_formulas(prompts, kind):
    arrays = [(p.tokens if kind == "prompts" else p.vector).astype(np.float64) for p in prompts]
    pooled, flat = cosines(prompts, kind, "pooled").values, cosines(prompts, kind, "flattened").values
    for i, j in itertools.product(range(len(arrays)), repeat=2):
        assert pooled[i, j] == pytest.approx(flat_cosine(arrays[i].mean(0), arrays[j].mean(0)), abs=1e-6)
        assert flat[i, j] == pytest.approx(flat_cosine(arrays[i], arrays[j]), abs=1e-6)


def test_only_other_inits_are_compared():
    """Tasks a, b from inits 0, 1; pairs of one init (.9) count neither within nor between."""
    names, inits = ["a", "a", "b", "b"], [0, 1, 0, 1]
    values = [[1, 0.5, 0.9, 0.1], [0.5, 1, 0.2, 0.9], [0.9, 0.2, 1, 0.4], [0.1, 0.9, 0.4, 1]]
    found = likeness(of(values, names, inits))
    assert found.tasks == ("a", "b")
    assert found.within == pytest.approx((0.5, 0.4))
    assert found.between == pytest.approx((0.15, 0.15))
    assert found.same_init == pytest.approx(0.9)
    assert found.test.difference == pytest.approx(0.3)
    assert found.p == pytest.approx(0.5, abs=0.03)  # two relabellings, and the observed is the better one


def test_the_permutation_p_is_that_of_all_relabellings():
    """Three tasks from two inits: 3! ways to name the second init's prompts; no constant shift in the values."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (6, 6))
    values = values + values.T
    names, inits = ["a", "b", "c"] * 2, [0] * 3 + [1] * 3
    excess = []
    for order in itertools.permutations(range(3)):
        within = np.mean([values[i, 3 + order[i]] for i in range(3)])
        between = np.mean([values[i, 3 + order[j]] for i in range(3) for j in range(3) if i != j])
        excess.append(within - between)
    exact = np.mean(np.array(excess) >= excess[0] - 1e-12)
    assert likeness(of(values, names, inits)).p == pytest.approx(exact, abs=0.025)


def test_the_permutation_p_keeps_its_level_where_nothing_is_alike(made):
    """Under no likeness a p of at most .1 comes up once in ten studies: 12 expected of 120, sd 3.3."""
    low = 0
    for seed in range(120):
        found = cosines(list(made.prompts(("a", "b", "c", "d"), alike=0.0, tokens=2, width=6, seed=seed)))
        low += likeness(found, draws=199).p <= 0.1
    assert 3 <= low <= 22


def test_likeness_is_found_where_there_is_some_and_not_where_there_is_none(made, prompts):
    rows = alike_table(prompts)
    assert [(row["of"], row["measure"]) for row in rows] == [
        ("prompts", "pooled"), ("prompts", "flattened"), ("vectors", "pooled"), ("vectors", "flattened"),
    ]  # fmt: skip
    assert all(row["p_holm"] < 0.01 and row["within_task"] > row["between_tasks"] for row in rows)
    assert all(row["p_holm"] >= row["p"] for row in rows)
    same = next(row for row in rows if row["of"] == "prompts" and row["measure"] == "flattened")
    assert same["between_tasks_same_init"] > same["between_tasks"] + 0.05  # the init they share
    assert all(row["p_holm"] > 0.05 for row in alike_table(list(made.prompts(alike=0.0))))


def test_the_test_pairs_tasks(prompts):
    rows = [row for row in alike_by_task(prompts) if (row["of"], row["measure"]) == ("vectors", "pooled")]
    changes = [row["difference"] for row in rows]
    found = likeness(cosines(prompts), draws=0).test
    assert found.n == (5, 5)
    assert found.t == pytest.approx(np.mean(changes) / (np.std(changes, ddof=1) / np.sqrt(5)))


def test_every_pair_is_listed_once(prompts):
    rows = cosine_table(prompts)
    assert len(rows) == 15 * 14 // 2
    arrays = {(p.task, p.init): p.vector.astype(np.float64).mean(0) for p in prompts}
    for row in rows[::17]:
        a, b = arrays[row["task_a"], row["init_a"]], arrays[row["task_b"], row["init_b"]]
        assert row["vectors_pooled"] == pytest.approx(flat_cosine(a, b), abs=1e-6)


@pytest.mark.parametrize(("tasks", "inits"), [((), ()), (("a", "b"), (0,)), (("a",), (0, 1, 2))])
def test_too_few_tasks_or_inits_give_no_number(made, tasks, inits):
    found = likeness(cosines(list(made.prompts(tasks, inits))))
    assert (found.p, found.test.p, found.test.note) == (None, None, "not enough runs")


def test_an_untouched_prompt_is_like_nothing():
    start = np.ones((2, 3), np.float32)
    found = cosines([TunedPrompt("a", 0, start, start), TunedPrompt("a", 1, 2 * start, start)])
    np.testing.assert_array_equal(found.values, [[0, 0], [0, 1]])


def test_a_permutation_p_is_never_zero(prompts):
    """The observed labels are one of the draws + 1."""
    assert likeness(cosines(prompts), draws=99).p == 0.01
