from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.ranking.estimators import transrate


def printed(features, codes, eps=1e-4):
    """The ten lines of the paper: classes weigh alike, features are as they are."""

    def rate(z):
        return np.linalg.slogdet(np.eye(z.shape[1]) + z.T @ z / (len(z) * eps))[1] / 2

    z = features - features.mean(axis=0)
    classes = [rate(z[codes == c]) for c in np.unique(codes)]
    return rate(z) - sum(classes) / len(classes)


def by_eigenvalues(features, codes, eps=1e-4):
    """The authors' repository, before it divides by the rank: eigenvalues over their sum, classes by their share."""
    z = features - features.mean(axis=0)
    whole = np.linalg.svd(z.T @ z / len(z), compute_uv=False)
    found = np.log(1 + whole / whole.sum() / eps).sum() / 2
    for c in np.unique(codes):
        rows = z[codes == c]
        part = np.linalg.svd(rows.T @ rows / len(rows), compute_uv=False) / whole.sum()
        found -= len(rows) / len(z) * np.log(1 + part / eps).sum() / 2
    return found


@pytest.fixture(params=[(90, 8), (30, 70)], ids=["long", "wide"])
def uneven(request, clouds):
    features, codes = clouds(*request.param)
    codes[: len(codes) // 2] = 0
    return features, codes


@pytest.mark.parametrize("eps", [1e-4, 1e-2])
def test_agrees_with_what_the_authors_wrote(uneven, eps):
    features, codes = uneven
    wide = features.astype(np.float64)
    found = transrate(features, codes, eps=eps, scaled=False, by_share=False)
    assert found == pytest.approx(printed(wide, codes, eps), abs=1e-6)
    assert transrate(features, codes, eps=eps) == pytest.approx(by_eigenvalues(wide, codes, eps), abs=1e-6)


def test_equal_classes_weigh_alike_either_way(clouds):
    features, codes = clouds()
    assert transrate(features, codes, by_share=False) == pytest.approx(transrate(features, codes), abs=1e-12)


def test_neither_shift_nor_scale_counts_when_scaled(clouds):
    features, codes = clouds()
    features = features.astype(np.float64)
    assert transrate(features * 7 + 3, codes) == pytest.approx(transrate(features, codes), abs=1e-8)
    assert transrate(features * 7, codes, scaled=False) != pytest.approx(transrate(features, codes, scaled=False))


def test_by_hand():
    """Two classes at +1 and -1 on a line: all is between them, and each class alone is as long as both together."""
    features, codes = [[1.0], [1.0], [-1.0], [-1.0]], [0, 0, 1, 1]
    assert transrate(features, codes) == pytest.approx(0, abs=1e-12)
    corners = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    # ZᵀZ/n is I/2 for all rows and one direction of length 1 for each class.
    expected = np.log1p(0.5 / 1e-4) - np.log1p(1 / 1e-4) / 2
    assert transrate(corners, codes) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("eps", [0, -1, float("nan"), float("inf")])
def test_eps_must_be_above_0(clouds, eps):
    with pytest.raises(SettingError, match="above 0"):
        transrate(*clouds(), eps=eps)
