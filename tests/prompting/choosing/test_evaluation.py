from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes
from taskspace.prompting.choosing import accuracy, evaluate, few_labels, macro_f1, truth_of
from taskspace.ranking import hit_at, ndcg, regret_at, spearman

SEEDS = st.integers(0, 2**32 - 1)


def said(readings_of, predictions, y=2):
    """Readings of prompts that say these classes; -1 for nothing."""
    predictions = np.asarray(predictions)
    return readings_of(np.eye(y)[predictions], known=predictions >= 0)


def test_accuracy_by_hand(readings_of):
    readings = said(readings_of, [[0, 1, 1, 0], [0, -1, 0, 1], [-1, -1, -1, -1]])
    truth = np.array([0, 1, 0, -1])  # the last row has no label
    np.testing.assert_allclose(accuracy(readings, truth), [2 / 3, 2 / 3, 0])
    np.testing.assert_allclose(accuracy(readings, truth, abstention="left_out"), [2 / 3, 1, 0])


def test_macro_f1_by_hand(readings_of):
    readings = said(readings_of, [[0, 0, 1, -1]], y=3)
    truth = np.array([0, 1, 1, 1])
    # Class 0: precision 1/2, recall 1.  Class 1: precision 1, recall 1/3.  Class 2 does not occur.
    np.testing.assert_allclose(macro_f1(readings, truth), [(2 / 3 + 1 / 2) / 2])
    np.testing.assert_allclose(macro_f1(readings, truth, abstention="left_out"), [(2 / 3 + 2 / 3) / 2])


