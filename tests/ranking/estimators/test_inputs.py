from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.estimators import (
    ESTIMATORS,
    knn,
    label_entropy,
    leep,
    linear_probe,
    logme,
    nce,
    one_hot,
    parc,
    target_labels,
)

BY_CLASS = {"h_score": 0.0, "transrate": 0.0, "parc": 0.0}


@pytest.fixture(params=sorted(ESTIMATORS))
def estimator(request):
    return ESTIMATORS[request.param]


def test_features_that_tell_the_classes_score_above_noise(estimator, clouds):
    telling, codes = clouds(90, 6, signal=3.0)
    noise, _ = clouds(90, 6, signal=0.0, seed=1)
    assert estimator(telling, codes) > estimator(noise, codes)


def test_prepared_labels_score_as_raw_ones(estimator, clouds):
    features, codes = clouds()
    assert estimator(features, target_labels(codes)) == estimator(features, codes)


def test_neither_the_numbering_of_classes_nor_the_order_of_rows_counts(estimator, clouds):
    features, codes = clouds(40, 5)
    turned = np.random.default_rng(3).permutation(40)
    expected = estimator(features, codes)
    assert estimator(features[turned], codes[turned]) == pytest.approx(expected, abs=1e-9)
    assert estimator(features, np.array([70, 5, 12])[codes]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("missing", [-1, None])
def test_rows_without_a_label_are_left_out(estimator, clouds, missing):
    features, codes = clouds(40, 5)
    labels = [missing if row % 4 == 3 else int(code) for row, code in enumerate(codes)]
    kept = np.arange(40) % 4 != 3
    assert estimator(features, labels) == estimator(features[kept], codes[kept])


def test_a_class_of_one_row_is_as_good_as_any(estimator, clouds):
    features, codes = clouds(30, 5)
    codes[0] = 9
    assert np.isfinite(estimator(features, codes))
    assert np.isfinite(estimator(features[:2], [0, 1]))
    assert np.isfinite(estimator(features[:3], [0, 1, 2]))


def test_more_columns_than_rows(estimator, clouds):
    features, codes = clouds(20, 50)
    assert np.isfinite(estimator(features, codes))
    assert np.isfinite(estimator(np.repeat(features, 3, axis=1), codes))


def test_one_column(estimator, clouds):
    features, codes = clouds(20, 1)
    assert np.isfinite(estimator(features, codes))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
@pytest.mark.parametrize("name", sorted(BY_CLASS))
def test_constant_features_score_nothing(name, value):
    assert ESTIMATORS[name](np.full((30, 4), value, dtype=np.float32), np.arange(30) % 3) == BY_CLASS[name]


def test_constant_columns_change_nothing_for_what_looks_at_variance(clouds):
    features, codes = clouds()
    wider = np.hstack([features, np.full((60, 2), 0.1, dtype=np.float32)])
    for name in ("logme", "transrate", "linear_probe"):
        assert ESTIMATORS[name](wider, codes) == pytest.approx(ESTIMATORS[name](features, codes), abs=1e-9)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        ([[1.0], [np.nan], [2.0]], [0, 1, 1], "NaN, infinity"),
        ([[1.0], [np.inf], [2.0]], [0, 1, 1], "NaN, infinity"),
        ([[1.0], [1e200], [2.0]], [0, 1, 1], "beyond 1e\\+100"),
        ([1.0, 2.0, 3.0], [0, 1, 1], "shape \\(3,\\) are no table"),
        (np.zeros((3, 0)), [0, 1, 1], "shape \\(3, 0\\) are no table"),
        ([[1.0], [2.0, 3.0], [2.0]], [0, 1, 1], "no table of numbers"),
        ([["a"], ["b"], ["c"]], [0, 1, 1], "no array of numbers"),
        (np.eye(3), [0, 1], "3 rows of features and 2 labels"),
        (np.eye(3), [1, 1, 1], "all 3 labelled rows are of one class"),
        (np.eye(3), [-1, -1, 4], "all 1 labelled rows are of one class"),
        (np.eye(3), [None, None, None], "all 0 labelled rows are the same"),
        (np.eye(3), [-1, -1, -1], "no row has a label"),
        (np.eye(3), [], "all 0 labelled rows are the same"),
        (np.eye(3), ["x", "y", "x"], "encode them first"),
        (np.eye(3), [[0], [1, 2], [1]], "no table"),
        (np.eye(3), np.zeros((3, 2, 2)), "no table"),
        (np.eye(3), 4, "no array of numbers"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(estimator, features, labels, message):
    with pytest.raises(DataError, match=message) as refused:
        estimator(features, labels)
    assert "; " in str(refused.value)


@pytest.mark.parametrize("name", ["h_score", "transrate", "knn"])
def test_numbers_are_refused_by_what_takes_classes(name, clouds):
    features, codes = clouds()
    with pytest.raises(DataError, match="takes classes"):
        ESTIMATORS[name](features, codes / 2)


def test_answers_need_classes_too():
    for measure in (leep, nce):
        with pytest.raises(DataError, match="takes classes"):
            measure(np.full((3, 2), 0.5), [0.5, 1.5, 2.5])
    with pytest.raises(DataError, match="takes classes"):
        label_entropy([0.5, 1.5])


def test_regression_targets():
    target = target_labels([0.5, np.nan, 2.0, None, 3.0])
    assert not target.are_classes
    assert target.given == 5
    np.testing.assert_array_equal(target.rows, [0, 2, 4])
    np.testing.assert_array_equal(target.columns, [[0.5], [2.0], [3.0]])
    several = target_labels([[1, 7, 0], [2, 7, 0], [1, 7, 1]])
    np.testing.assert_array_equal(several.columns, [[1, 0], [2, 0], [1, 1]])
    for labels in ([1.5, 1.5], [[1.0, np.nan], [2.0, np.nan]]):
        with pytest.raises(DataError, match="are the same"):
            target_labels(labels)
    with pytest.raises(DataError, match="labels hold NaN, infinity"):
        target_labels([0.5, np.inf])


def test_codes_without_gaps():
    target = target_labels([7, -1, 3, 7, -5])
    np.testing.assert_array_equal(target.codes, [1, 0, 1])
    np.testing.assert_array_equal(target.columns, [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(target.counts, [1, 2])
    assert target_labels(target) is target
    np.testing.assert_array_equal(target_labels([True, False, None]).codes, [1, 0])


def test_numbers_are_regressed_where_that_makes_sense(clouds):
    features, _ = clouds(80, 4)
    draw = np.random.default_rng(0)
    numbers = features @ [1.0, -2.0, 0.5, 0.0] + draw.normal(size=80)
    scrambled = numbers[draw.permutation(80)]
    for measure in (logme, linear_probe):
        assert measure(features, numbers) > measure(features, scrambled)
    table = np.stack([numbers, scrambled], axis=1)
    for measure in (logme, linear_probe):
        parts = [measure(features, numbers), measure(features, scrambled)]
        if measure is logme:
            assert measure(features, table) == pytest.approx(np.mean(parts), abs=1e-12)
        else:  # one penalty for both columns
            assert min(parts) < measure(features, table) < max(parts)
    assert -1 <= parc(features, table) <= 1
    with pytest.raises(DataError, match="one number per row"):
        parc(features, numbers)


def test_one_hot():
    np.testing.assert_array_equal(one_hot([1, -1, 0], 3), [[0, 1, 0], [np.nan] * 3, [1, 0, 0]])
    for codes in ([3], [0.5], [[1]]):
        with pytest.raises(DataError, match="below 3"):
            one_hot(codes, 3)


def test_the_width_of_the_numbers_does_not_count(clouds):
    features, codes = clouds()
    for measure in (logme, knn):
        assert measure(features, codes) == measure(features.astype(np.float64), codes)
