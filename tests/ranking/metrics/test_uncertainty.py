from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.prompting import likeness
from taskspace.ranking.metrics import (
    Interval,
    bootstrap,
    coverage,
    kendall,
    ndcg,
    paired,
    permutation_p,
    rank_of_best,
    regret_at,
    two_level_bootstrap,
)


class TestBootstrap:
    def test_by_hand(self):
        """Of 0 and 1, two are drawn: means 0, 1/2, 1 with odds 1/4, 1/2, 1/4."""
        assert bootstrap([0, 1]) == Interval(0.5, 0.0, 1.0)
        assert bootstrap([0, 1], confidence=0.4) == Interval(0.5, 0.5, 0.5)

    def test_of_many_is_that_of_the_normal_law(self):
        values = np.random.default_rng(1).normal(size=400)
        said, half = bootstrap(values, confidence=0.9), 1.6449 * values.std() / 20
        assert said.mean == pytest.approx(values.mean())
        assert said.low == pytest.approx(values.mean() - half, abs=0.01)
        assert said.high == pytest.approx(values.mean() + half, abs=0.01)

    def test_covers_the_mean_as_often_as_it_says(self):
        samples = np.random.default_rng(0).normal(loc=0.8, scale=0.1, size=(300, 100))
        said = [bootstrap(sample, confidence=0.9, draws=500) for sample in samples]
        found = coverage([one.low for one in said], [one.high for one in said], np.full(300, 0.8))
        assert found == pytest.approx(0.9, abs=0.05)

    def test_is_the_same_at_every_call(self):
        values = np.random.default_rng(0).normal(size=12)
        assert bootstrap(values) == bootstrap(values) != bootstrap(values, seed=1)
        assert bootstrap([0.7]) == Interval(0.7, 0.7, 0.7)

    def test_is_the_interval_of_prompt_transfers(self):
        values = np.random.default_rng(0).normal(size=12)
        assert likeness.Interval is Interval
        assert likeness.interval(values) == bootstrap(values)

    def test_refused(self):
        with pytest.raises(DataError, match=r"values of shape \(0,\) are no column; give one number per target"):
            bootstrap([])
        with pytest.raises(DataError, match="values holds NaN at 1 of 2 places"):
            bootstrap([0.1, np.nan])
        for confidence in (0, 1, 95):
            with pytest.raises(SettingError, match=f"confidence is {confidence}; say a share between 0 and 1"):
                bootstrap([0.1, 0.2], confidence=confidence)


class TestTwoLevels:
    def test_by_hand(self):
        assert two_level_bootstrap([[0, 1]]) == Interval(0.5, 0.0, 1.0)  # one target: its two seeds are drawn
        assert two_level_bootstrap([[0, 0], [1]]) == Interval(0.5, 0.0, 1.0)
        assert two_level_bootstrap([[0.0, 0.3, 0.6], [0.9]]).mean == pytest.approx(0.6)  # targets count the same

    def test_spread_is_that_between_targets_and_inside_them(self):
        """Var of the mean = (Var of the targets' means + mean of the variances of these means) / targets."""
        rng = np.random.default_rng(0)
        runs = [level + 0.2 * rng.normal(size=rng.integers(2, 6)) for level in rng.normal(scale=0.1, size=150)]
        means, inside = np.array([run.mean() for run in runs]), np.mean([run.var() / len(run) for run in runs])
        half = 1.96 * np.sqrt((means.var() + inside) / len(runs))
        said = two_level_bootstrap(runs)
        assert said.mean == pytest.approx(means.mean())
        assert said.high - said.mean == pytest.approx(half, rel=0.06)
        assert said.mean - said.low == pytest.approx(half, rel=0.06)
        assert half > 1.15 * 1.96 * means.std() / np.sqrt(len(runs))  # so the seeds do count here

    def test_one_seed_each_is_one_level(self):
        values = np.random.default_rng(0).normal(size=40)
        one, two = bootstrap(values), two_level_bootstrap([[value] for value in values])
        assert (two.mean, two.low, two.high) == pytest.approx((one.mean, one.low, one.high), abs=0.02)

    def test_is_the_same_at_every_call(self):
        runs = [[0.1, 0.5], [0.3], [0.2, 0.9, 0.4]]
        assert two_level_bootstrap(runs) == two_level_bootstrap(runs) != two_level_bootstrap(runs, seed=1)

    def test_refused(self):
        with pytest.raises(DataError, match="there are no targets"):
            two_level_bootstrap([])
        with pytest.raises(DataError, match=r"values of shape \(0,\) are no column"):
            two_level_bootstrap([[0.1], []])
        with pytest.raises(DataError, match="values holds NaN"):
            two_level_bootstrap([[0.1], [np.nan, 1]])


