"""Each claim holds where the runs were made so, does not where they were made otherwise, and asks for more if few."""

from __future__ import annotations

import pytest

from taskspace.prompting.study import Rules, Run, claims, details
from taskspace.prompting.study.claims import pooled
from taskspace.prompting.study.statistics import holm

INDEPENDENT, ALIKE, SERVING, RANDOM, SINGLE = range(5)
TASKS, TARGETS = ("a", "b", "c", "d"), {"x": ("a", "b"), "y": ("c", "d")}


def verdicts(runs, prompts=()):
    return [each.verdict for each in claims(runs, prompts)]


def test_vectors_that_lose_nothing_abroad_are_independent(made):
    sources = list(made.sources(TASKS))
    (claim, *_) = claims([*sources, *made.mixed(sources, {})], ())
    assert claim.verdict == "holds"
    assert (claim.n, claim.unit) == (3, "inits")
    assert claim.figure == pytest.approx(0, abs=0.002)
    assert claim.note == "surely within ±0.02 on 4 of 4 tasks"


def test_one_task_that_surely_loses_is_enough_against_it_and_is_named(made):
    sources = list(made.sources(TASKS))
    (claim, *_) = claims([*sources, *made.mixed(sources, {"c": -0.06})], ())
    assert claim.verdict == "does not hold"
    assert claim.figure == pytest.approx(-0.015, abs=0.003)
    assert "within ±0.02 on 3 of 4" in claim.note
    assert "beyond it on c (-0.06" in claim.note


def test_a_noisy_loss_asks_for_more_runs(made):
    sources = list(made.sources(TASKS))
    (claim, *_) = claims([*sources, *made.mixed(sources, {"c": -0.03}, spread=0.05)], ())
    assert claim.verdict == "not enough runs"
    assert claim.p_holm > 0.05


def test_alike_vectors_and_unlike_ones(made):
    assert verdicts([], list(made.prompts()))[ALIKE] == "holds"
    assert verdicts([], list(made.prompts(alike=0.0)))[ALIKE] != "holds"
    assert verdicts([], list(made.prompts(TASKS, (0,))))[ALIKE] == "not enough runs"


@pytest.mark.parametrize(("kept", "verdict"), [(0.96, "holds"), (0.8, "does not hold")])
def test_sums_that_keep_more_or_less_than_the_share(made, kept, verdict):
    sources = list(made.sources(TASKS))
    claim = claims([*sources, *made.pairs(sources, kept=kept)], ())[SERVING]
    assert claim.verdict == verdict
    assert claim.figure == pytest.approx(kept, abs=0.01)
    assert claim.low < claim.figure < claim.high
    assert claim.note.startswith(f"{6 if verdict == 'holds' else 0} of 6 pairs keep 0.9 of both on average")


def test_another_share_is_another_verdict(made):
    sources = list(made.sources(TASKS))
    runs = [*sources, *made.pairs(sources, kept=0.8)]
    assert claims(runs, (), Rules(share=0.7))[SERVING].verdict == "holds"


def test_sums_that_start_better(made):
    found = claims(list(made.shots(TARGETS, spread=0.004)), ())
    assert [each.verdict for each in found[RANDOM:]] == ["holds", "holds"]
    assert found[RANDOM].figure > found[SINGLE].figure > 0
    assert "lower in 0 of 10 cells" in found[RANDOM].note
    assert found[SINGLE].note.endswith("the single source was chosen on test")


def test_sums_that_start_no_better_than_the_best_single_source(made):
    gains = {"random": 0.0, "single": 0.1, "tpv": 0.09}
    found = claims(list(made.shots(TARGETS, gains, spread=0.004)), ())
    assert [each.verdict for each in found[RANDOM:]] == ["holds", "does not hold"]


def test_the_gain_is_judged_at_each_number_of_shots(made):
    found = details(list(made.shots(TARGETS, spread=0.004)), ())
    own = [each for each in found if "random" in each.claim]
    assert [each.where for each in own] == ["0 shots", "10 shots", "50 shots", "100 shots", "500 shots"]
    assert [each.p_holm for each in own] == pytest.approx(holm([each.p for each in own]))
    assert own[0].figure == pytest.approx(0.16, abs=0.01)
    assert own[-1].figure == pytest.approx(0.16 / (1 + 500 / 80), abs=0.01)


def test_nothing_run_and_one_init_run_are_not_enough(made):
    assert verdicts([]) == ["not enough runs"] * 5
    assert all(each.figure is None and each.note == "" for each in claims([], ()))
    sources = list(made.sources(TASKS, inits=(0,)))
    runs = [*sources, *made.pairs(sources), *made.shots(TARGETS, inits=(0,))]
    found = claims(runs, list(made.prompts(TASKS, (0,))))
    assert [each.verdict for each in found] == ["not enough runs"] * 5
    assert found[RANDOM].figure > 0  # measured, and not judged
    assert found[RANDOM].unit == "seeds"


def test_the_p_values_are_adjusted_over_the_claims(study, prompts):
    found = claims(study, prompts)
    assert [each.p_holm for each in found] == pytest.approx(holm([each.p for each in found]))
    assert [each.verdict for each in found] == ["does not hold", "holds", "holds", "holds", "holds"]


def test_a_unit_is_the_mean_over_cells_that_all_have_it():
    """Units 0 and 1 are in both cells: (.1 + .3)/2 and (.2 + .2)/2."""
    found = pooled([{0: 0.1, 1: 0.2, 2: 9.0}, {0: 0.3, 1: 0.2}])
    assert found.n == (2, 2)
    assert found.difference == pytest.approx(0.2)
    assert pooled([]).note == "not enough runs"


def test_a_sum_serves_as_well_as_the_task_it_serves_worse():
    """Of "a" all is kept and of "b" four fifths, by either init, give or take a little."""
    runs = []
    for init, slip in ((0, 0.0), (1, 0.01), (2, 0.02)):
        for task, other, kept in (("a", "b", 1.0), ("b", "a", 0.8)):
            base = {"task": task, "metric": "f1", "init": init}
            runs.append(Run(part="sources", score=0.5, **base))
            runs.append(Run(part="pairs", score=0.5 * (kept - slip), other=other, method="tpv", **base))
    claim = claims(runs, ())[SERVING]
    assert claim.figure == pytest.approx(0.79)
    assert claim.verdict == "does not hold"