@settings(max_examples=10)
@given(seed=SEEDS)
def test_accuracy_and_f1_are_those_of_scikit_learn(readings_of, seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    predictions, truth = rng.integers(-1, 4, size=(3, 15)), rng.integers(0, 4, size=15)
    readings = said(readings_of, predictions, y=5)
    for t in range(3):
        classes = sorted({*truth.tolist(), *predictions[t].tolist()} - {-1})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class that nobody predicts has no precision
            expected = metrics.f1_score(truth, predictions[t], labels=classes, average="macro", zero_division=0)
        np.testing.assert_allclose(macro_f1(readings, truth)[t], expected)
        np.testing.assert_allclose(accuracy(readings, truth)[t], metrics.accuracy_score(truth, predictions[t]))
        here = predictions[t] >= 0
        if here.any():
            expected = metrics.accuracy_score(truth[here], predictions[t][here])
            np.testing.assert_allclose(accuracy(readings, truth, abstention="left_out")[t], expected)
            expected = metrics.f1_score(truth[here], predictions[t][here], average="macro")
            np.testing.assert_allclose(macro_f1(readings, truth, abstention="left_out")[t], expected)


class TestTruth:
    def test_classes_by_name(self, readings_of):
        readings = readings_of(np.full((1, 4, 3), 1 / 3))
        labels = Classes(np.array([0, 2, -1, 0]), ("label2", "unused", "label0"))
        assert truth_of(readings, labels).tolist() == [2, 0, -1, 2]

    def test_a_class_that_no_prompt_answers(self, readings_of):
        with pytest.raises(DataError, match="no prompt answers the class 'lable1'; did you mean 'label1'?"):
            truth_of(readings_of(np.full((1, 1, 2), 0.5)), Classes(np.array([0]), ("lable1",)))

    def test_other_rows(self, readings_of):
        with pytest.raises(DataError, match="1 rows were read but 2 have labels"):
            truth_of(readings_of(np.full((1, 1, 2), 0.5)), Classes(np.array([0, 0]), ("label0",)))

    @pytest.mark.parametrize("truth", [np.array([-1, -1]), np.array([0])])
    def test_no_labels(self, readings_of, truth):
        with pytest.raises(DataError, match="labels for 2 rows; give one per row"):
            accuracy(readings_of(np.full((1, 2, 2), 0.5)), truth)

    def test_a_setting_that_is_none(self, readings_of):
        with pytest.raises(SettingError, match="say 'wrong' or 'left_out'"):
            accuracy(readings_of(np.full((1, 1, 2), 0.5)), np.array([0]), abstention="ignored")


class TestEvaluate:
    def test_by_hand(self):
        truth = np.array([0.5, 0.9, 0.6, 0.8])
        found = evaluate(np.array([4.0, 3.0, 2.0, 1.0]), truth, k=2)
        assert found.prompts == 4
        assert found.gain == "linear"
        assert found.k == 2
        discounts = 1 / np.log2([2, 3, 4, 5])
        np.testing.assert_allclose(found.ndcg, discounts @ [0, 1, 0.25, 0.75] / (discounts @ [1, 0.75, 0.25, 0]))
        np.testing.assert_allclose([found.regret, found.regret_chance], [0.4, 0.2])
        assert (found.hit, found.hit_chance) == (1.0, 0.5)
        np.testing.assert_allclose([found.ratio, found.ratio_chance], [5 / 9, 7 / 9])
        np.testing.assert_allclose([found.over_mean, found.place], [-0.2, 4])
        np.testing.assert_allclose(found.spearman, 1 - 6 * (9 + 1 + 0 + 4) / (4 * 15))  # ranks 4 1 3 2 and 1 2 3 4

    @settings(max_examples=10)
    @given(seed=SEEDS)
    def test_chance_is_the_mean_over_all_orders(self, seed):
        truth = np.random.default_rng(seed).choice([0.2, 0.5, 0.55, 0.9], size=4)
        found = evaluate(np.zeros(4), truth, k=2)
        orders = [evaluate(np.array(order, float), truth, k=2) for order in itertools.permutations(range(4))]
        for metric in ("ndcg", "regret", "hit", "ratio"):
            mean = np.mean([getattr(order, metric) for order in orders])
            np.testing.assert_allclose(getattr(found, f"{metric}_chance"), mean)
            np.testing.assert_allclose(getattr(found, metric), mean)  # what scores without an order deserve
        for metric in ("spearman", "over_mean"):
            np.testing.assert_allclose(getattr(found, metric), 0, atol=1e-12)
            np.testing.assert_allclose(np.mean([getattr(order, metric) for order in orders]), 0, atol=1e-12)
        np.testing.assert_allclose(found.place, 2.5)

    def test_a_perfect_order(self):
        truth = np.array([0.3, 0.7, 0.6])
        found = evaluate(truth, truth)
        assert (found.ndcg, found.regret, found.hit, found.ratio, found.place) == (1.0, 0.0, 1.0, 1.0, 1.0)
        np.testing.assert_allclose(found.spearman, 1.0)

    def test_twins_count_once(self):
        truth, values = np.array([0.9, 0.9, 0.5, 0.7]), np.array([2.0, 2.0, 3.0, 1.0])
        twins = np.array([0, 0, 2, 3])
        found = evaluate(values, truth, twins=twins)
        assert found == evaluate(values[[0, 2, 3]], truth[[0, 2, 3]])
        assert found.prompts == 3
        assert found.hit_chance == 1.0
        assert found != evaluate(values, truth)

    def test_it_is_made_of_the_metrics(self):
        rng = np.random.default_rng(0)
        truth, values = rng.random(12), rng.random(12)
        found = evaluate(values, truth, gain="raw", k=4)
        assert found.ndcg == ndcg(truth, values, gain="raw")
        assert found.regret == regret_at(truth, values)
        assert found.hit == hit_at(truth, values, 4)
        assert found.spearman == spearman(truth, values)
        assert found.ndcg_chance > evaluate(values, truth).ndcg_chance  # raw gains hide what differs

    def test_a_prompt_that_said_nothing(self):
        found = evaluate(np.array([-np.inf, 1.0, 0.5]), np.array([0.0, 0.8, 0.6]))
        assert (found.ndcg, found.regret, found.spearman) == (1.0, 0.0, pytest.approx(1.0))

    def test_all_prompts_alike(self):
        found = evaluate(np.array([1.0, 2.0]), np.array([0.0, 0.0]))
        assert (found.ndcg, found.regret, found.ratio, found.spearman) == (1.0, 0.0, 1.0, 0.0)


class TestFewLabels:
    def test_drawn_and_left_rows_make_the_whole(self, random_readings):
        readings = random_readings(4, x=30)
        truth = np.random.default_rng(0).integers(-1, 3, size=30)
        few, labelled = few_labels(readings, truth, 8, draws=20), int((truth >= 0).sum())
        assert few.values.shape == few.rest.shape == (20, 4)
        whole = 8 * few.values + (labelled - 8) * few.rest
        np.testing.assert_allclose(whole / labelled, np.broadcast_to(accuracy(readings, truth), (20, 4)))
        np.testing.assert_allclose(few.values * 8 % 1, 0, atol=1e-9)
        assert len(np.unique(few.values, axis=0)) > 1

    def test_a_perfect_prompt(self, readings_of):
        truth = np.array([0, 1, 0, 1, 1])
        few = few_labels(said(readings_of, [truth, 1 - truth]), truth, 2, draws=5)
        np.testing.assert_array_equal(few.values, [[1, 0]] * 5)
        np.testing.assert_array_equal(few.rest, [[1, 0]] * 5)

    def test_the_seed_decides(self, random_readings):
        readings, truth = random_readings(4, x=30), np.arange(30) % 3
        first, again, other = (few_labels(readings, truth, 4, seed=seed).values for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.parametrize("count", [0, 5])
    def test_too_many(self, readings_of, count):
        with pytest.raises(SettingError, match=f"cannot draw {count} of 5 labelled rows"):
            few_labels(readings_of(np.full((1, 5, 2), 0.5)), np.zeros(5, int), count)
