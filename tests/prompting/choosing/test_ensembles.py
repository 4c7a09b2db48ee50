from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import SettingError
from taskspace.prompting.choosing import zps
from taskspace.prompting.choosing._ensembles import confidence, upper_cluster

SEEDS = st.integers(0, 2**32 - 1)
RULES = ("zlp", "zpm", "zmv")


def slow_pseudo_label(readings, rule, x, members):
    totals = [0.0] * readings.shape[2]
    asked = [t for t in members if readings.known[t, x]]
    for t in asked:
        for y, p in enumerate(readings.probs[t, x]):
            vote = float(y == int(np.argmax(readings.probs[t, x])))
            totals[y] += {"zlp": math.log(max(p, 1e-7)), "zpm": p, "zmv": vote}[rule]
    return totals.index(max(totals)) if asked else -1


def slow_agreement(readings, labels, t):
    rows = [x for x in range(readings.shape[1]) if readings.known[t, x] and labels[x] >= 0]
    return sum(readings.predictions[t, x] == labels[x] for x in rows) / len(rows)


@pytest.mark.parametrize("rule", RULES)
@given(seed=SEEDS)
def test_the_slow_way(random_readings, rule, seed):
    readings = random_readings(seed)
    ensemble = zps(readings, rule)
    labels = [slow_pseudo_label(readings, rule, x, range(4)) for x in range(7)]
    assert ensemble.pseudo_labels.tolist() == labels
    np.testing.assert_allclose(ensemble.agreement, [slow_agreement(readings, labels, t) for t in range(4)])
    assert ensemble.members.all()


@pytest.mark.parametrize("rule", RULES)
@given(seed=SEEDS)
def test_the_filter_drops_prompts_from_the_ensemble_only(random_readings, rule, seed):
    readings = random_readings(seed, x=12, abstain=0.5)
    ensemble = zps(readings, rule, keep="confident")
    members = np.flatnonzero(ensemble.members)
    labels = [slow_pseudo_label(readings, rule, x, members) for x in range(12)]
    assert ensemble.pseudo_labels.tolist() == labels
    np.testing.assert_allclose(ensemble.agreement, [slow_agreement(readings, labels, t) for t in range(4)])


def test_the_rules_by_hand(readings_of):
    """Two lean one way, one is sure of the other: votes, means and logarithms of zero part company."""
    probs = [[[0.6, 0.4, 0.0]], [[0.6, 0.0, 0.4]], [[0.0, 1.0, 0.0]]]
    readings = readings_of(probs)
    assert zps(readings, "zmv").pseudo_labels.tolist() == [0]
    assert zps(readings, "zpm").pseudo_labels.tolist() == [1]
    # Products, with 1e-7 for zero: 0.6 * 0.6 * 1e-7 and 0.4 * 1e-7 * 1.
    assert zps(readings, "zlp").pseudo_labels.tolist() == [1]
    assert zps(readings, "zpm").agreement.tolist() == [0.0, 0.0, 1.0]


@given(seed=SEEDS)
def test_all_rules_agree_when_all_prompts_do(readings_of, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=9)
    probs = rng.dirichlet(np.ones(3), size=(4, 9)) + 1.01 * np.eye(3)[labels]
    ensembles = [zps(readings_of(probs), rule, keep=keep) for rule in RULES for keep in ("all", "confident")]
    for ensemble in ensembles:
        assert ensemble.pseudo_labels.tolist() == labels.tolist()
        assert ensemble.agreement.tolist() == [1.0] * 4


def test_sequence_log_probabilities_choose_the_same(random_readings):
    """The ZPS code sums log-probabilities that are not normalised over the labels: a constant per row."""
    readings = random_readings(7, t=6, x=200, abstain=0.0)
    assert zps(readings, "zlp").pseudo_labels.tolist() == readings.log_unnorm.sum(axis=0).argmax(axis=1).tolist()


def test_rows_without_answers(readings_of):
    readings = readings_of(np.full((2, 2, 2), 0.5), known=[[0, 1], [0, 0]])
    ensemble = zps(readings, "zmv")
    assert ensemble.pseudo_labels.tolist() == [-1, 0]
    assert ensemble.agreement[0] == 1.0
    assert np.isnan(ensemble.agreement[1])


def test_confidence_by_hand(readings_of):
    readings = readings_of([[[0.7, 0.2, 0.1], [0.1, 0.0, 0.9]], [[1, 0, 0], [0.4, 0.4, 0.2]]], known=[[1, 1], [1, 0]])
    np.testing.assert_allclose(confidence(readings), [(0.5 + 0.8) / 2, 1.0])
    assert confidence(replace(readings, known=np.zeros((2, 2)))).tolist() == [0.0, 0.0]


