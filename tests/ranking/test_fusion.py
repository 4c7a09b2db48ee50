from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import SettingError
from taskspace.ranking.fusion import FUSIONS, fuse


def test_mean_is_the_mean():
    np.testing.assert_allclose(fuse(np.array([[0.0, 1.0], [0.5, -0.5]]), "mean"), [0.5, 0.0])


def test_reciprocal_ranks_by_hand():
    # First component: ranks 1, 2, 3.  Second: the last two tie at the mean rank 2.5... of places 2 and 3.
    cosines = np.array([[0.9, 0.8], [0.5, 0.1], [0.1, 0.1]])
    expected = [1 / 61 + 1 / 61, 1 / 62 + 1 / 62.5, 1 / 63 + 1 / 62.5]
    np.testing.assert_allclose(fuse(cosines, "rrf"), expected)


def test_constant_components_are_skipped():
    cosines = np.array([[0.3, 0.9], [0.3, 0.2]])
    np.testing.assert_allclose(fuse(cosines, "rrf"), [1 / 61, 1 / 62])


@pytest.mark.parametrize("count", [1, 3])
def test_all_constant_gives_equal_scores(count):
    assert len(set(fuse(np.full((count, 2), 0.4), "rrf").tolist())) == 1


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_no_candidates(name):
    assert fuse(np.zeros((0, 3)), name).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (6, 3), elements=st.sampled_from([-0.5, 0.0, 0.25, 0.75])))
def test_ranks_agree_with_scipy(cosines):
    stats = pytest.importorskip("scipy.stats")
    columns = [column for column in cosines.T if np.ptp(column) > 0]
    expected = sum((1 / (60 + stats.rankdata(-column, method="average")) for column in columns), np.zeros(6))
    np.testing.assert_allclose(fuse(cosines, "rrf"), expected)


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(SettingError, match="no fusion 'rff'; did you mean 'rrf'?"):
        fuse(np.zeros((2, 2)), "rff")