class TestPaired:
    def test_what_targets_share_falls_out(self):
        rng = np.random.default_rng(0)
        shared = rng.normal(size=20)
        first, second = shared + 0.1 + 0.01 * rng.normal(size=20), shared
        said = paired(first, second)
        assert said == bootstrap(first - second)
        assert 0.09 < said.low < said.mean < said.high < 0.11
        assert bootstrap(first).low < bootstrap(second).mean  # side by side they cannot be told apart
        assert paired(first, first) == Interval(0, 0, 0)

    def test_refused(self):
        with pytest.raises(DataError, match=r"a of shape \(2,\) and b of shape \(3,\) do not match"):
            paired([1, 2], [1, 2, 3])
        with pytest.raises(DataError, match="b holds NaN"):
            paired([1, 2], [1, np.nan])


class TestPermutation:
    @pytest.mark.parametrize(
        ("metric", "as_good"),
        [(kendall, 1 / 24), (rank_of_best, 6 / 24), (regret_at, 6 / 24), (ndcg, 1 / 24)],
    )
    def test_share_of_the_orders_that_are_as_good(self, metric, as_good):
        """Of the 24 orders of four candidates; for ranks and regrets lower is better, which need not be said."""
        found = permutation_p(metric, [([0.1, 0.5, 0.7, 0.9], [1, 2, 3, 4])], draws=2000)
        assert found == pytest.approx(as_good, abs=0.02)
        assert permutation_p(metric, [([0.1, 0.5, 0.7, 0.9], [4, 3, 2, 1])], draws=200) == 1

    def test_several_targets_of_several_sizes(self):
        rng = np.random.default_rng(0)
        truths = [rng.uniform(size=n) for n in (6, 9, 12)]
        assert permutation_p(ndcg, [(t, t) for t in truths], draws=200) == 1 / 201
        assert permutation_p(regret_at, [(t, t) for t in truths], draws=200, k=2) < 0.2
        assert permutation_p(ndcg, [(t, -t) for t in truths], draws=200) == 1

    def test_without_an_effect_all_p_are_as_likely(self):
        rng = np.random.default_rng(0)
        found = [permutation_p(kendall, [rng.normal(size=(2, 8))], draws=40) for _ in range(60)]
        assert np.mean(found) == pytest.approx(0.5, abs=0.1)
        assert np.mean(np.array(found) < 0.25) == pytest.approx(0.25, abs=0.12)

    def test_what_orders_nothing(self):
        assert permutation_p(ndcg, [([0.1, 0.5], [1, 1])], draws=50) == 1
        assert permutation_p(ndcg, [([0.5, 0.5], [1, 2])], draws=50) == 1

    def test_is_the_same_at_every_call(self):
        table = [([0.1, 0.5, 0.7, 0.9], [1, 3, 2, 4])]
        assert permutation_p(ndcg, table, draws=99) == permutation_p(ndcg, table, draws=99)

    def test_refused(self):
        with pytest.raises(DataError, match="there are no targets"):
            permutation_p(ndcg, [])
        with pytest.raises(DataError, match="scores holds NaN"):
            permutation_p(ndcg, [([0.1, 0.5], [1, np.nan])])
