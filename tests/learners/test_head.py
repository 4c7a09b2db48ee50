from __future__ import annotations

import numpy as np
import pytest

from taskspace.learners._head import fit_head, standardised

pytest.importorskip("torch")
linear = pytest.importorskip("sklearn.linear_model")

PENALTY = 1e-3  # per row, on features of unit mean square, as the module says


@pytest.fixture(scope="module")
def data():
    """40 rows of 6 features far from unit size, of 3 classes that overlap; uneven weights."""
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 3, 40)
    features = 7.0 * (rng.standard_normal((40, 6)) + np.eye(3, 6)[classes] * 1.5) + 2.0
    weights = rng.integers(1, 4, 40).astype(float)
    return features, classes, weights / weights.sum()


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def slope(head, features, values, weights):
    """Gradient of the penalised cross-entropy, by hand, in the scale in which the penalty is meant."""
    scale = np.sqrt(np.mean(features**2))
    gap = (softmax(head.outputs(features)) - values) * weights[:, None]
    return gap.T @ (features / scale) + PENALTY * head.weight * scale, gap.sum(axis=0)


def test_hard_labels_equal_logistic_regression(data):
    features, classes, weights = data
    head = fit_head(features, np.eye(3)[classes], weights, "classes")
    reference = linear.LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=10_000)
    reference.fit(features / np.sqrt(np.mean(features**2)), classes, sample_weight=weights)
    expected = reference.predict_proba(features / np.sqrt(np.mean(features**2)))
    np.testing.assert_allclose(softmax(head.outputs(features)), expected, atol=1e-4)


def test_two_classes_equal_logistic_regression(data):
    """Two columns of softmax share the work of one sigmoid: w = ±w'/2 costs half as much."""
    features, classes, weights = data
    classes = (classes > 0).astype(int)
    head = fit_head(features, np.eye(2)[classes], weights, "classes")
    reference = linear.LogisticRegression(C=2 / PENALTY, tol=1e-10, max_iter=10_000)
    reference.fit(features / np.sqrt(np.mean(features**2)), classes, sample_weight=weights)
    expected = reference.predict_proba(features / np.sqrt(np.mean(features**2)))
    np.testing.assert_allclose(softmax(head.outputs(features)), expected, atol=1e-4)


@pytest.mark.parametrize("softness", [0.05, 0.5, 1.0])
def test_soft_labels_are_fitted_to_the_bottom(data, softness):
    features, classes, weights = data
    noise = np.random.default_rng(3).dirichlet([1, 1, 1], size=40)
    values = (1 - softness) * np.eye(3)[classes] + softness * noise
    head = fit_head(features, values, weights, "classes")
    for gradient in slope(head, features, values, weights):
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
    assert (
        np.abs(slope(fit_head(features, np.eye(3)[classes], weights, "classes"), features, values, weights)[0]).max()
        > 1e-3
    )


def test_classes_that_can_be_told_apart_stay_finite():
    features = np.repeat([[1.0, 0.0], [0.0, 1.0]], 5, axis=0)
    head = fit_head(features, np.repeat(np.eye(2), 5, axis=0), np.full(10, 0.1), "classes")
    assert np.abs(head.weight).max() < 20
    assert (head.outputs(features).argmax(axis=1) == np.repeat([0, 1], 5)).all()


def test_numbers_equal_ridge(data):
    features, _, weights = data
    values = (features @ np.arange(6.0) + np.random.default_rng(4).standard_normal(40))[:, None]
    head = fit_head(features, values, weights, "numbers")
    scale = np.sqrt(np.mean(features**2))
    reference = linear.Ridge(alpha=PENALTY, solver="cholesky").fit(
        features / scale, values[:, 0], sample_weight=weights
    )
    np.testing.assert_allclose(head.outputs(features)[:, 0], reference.predict(features / scale), rtol=1e-9)


def test_the_size_of_the_features_does_not_matter(data):
    features, classes, weights = data
    one, other = (fit_head(features * by, np.eye(3)[classes], weights, "classes") for by in (1.0, 1000.0))
    np.testing.assert_allclose(one.outputs(features), other.outputs(features * 1000.0), atol=1e-5)


def test_features_that_are_all_zero():
    head = fit_head(np.zeros((4, 3)), np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]]), np.full(4, 0.25), "classes")
    np.testing.assert_allclose(softmax(head.outputs(np.zeros((1, 3)))), [[0.75, 0.25]], atol=1e-5)


def test_standardised_by_hand():
    weights = np.array([0.5, 0.25, 0.25])
    got = standardised(np.array([[1.0], [3.0], [5.0]]), weights)
    np.testing.assert_allclose(got[:, 0], (np.array([1.0, 3.0, 5.0]) - 2.5) / np.sqrt(2.75), rtol=1e-12)
    assert standardised(np.array([[2.0], [2.0], [2.0]]), weights).tolist() == [[0.0], [0.0], [0.0]]
    both = standardised(np.array([[1.0, 7.0], [3.0, 7.0], [5.0, 7.0]]), weights)
    np.testing.assert_allclose(both[:, 0], (np.array([1.0, 3.0, 5.0]) - 2.5) / np.sqrt(2.75 / 2), rtol=1e-12)
    assert both[:, 1].tolist() == [0.0, 0.0, 0.0]
