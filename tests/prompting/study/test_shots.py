"""The few-shot part, on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from taskspace.prompting.study import Run
from taskspace.prompting.study.shot_tables import shot_summary, shot_table
from taskspace.prompting.study.shots import best_single, by_unit, cells, compare


def shot(method, init, score, *, seed=0, shots=10, task="snli", other=None, split="test"):
    return Run(
        part="shots", task=task, metric="f1", method=method, init=init, seed=seed, shots=shots, score=score,
        other=other, split=split,
    )  # fmt: skip


RANDOM, SUM = [0.40, 0.50, 0.45], [0.52, 0.60, 0.59]


def several():
    runs = [shot("random", i, score) for i, score in enumerate(RANDOM)]
    runs += [shot("tpv", i, score) for i, score in enumerate(SUM)]
    for source, base in (("mnli", 0.55), ("qnli", 0.50)):
        runs += [shot("single", i, base + 0.01 * i * i, other=source) for i in range(3)]
    return runs


def row_of(rows, method, source=None):
    return next(row for row in rows if (row["method"], row["source"]) == (method, source))


def test_means_and_tests_are_of_raw_runs():
    rows = shot_table(several())
    assert [(row["method"], row["source"]) for row in rows] == [
        ("random", None), ("single", "mnli"), ("single", "qnli"), ("tpv", None),
    ]  # fmt: skip
    row = row_of(rows, "tpv")
    assert (row["mean"], row["sd"], row["n"]) == pytest.approx((np.mean(SUM), np.std(SUM, ddof=1), 3))
    low, high = stats.t.interval(0.95, 2, loc=np.mean(SUM), scale=stats.sem(SUM))
    assert (row["mean_low"], row["mean_high"]) == pytest.approx((low, high))
    assert row["random_p"] == pytest.approx(stats.ttest_rel(SUM, RANDOM).pvalue)
    assert row["random_welch_p"] == pytest.approx(stats.ttest_ind(SUM, RANDOM, equal_var=False).pvalue)
    assert row["single_p"] == pytest.approx(stats.ttest_rel(SUM, [0.55, 0.56, 0.59]).pvalue)
    assert (row["best_single"], row["best_single_chosen_on"]) == ("mnli", "test")
    assert "random_p" not in row_of(rows, "random")
    assert "single_p" not in row_of(rows, "single", "qnli")
    assert "random_p" in row_of(rows, "single", "qnli")


def test_validation_chooses_the_single_source_where_all_were_validated():
    seen = [shot("single", i, 0.9, other="qnli", split="validation") for i in range(3)]
    best = best_single(cells(several()), cells(several() + seen, "validation"))
    assert (best["snli", 10].cell.source, best["snli", 10].chosen_on) == ("mnli", "test")
    seen += [shot("single", i, 0.8, other="mnli", split="validation") for i in range(3)]
    row = row_of(shot_table(several() + seen), "tpv")
    assert (row["best_single"], row["best_single_chosen_on"]) == ("qnli", "validation")
    assert row["single_difference"] == pytest.approx(np.mean(SUM) - np.mean([0.50, 0.51, 0.54]))


def test_seeds_of_one_init_are_averaged_first():
    """Three inits by four seeds are three units; the same numbers as twelve would look four times as sure."""
    rng = np.random.default_rng(0)
    runs = [
        shot(method, init, gain + 0.1 * init + rng.normal(0, 0.01), seed=seed)
        for method, gain in (("random", 0.0), ("tpv", 0.02))
        for init in range(3)
        for seed in range(4)
    ]
    random, summed = cells(runs)
    found = compare(summed, random)
    assert found.n == (3, 3)
    means = [[np.mean([cell.scores[i, s] for s in range(4)]) for i in range(3)] for cell in (summed, random)]
    assert found.p == pytest.approx(stats.ttest_rel(*means).pvalue)
    row = row_of(shot_table(runs), "tpv")
    assert (row["n"], row["random_units"]) == (12, 3)
    assert row["random_boot_low"] < row["random_difference"] < row["random_boot_high"]


def test_a_study_of_one_init_pairs_its_seeds():
    runs = [shot(method, 5, s, seed=i) for method, own in (("random", RANDOM), ("tpv", SUM)) for i, s in enumerate(own)]
    random, summed = cells(runs)
    assert by_unit(summed, random)[0] == {i: [score] for i, score in enumerate(SUM)}
    assert compare(summed, random).p == pytest.approx(stats.ttest_rel(SUM, RANDOM).pvalue)


def test_only_runs_that_both_sides_have_are_compared():
    runs = [shot("random", i, score) for i, score in enumerate(RANDOM)]
    runs += [shot("tpv", i, score) for i, score in ((1, 0.6), (2, 0.59), (9, 0.99))]
    random, summed = cells(runs)
    assert compare(summed, random).n == (2, 2)
    assert compare(summed, random).difference == pytest.approx((0.6 + 0.59 - 0.5 - 0.45) / 2)


def test_holm_goes_over_targets_and_shots_of_one_method():
    runs = several() + [
        shot(method, i, score + (shots == 50) * 0.03 * i, task="rte", shots=shots)
        for shots in (10, 50)
        for method, own in (("random", RANDOM), ("tpv", SUM))
        for i, score in enumerate(own)
    ]
    own = [row for row in shot_table(runs) if row["method"] == "tpv"]
    assert len(own) == 3
    first = min(own, key=lambda row: row["random_p"])
    assert first["random_p_holm"] == pytest.approx(3 * first["random_p"])
    alone = [row for row in own if "single_p" in row]
    assert len(alone) == 1
    assert alone[0]["single_p_holm"] == alone[0]["single_p"]


def test_one_run_is_shown_and_not_tested():
    row = row_of(shot_table([shot("random", 0, 0.4), shot("tpv", 0, 0.5)]), "tpv")
    assert (row["mean"], row["sd"], row["mean_low"], row["random_p"]) == (0.5, None, None, None)
    assert row["random_note"] == "not enough runs"
    assert row["random_difference"] == pytest.approx(0.1)


def test_the_summary_reads_at_a_glance():
    certain = [shot(m, i, s + 0.001 * i * (m == "tpv")) for m, s in (("random", 0.4), ("tpv", 0.6)) for i in range(3)]
    rows = shot_summary(shot_table([*certain, shot("dept", 0, 0.5, shots=0)]))
    assert rows == [
        {"task": "snli", "start": "dept", "0 shots": "0.500 (1)"},
        {"task": "snli", "start": "random", "10 shots": "0.400 ± 0.000 (3)"},
        {"task": "snli", "start": "tpv", "10 shots": "0.601 ± 0.001 (3)*"},
    ]
