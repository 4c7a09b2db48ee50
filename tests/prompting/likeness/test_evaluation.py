from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.prompting.likeness import Measure, Transfer, evaluate_transfers, interval
from taskspace.ranking import ndcg

ANGLES = {"a": 0, "b": 10, "c": 35, "d": 100}
PROMPTS = {name: np.array([[np.cos(r), np.sin(r)]]) for name, r in ((n, np.deg2rad(x)) for n, x in ANGLES.items())}


def nearness(s, t):
    return 1 - abs(ANGLES[s] - ANGLES[t]) / 100


def rows(score=nearness, targets=ANGLES):
    return [Transfer(s, t, score(s, t)) for t in targets for s in ANGLES]


def test_a_measure_that_agrees_is_perfect():
    found = evaluate_transfers(PROMPTS, rows())
    for result in found:
        assert (result.ndcg, result.regret_1, result.regret_3, result.spearman) == (1, 0, 0, 1)
        assert result.sources == 3
    assert found.skill == pytest.approx(1)
    assert [result.target for result in found] == list(ANGLES)


def test_one_target_by_hand():
    """Truth for "a": b 0.2, c 0.8, d 0.5; the order by nearness is b, c, d."""
    truth = {"b": 0.2, "c": 0.8, "d": 0.5, "a": 1.0}
    found = evaluate_transfers(PROMPTS, rows(lambda s, t: truth[s], targets=["a"]))
    (result,) = found
    ideal = 1 + 0.5 / np.log2(3)
    assert result.ndcg == pytest.approx((1 / np.log2(3) + 0.5 / 2) / ideal)
    assert result.ndcg_chance == pytest.approx(0.5 * (1 + 1 / np.log2(3) + 1 / 2) / ideal)
    assert result.regret_1 == pytest.approx(0.6)
    assert result.regret_1_chance == pytest.approx(0.3)
    assert result.regret_3 == pytest.approx(0)
    assert result.spearman == pytest.approx(-0.5)
    assert result.ndcg_prior == pytest.approx(result.ndcg_chance)  # no other target: the prior ties all


def test_chance_is_the_mean_over_all_orders():
    found = evaluate_transfers(PROMPTS, rows(lambda s, t: {"a": 0, "b": 1, "c": 5, "d": 7}[s], targets=["a"]))
    orders = [ndcg([1, 5, 7], order) for order in itertools.permutations(range(3))]
    assert found.targets[0].ndcg_chance == pytest.approx(np.mean(orders))


def test_neither_the_target_nor_its_transfers_are_seen():
    """Whatever the target's column, its own cell and its prompt's scores elsewhere: prior and known stay the same."""
    seen = []

    def look(query):
        seen.append((query.names, query.prior, query.known))
        return np.zeros(len(query))

    rng = np.random.default_rng(0)
    base = {(s, t): float(rng.uniform()) for s in ANGLES for t in ANGLES}
    for _ in range(2):
        measure = Measure(look, "", needs=("prior", "transfers"))
        evaluate_transfers(PROMPTS, rows(lambda s, t: base[s, t]), measure)
        for name in ANGLES:
            base["a", name], base[name, "a"] = float(rng.uniform()), float(rng.uniform())
    first, again = seen[0], seen[4]
    assert first[0] == again[0] == ("'b'", "'c'", "'d'")
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(first[2], again[2])
    assert np.isfinite(first[2]).all()
    assert not np.array_equal(seen[1][1], seen[5][1])  # for another target they do count


def test_what_has_no_prompt_is_left_out_and_said():
    extra = [Transfer("random", "a", 9.0), Transfer("b", "unheard", 9.0), Transfer("c", "unheard", 1.0)]
    found = evaluate_transfers(PROMPTS, [*rows(), *extra])
    assert [result.sources for result in found] == [3, 3, 3, 3]
    assert found.notes == (
        "sources without a prompt are left out: random",
        "targets without a prompt or two sources are left out: unheard",
    )


