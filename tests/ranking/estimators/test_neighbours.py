from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from taskspace.errors import SettingError
from taskspace.ranking.estimators import _neighbours as neighbours
from taskspace.ranking.estimators import knn, parc


@pytest.mark.parametrize("k", [1, 5, 9])
def test_agrees_with_scikit_learn(clouds, k):
    features, codes = clouds(50, 6, classes=2, signal=0.6)  # of two classes, an odd number of neighbours agrees on one
    judge = KNeighborsClassifier(n_neighbors=k, metric="cosine", algorithm="brute")
    expected = (cross_val_predict(judge, features, codes, cv=LeaveOneOut()) == codes).mean()
    assert 0.5 < expected < 1
    assert knn(features, codes, k=k) == pytest.approx(expected, abs=1e-12)


def test_rows_are_taken_in_blocks(clouds, monkeypatch):
    features, codes = clouds(50, 6)
    whole = knn(features, codes)
    monkeypatch.setattr(neighbours, "_BLOCK", 7)
    assert knn(features, codes) == pytest.approx(whole, abs=1e-12)


def test_k_is_at_most_all_others(clouds):
    features, codes = clouds(12, 3, classes=2)
    codes[:8] = 0
    assert knn(features, codes, k=11) == knn(features, codes, k=999)
    assert knn(features, codes, k=999) == (codes == 0).mean()
    with pytest.raises(SettingError, match="1 neighbour at least"):
        knn(features, codes, k=0)


def test_ties_by_hand():
    """Three directions; rows of one direction are equally near, and so are, from each, all rows of the others."""
    features = np.array([[1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 3, 0], [0, 0, 1]], dtype=np.float32)
    # k=1: each of the first four finds its twin; the last has all four alike, and half a vote for either class.
    assert knn(features, [0, 0, 1, 1, 0], k=1) == pytest.approx((4 + 1 / 2) / 5)
    # k=2: the twin and a third of each of the other three, which for the second pair is one vote against one.
    assert knn(features, [0, 0, 1, 1, 0], k=2) == pytest.approx((2 + 2 / 2 + 1 / 2) / 5)
    # Twins of different classes: one vote and a third, or two, against one's own class.
    assert knn(features, [0, 1, 0, 1, 0], k=2) == pytest.approx((1 / 2) / 5)


def test_rows_all_alike_are_judged_by_all_others():
    alike = np.full((5, 2), 0.1, dtype=np.float32)
    assert knn(alike, [0, 0, 0, 0, 1]) == 4 / 5
    assert knn(alike, [0, 0, 0, 1, 1]) == (3 / 2) / 5  # two votes to two for a row of the larger class
    assert knn(alike[:4], [0, 0, 1, 1]) == 0
    assert knn(np.zeros((5, 2)), [0, 0, 0, 0, 1]) == 4 / 5


def test_length_does_not_count(clouds):
    features, codes = clouds()
    stretched = features * np.random.default_rng(0).uniform(0.5, 20, size=(60, 1))
    assert knn(stretched, codes) == knn(features, codes)


# PARC


def authors(features, labels, components):
    """dbolya/parc written plainly, with exact components."""
    if components:
        features = PCA(min(components, *features.shape), svd_solver="full").fit_transform(features)
    features = StandardScaler().fit_transform(features)
    pairs = np.triu_indices(len(features), 1)
    unlike = np.round(1 - np.corrcoef(labels), 12)[pairs]  # of few values; their rounding would order equal pairs
    return spearmanr((1 - np.corrcoef(features))[pairs], unlike)[0]


@pytest.mark.parametrize(("width", "components"), [(50, 32), (50, None), (10, 32), (50, 4)])
def test_parc_agrees_with_the_authors(clouds, width, components):
    features, codes = clouds(45, width, signal=0.4)
    expected = authors(features.astype(np.float64), np.eye(3)[codes], components)
    assert parc(features, codes, components=components) == pytest.approx(expected, abs=1e-6)


def test_parc_of_a_table(clouds):
    features, _ = clouds(45, 12)
    table = features[:, :3] ** 2
    expected = authors(features.astype(np.float64), table.astype(np.float64), None)
    assert parc(features, table, components=None) == pytest.approx(expected, abs=1e-6)


def test_parc_looks_at_a_sample_of_many_rows(clouds):
    features, codes = clouds(80, 10)
    kept = np.sort(np.random.default_rng(5).permutation(80)[:50])
    assert parc(features, codes, rows=50, seed=5) == parc(features[kept], codes[kept])
    assert parc(features, codes, rows=50, seed=5) != parc(features, codes, rows=50, seed=6)
    assert parc(features, codes, rows=80) == parc(features, codes, rows=2000)


def test_parc_is_0_where_nothing_tells_pairs_apart(clouds):
    features, codes = clouds(20, 5)
    assert parc(features, np.arange(20)) == 0
    assert parc(features[:, :1], codes) == 0


@pytest.mark.parametrize("settings", [{"rows": 1}, {"components": 0}])
def test_parc_needs_rows_and_components(clouds, settings):
    with pytest.raises(SettingError, match="at least"):
        parc(*clouds(), **settings)