class TestClusters:
    @staticmethod
    def cost(values, upper):
        return sum(((part - part.mean()) ** 2).sum() for part in (values[upper], values[~upper]))

    @given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.8, 0.9, 1.0]), min_size=2, max_size=8))
    def test_no_partition_is_better(self, numbers):
        values = np.array(numbers)
        upper = upper_cluster(values)
        if len(set(numbers)) == 1:
            assert upper.all()
            return
        assert values[upper].min() > values[~upper].max()
        parts = itertools.product([False, True], repeat=len(values))
        best = min(self.cost(values, np.array(part)) for part in parts if 0 < sum(part) < len(values))
        assert self.cost(values, upper) <= best + 1e-12

    @settings(max_examples=10)
    @given(seed=SEEDS)
    def test_nor_is_the_usual_k_means(self, seed):
        cluster = pytest.importorskip("sklearn.cluster")
        values = np.random.default_rng(seed).random(12)
        found = cluster.KMeans(2, n_init=3, random_state=0).fit(values[:, None])
        assert self.cost(values, upper_cluster(values)) <= found.inertia_ + 1e-12

    def test_by_hand(self):
        assert upper_cluster(np.array([0.9, 0.1, 0.2, 0.8])).tolist() == [True, False, False, True]
        assert upper_cluster(np.array([0.0, 0.5, 1.0])).tolist() == [False, True, True]  # as good as the other gap
        assert upper_cluster(np.array([0.4])).tolist() == [True]

    def test_rounding_is_no_difference(self):
        assert upper_cluster(np.array([0.3, 0.1 + 0.2])).all()


def sure_by(readings_of, margins, rows=2):
    """Prompts of a confidence each, that all say the first class."""
    return readings_of([[[0.5 + m / 2, 0.5 - m / 2]] * rows for m in margins])


class TestFilter:
    def test_the_surer_stay(self, readings_of):
        readings = sure_by(readings_of, [0.1, 0.9, 0.15, 0.85, 0.8])
        assert zps(readings, "zpm", keep="confident").members.tolist() == [False, True, False, True, True]

    def test_all_equal_all_stay(self, readings_of):
        for keep in ("confident", "confident_or_half"):
            assert zps(sure_by(readings_of, [0.4] * 3), "zpm", keep=keep).members.all()

    @pytest.mark.parametrize(
        ("margins", "half"),
        [
            ([0.1, 0.9, 0.15, 0.12, 0.13, 0.11], [False, True, True, False, True, False]),  # 1 of 6: the best 3
            ([0.1, 0.9, 0.15, 0.12, 0.13], [False, True, True, False, True]),  # 1 of 5 (< 2): the best 3
            ([0.1, 0.9, 0.15], [False, True, False]),  # 1 of 3 is not fewer than 1
            ([0.9, 0.1, 0.1, 0.1], [True, True, False, False]),  # of equals the first
        ],
    )
    def test_half_of_them_when_too_few_stay(self, readings_of, margins, half):
        readings = sure_by(readings_of, margins)
        assert zps(readings, "zlp", keep="confident").members.sum() == 1
        assert zps(readings, "zlp", keep="confident_or_half").members.tolist() == half

    def test_a_sure_minority_can_turn_the_answer(self, readings_of):
        readings = readings_of([[[0.55, 0.45]], [[0.55, 0.45]], [[0.55, 0.45]], [[0.05, 0.95]]])
        assert zps(readings, "zmv").agreement.tolist() == [1, 1, 1, 0]
        assert zps(readings, "zmv", keep="confident").agreement.tolist() == [0, 0, 0, 1]


class TestRefused:
    def test_names(self, random_readings):
        with pytest.raises(SettingError, match="no ensemble 'zmvs'; did you mean 'zmv'?"):
            zps(random_readings(0), "zmvs")
        with pytest.raises(SettingError, match="no filter 'confidence'; did you mean 'confident'?"):
            zps(random_readings(0), "zmv", keep="confidence")

    @pytest.mark.parametrize(("rule", "keep"), [("zlp", "all"), ("zpm", "all"), ("zmv", "confident")])
    def test_words_for_probabilities(self, random_readings, rule, keep):
        readings = random_readings(0, soft=[True, True, False, True])
        with pytest.raises(SettingError, match=f"^{rule}.* needs probabilities, but 'p2' only said a label"):
            zps(readings, rule, keep=keep)
        assert len(zps(readings, "zmv").pseudo_labels) == 7
