from __future__ import annotations

import itertools

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.metrics import bootstrap, chance, kendall, ndcg, regret_at, seed_ceiling, spearman

NAN = float("nan")


def test_by_hand():
    """Seed by seed the sources come in the orders a b c and a c b: either ranks the other with correlation 1/2."""
    assert seed_ceiling([[[1, 1], [2, 3], [3, 2]]], spearman) == pytest.approx([0.5])
    # Regret of c by the second seed is 1, of b by the first is 1.
    assert seed_ceiling([[[1, 1], [2, 3], [3, 2]]], regret_at, k=1) == pytest.approx([1])


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_is_the_mean_over_all_halves(seeds):
    table = np.random.default_rng(seeds).normal(size=(6, seeds))
    values = []
    for size in {seeds // 2, seeds - seeds // 2}:
        for half in itertools.combinations(range(seeds), size):
            rest = [seed for seed in range(seeds) if seed not in half]
            values.append(kendall(table[:, rest].mean(axis=1), table[:, half].mean(axis=1)))
    assert seed_ceiling([table], kendall) == pytest.approx([np.mean(values)])


def test_many_seeds_are_halved_at_random():
    table = np.arange(8)[:, None] + np.random.default_rng(0).normal(scale=3, size=(8, 12))
    drawn, again = seed_ceiling([table]), seed_ceiling([table])
    assert drawn == pytest.approx(seed_ceiling([table], splits=10_000), abs=0.02)  # all 924
    np.testing.assert_array_equal(drawn, again)
    assert drawn != pytest.approx(seed_ceiling([table], seed=1), abs=1e-9)


def test_runs_without_noise_reach_1_and_those_of_noise_alone_get_chance():
    rng = np.random.default_rng(0)
    sure = np.repeat(rng.permutation(10)[:, None], 4, axis=1)
    noise = rng.normal(size=(200, 10, 2))
    assert seed_ceiling([sure]) == pytest.approx([1])
    found = bootstrap(seed_ceiling(noise))
    by_chance = np.mean([chance(ndcg, table[:, 1]) for table in noise])
    assert found.low < by_chance < found.high


def test_more_seeds_raise_it():
    rng = np.random.default_rng(0)
    runs = np.arange(10)[:, None] + rng.normal(scale=4, size=(40, 10, 8))
    assert paired_gain(seed_ceiling(runs), seed_ceiling(runs[:, :, :2])) > 0.03


def paired_gain(more, fewer):
    return float((more - fewer).mean())


class TestMissing:
    def test_a_source_without_a_run_in_a_half_is_left_out(self):
        with_gap = [[1, 1], [2, 3], [3, 2], [9, NAN]]
        assert seed_ceiling([with_gap], spearman) == seed_ceiling([with_gap[:3]], spearman)

    def test_the_runs_that_are_there_count(self):
        """Three seeds; the source c has two of them, so the split that would leave it none has a and b alone."""
        table = np.array([[1, 2, 3], [2, 3, 4], [5, 1, NAN]], dtype=float)
        values = []
        for size in (1, 2):
            for half in itertools.combinations(range(3), size):
                rest = [seed for seed in range(3) if seed not in half]
                ranking, judging = ([np.mean([v for v in row[list(part)] if v == v] or NAN) for row in table]
                                    for part in (half, rest))  # fmt: skip
                kept = [i for i in range(3) if ranking[i] == ranking[i] and judging[i] == judging[i]]
                values.append(kendall([judging[i] for i in kept], [ranking[i] for i in kept]))
        assert seed_ceiling([table], kendall) == pytest.approx([np.mean(values)])

    @pytest.mark.parametrize(
        "table",
        [[[1], [2], [3]], [[1, 2]], [[1, NAN], [NAN, 2], [3, 4]], np.zeros((3, 0))],
        ids=["one seed", "one source", "no two in both", "nothing"],
    )
    def test_targets_that_cannot_be_halved_are_named(self, table):
        fine = [[1, 2], [3, 4]]
        with pytest.raises(DataError, match="target 1 has no two sources with runs in two halves of its seeds"):
            seed_ceiling([fine, table])

    def test_no_table(self):
        for table in ([1, 2, 3], [[1, np.inf], [1, 2]]):
            with pytest.raises(DataError, match=r"the runs of target 0 are no finite numbers \[sources, seeds\]"):
                seed_ceiling([table])
        with pytest.raises(DataError, match="there are no targets"):
            seed_ceiling([])
