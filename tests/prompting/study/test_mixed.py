"""Original against mixed initialisation, on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from taskspace.prompting.study import Run
from taskspace.prompting.study.mixed import mixed_table, vectors

HOME = {0: 0.80, 1: 0.84, 2: 0.82}
ABROAD = {(0, 1): 0.70, (0, 2): 0.74, (1, 0): 0.80, (1, 2): 0.84, (2, 0): 0.75, (2, 1): 0.77}


def runs(task="trec", home=HOME, abroad=ABROAD):
    base = {"task": task, "metric": "accuracy"}
    found = [Run(part="sources", init=i, score=score, **base) for i, score in home.items()]
    return found + [Run(part="mixed", init=i, foreign=j, score=score, **base) for (i, j), score in abroad.items()]


def test_a_vectors_foreign_scores_are_averaged_then_paired_with_home():
    (row,) = mixed_table(runs())
    mixed, home = [0.72, 0.82, 0.76], [0.80, 0.84, 0.82]
    assert (row["vectors"], row["cells"]) == (3, 6)
    assert (row["original"], row["mixed"]) == pytest.approx((np.mean(home), np.mean(mixed)))
    assert (row["original_sd"], row["mixed_sd"]) == pytest.approx((np.std(home, ddof=1), np.std(mixed, ddof=1)))
    assert row["p"] == row["p_holm"] == pytest.approx(stats.ttest_rel(mixed, home).pvalue)
    assert row["welch_p"] == pytest.approx(stats.ttest_ind(mixed, home, equal_var=False).pvalue)
    assert row["difference"] == pytest.approx(-(0.08 + 0.02 + 0.06) / 3)
    assert row["boot_low"] <= row["difference"] <= row["boot_high"]


def test_only_what_was_scored_at_home_and_abroad_on_test_counts():
    stray = [
        Run(part="mixed", task="trec", metric="accuracy", init=7, foreign=0, score=0.1),
        Run(part="mixed", task="trec", metric="accuracy", init=1, foreign=1, score=0.1),
        Run(part="mixed", task="trec", metric="accuracy", init=0, foreign=1, score=0.1, split="validation"),
        Run(part="mixed", task="trec", metric="f1", init=0, foreign=1, score=0.1),
        Run(part="sources", task="trec", metric="accuracy", init=0, score=0.1, split="validation"),
        Run(part="sources", task="other", metric="accuracy", init=0, score=0.1),
    ]
    assert vectors(runs() + stray) == vectors(runs())


def test_the_untrained_init_is_shown_and_not_mistaken_for_a_prompt():
    start = [Run(part="sources", task="trec", metric="accuracy", init=i, score=s, method="start")
             for i, s in ((0, 0.2), (1, 0.4))]  # fmt: skip
    (row,) = mixed_table(runs() + start)
    assert row["untrained"] == pytest.approx(0.3)
    assert row["original"] == pytest.approx(np.mean(list(HOME.values())))


def test_seeds_of_one_vector_are_one_vector():
    again = [Run(part="sources", task="trec", metric="accuracy", init=0, seed=1, score=0.90)]
    assert vectors(runs() + again)[0].original == pytest.approx(0.85)
    assert mixed_table(runs() + again)[0]["vectors"] == 3


def test_holm_goes_over_tasks():
    flat = {key: HOME[key[0]] + 0.001 * i * i for i, key in enumerate(ABROAD)}
    rows = mixed_table(runs() + runs("sst2", abroad=flat) + runs("rte", abroad={(0, 1): 0.5}))
    assert [row["task"] for row in rows] == ["trec", "sst2", "rte"]
    assert rows[2]["note"] == "not enough runs"
    assert rows[2]["p"] is None
    small, large = sorted(row["p"] for row in rows[:2])
    assert sorted(row["p_holm"] for row in rows[:2]) == pytest.approx([2 * small, max(2 * small, large)])
    assert sorted(row["p_bonferroni"] for row in rows[:2]) == pytest.approx([min(1, 2 * small), min(1, 2 * large)])


def test_no_runs_no_rows():
    assert mixed_table([]) == []