def test_a_table_with_gaps_is_judged_by_what_is_there():
    found = evaluate_transfers(PROMPTS, [r for r in rows() if (r.source, r.target) != ("b", "a")])
    assert [result.sources for result in found] == [2, 3, 3, 3]


def test_names_that_do_not_meet_are_said():
    with pytest.raises(DataError, match="none of 4 targets has a prompt and two measured sources"):
        evaluate_transfers({"x": PROMPTS["a"]}, rows())


def test_interval_holds_the_mean_and_shrinks_with_targets():
    rng = np.random.default_rng(0)
    few, many = interval(rng.normal(size=10)), interval(rng.normal(size=1000))
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 3
    flat = interval(np.full(5, 0.25))
    assert (flat.mean, flat.low, flat.high) == (0.25, 0.25, 0.25)


def test_interval_of_many_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(size=400)
    said, half = interval(values), 1.96 * values.std() / 20
    assert said.low == pytest.approx(values.mean() - half, abs=0.01)
    assert said.high == pytest.approx(values.mean() + half, abs=0.01)


def test_gains_are_paired():
    pooled = evaluate_transfers(PROMPTS, rows())
    blind = evaluate_transfers(PROMPTS, rows(), "source_norm")  # all norms are 1: chance
    gain = pooled.gain_over(blind)
    assert gain.mean == pytest.approx(pooled.mean().mean - pooled.mean("ndcg_chance").mean)
    assert blind.skill == pytest.approx(0)
    assert pooled.gain_over(pooled) == interval(np.zeros(4))


def test_gains_over_other_targets_are_refused():
    pooled, fewer = evaluate_transfers(PROMPTS, rows()), evaluate_transfers(PROMPTS, rows(targets=["a", "b"]))
    with pytest.raises(SettingError, match="other targets"):
        pooled.gain_over(fewer)
    with pytest.raises(SettingError, match="metric='mrr' is not known"):
        pooled.gain_over(pooled, "mrr")


def test_reads_as_a_table_and_as_json():
    found = evaluate_transfers(PROMPTS, rows())
    text = str(found)
    head = ["target", "sources", "ndcg", "chance", "prior", "regret@1", "regret@3", "spearman"]
    assert text.splitlines()[0].split() == head
    assert "pooled: NDCG 1.000 [1.000, 1.000], linear gain, of 4 targets; chance" in text
    told = json.loads(json.dumps(found.to_dict()))
    assert told["ndcg"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert [row["target"] for row in told["targets"]] == list(ANGLES)


# --- published prompts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backbone", "targets", "figure"), [("roberta-base", 14, 90.1), ("t5-small", 17, 89.0)])
def test_pooled_cosine_reaches_the_figures_known_for_published_prompts(published, backbone, targets, figure):
    found = evaluate_transfers(*published(backbone))
    assert len(found) == targets
    assert 100 * found.mean().mean == pytest.approx(figure, abs=0.5)
    assert 100 * found.mean("ndcg_chance").mean == pytest.approx(70, abs=1)
    assert all(result.sources == targets - 1 for result in found)  # neither the target nor `random`
    assert found.notes == ("sources without a prompt are left out: random",)


@pytest.mark.parametrize("backbone", ["roberta-base", "t5-small"])
def test_measured_neighbours_beat_pooled_cosine_on_either_backbone(published, backbone):
    prompts, transfers = published(backbone)
    pooled = evaluate_transfers(prompts, transfers)
    for name in ("neighbours", "pooled_and_neighbours"):
        assert evaluate_transfers(prompts, transfers, name).gain_over(pooled).mean > 0.005
    blind = evaluate_transfers(prompts, transfers, "prior")
    assert blind.mean().mean == pytest.approx(pooled.mean("ndcg_prior").mean)
    assert pooled.gain_over(blind).low > 0
