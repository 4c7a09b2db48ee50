from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from taskspace.errors import SettingError
from taskspace.ranking.estimators import h_score
from taskspace.ranking.estimators._hscore import ledoit_wolf


def between(features, codes):
    """The covariance of the class means, each standing for the rows of its class."""
    means = np.stack([features[codes == c].mean(axis=0) for c in range(codes.max() + 1)])
    return np.cov(means[codes], rowvar=False, bias=True)


@pytest.mark.parametrize(("rows", "width", "classes"), [(80, 10, 4), (40, 90, 3)])
def test_agrees_with_the_formula(clouds, rows, width, classes):
    features, codes = clouds(rows, width, classes)
    features = features.astype(np.float64)
    covariance = np.cov(features, rowvar=False, bias=True)
    expected = np.trace(np.linalg.pinv(covariance, rcond=1e-13) @ between(features, codes))
    assert h_score(features, codes, shrinkage=None) == pytest.approx(expected, abs=1e-6)
    assert h_score(features, codes, shrinkage=0) == h_score(features, codes, shrinkage=None)


@pytest.mark.parametrize(("rows", "width"), [(80, 10), (40, 90), (50, 1)])
def test_shrunk_agrees_with_scikit_learn(clouds, rows, width):
    features, codes = clouds(rows, width)
    features = features.astype(np.float64)
    fitted = LedoitWolf().fit(features)
    means = np.atleast_2d(between(features, codes))
    expected = (1 - fitted.shrinkage_) * np.trace(np.linalg.solve(fitted.covariance_, means))
    assert h_score(features, codes) == pytest.approx(expected, abs=1e-9)
    centred = features - features.mean(axis=0)
    for gram in (centred @ centred.T, centred.T @ centred):
        assert ledoit_wolf(centred, gram) == pytest.approx(ledoit_wolf_shrinkage(features), abs=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize(("rows", "width"), [(80, 10), (40, 90)])
def test_shrunk_by_a_given_share(clouds, share, rows, width):
    features, codes = clouds(rows, width)
    features = features.astype(np.float64)
    covariance = np.cov(features, rowvar=False, bias=True)
    drawn = (1 - share) * covariance + share * np.trace(covariance) / width * np.eye(width)
    expected = (1 - share) * np.trace(np.linalg.solve(drawn, between(features, codes)))
    assert h_score(features, codes, shrinkage=share) == pytest.approx(expected, abs=1e-9)


@given(st.integers(4, 40), st.integers(1, 60), st.integers(2, 5), st.integers(0, 99), st.sampled_from([None, 0.3]))
def test_at_most_one_less_than_the_classes(rows, width, classes, seed, shrinkage):
    draw = np.random.default_rng(seed)
    codes = np.append(draw.integers(0, classes, rows - 2), [0, 1])
    score = h_score(draw.normal(size=(rows, width)), codes, shrinkage=shrinkage)
    assert -1e-9 <= score <= len(np.unique(codes)) - 1 + 1e-9


def test_wide_noise_saturates_without_shrinkage_and_not_with_it(clouds):
    noise, codes = clouds(100, 768, classes=2, signal=0.0)
    signal, _ = clouds(100, 64, classes=2, signal=0.5)
    assert h_score(noise, codes, shrinkage=None) == pytest.approx(1, abs=1e-9)
    assert h_score(noise, codes) < 0.2 < h_score(signal, codes)


def test_means_that_tell_all_reach_the_bound():
    codes = np.arange(12) % 3
    assert h_score(np.eye(3)[codes], codes, shrinkage=None) == pytest.approx(2, abs=1e-9)


@pytest.mark.parametrize("shrinkage", [1, 1.5, -0.1, float("nan"), "oas", True])
def test_other_shrinkages_are_refused(clouds, shrinkage):
    with pytest.raises(SettingError, match="from 0 to below 1"):
        h_score(*clouds(), shrinkage=shrinkage)
