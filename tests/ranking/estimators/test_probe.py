from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifierCV, RidgeCV

from taskspace.ranking.estimators import linear_probe
from taskspace.ranking.estimators._ridge import RIDGES, LeaveOneOut


def middled(values):
    values = np.asarray(values, dtype=np.float64)
    return values - values.mean(axis=0)


def predictions(features, columns, penalty):
    """Each row by a ridge regression on all others."""
    found = np.empty_like(columns)
    for row in range(len(features)):
        others = np.arange(len(features)) != row
        fitted = Ridge(alpha=penalty, solver="cholesky").fit(features[others], columns[others])
        found[row] = fitted.predict(features[row : row + 1])
    return found


@pytest.mark.parametrize(("rows", "width"), [(40, 6), (24, 60)])
@pytest.mark.parametrize("ridge", [1e-4, 0.1])
def test_errors_are_those_of_regressions_without_the_row(clouds, rows, width, ridge):
    features, codes = clouds(rows, width)
    features, columns = features.astype(np.float64), np.eye(3)[codes]
    penalty = ridge * (middled(features) ** 2).sum()
    expected = columns - predictions(features, columns, penalty)
    found = LeaveOneOut(middled(features), middled(columns)).errors(ridge)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize(("rows", "width", "signal"), [(60, 6, 1.0), (60, 6, 0.1), (30, 80, 0.5)])
def test_the_penalty_is_the_one_scikit_learn_chooses(clouds, rows, width, signal):
    features, codes = clouds(rows, width, signal=signal)
    features, columns = middled(features), np.eye(3)[codes]
    total = (features**2).sum()
    judge = RidgeCV(alphas=[ridge * total for ridge in RIDGES], store_cv_results=True).fit(features, columns)
    ridge, errors = LeaveOneOut(features, middled(columns)).best()
    assert ridge * total == pytest.approx(judge.alpha_)
    np.testing.assert_allclose(errors**2, judge.cv_results_[:, :, RIDGES.index(ridge)], atol=1e-7)


def test_accuracy_is_that_of_scikit_learn(clouds):
    """Of three classes, since scikit-learn 1.9 takes the one column that it makes of two for a single class."""
    features, codes = clouds(60, 6, signal=0.7)
    values = middled(features)
    ridge, _ = LeaveOneOut(values, middled(np.eye(3)[codes])).best()
    judge = RidgeClassifierCV(alphas=[ridge * (values**2).sum()], scoring="accuracy").fit(values, codes)
    assert 0.5 < judge.best_score_ < 1
    assert linear_probe(features, codes) == pytest.approx(judge.best_score_, abs=1e-12)


def test_class_shares_are_those_of_all_rows(clouds):
    """Without meaning in the features, a row may not vote against its own class by being left out."""
    features, codes = clouds(40, 3, classes=2, signal=0.0)
    values, columns = features.astype(np.float64), np.eye(2)[codes]
    ridge, _ = LeaveOneOut(middled(values), middled(columns)).best()
    predicted = predictions(values, columns, ridge * (middled(values) ** 2).sum())
    others = (columns.sum(axis=0) - columns) / 39
    expected = ((predicted - others + columns.mean(axis=0)).argmax(axis=1) == codes).mean()
    assert linear_probe(features, codes) == pytest.approx(expected, abs=1e-12)


def test_constant_features_get_the_largest_class_right():
    codes = np.array([1, 1, 1, 0, 2, 1])
    assert linear_probe(np.full((6, 3), 0.1, dtype=np.float32), codes) == pytest.approx(4 / 6)
    assert linear_probe(np.ones((6, 2)), [0, 1, 0, 1, 0, 1]) == pytest.approx(1 / 2)


def test_noise_is_right_about_as_often_as_chance(clouds):
    scores = [linear_probe(*clouds(80, 300, classes=2, signal=0.0, seed=seed)) for seed in range(8)]
    assert 0.4 < np.mean(scores) < 0.6


def test_numbers_are_scored_against_the_mean_of_the_others(clouds):
    features, _ = clouds(50, 5)
    numbers = (features @ [1.0, 0.5, 0.0, 0.0, -1.0] + np.random.default_rng(1).normal(size=50))[:, None]
    values = features.astype(np.float64)
    ridge, _ = LeaveOneOut(middled(values), middled(numbers)).best()
    misses = numbers - predictions(values, numbers, ridge * (middled(values) ** 2).sum())
    alone = [numbers[i, 0] - np.delete(numbers, i).mean() for i in range(50)]
    assert linear_probe(features, numbers) == pytest.approx(1 - (misses**2).sum() / np.square(alone).sum(), abs=1e-8)
    assert linear_probe(np.ones((50, 2)), numbers) == pytest.approx(0, abs=1e-12)
    assert linear_probe(numbers, numbers) == pytest.approx(1, abs=1e-9)
