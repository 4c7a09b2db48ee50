"""Clusters that were planted are found, by sketches and differences also where factors are rotated."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import TaskEmbedding
from taskspace.errors import SettingError, SpaceMismatch, WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.base import Base
from taskspace.merging.carriers import Factors, Pair
from taskspace.merging.library import clusters
from taskspace.merging.likeness import cosines

GROUPS = [0, 1, 2, 0, 1, 2, 0, 1]


def adapter(group, seed, *, rotated=False, rank=3, base=None):
    """Factors near those of its group, turned by a random rotation if asked, which changes no difference."""
    rng, own, third = (np.random.default_rng(s) for s in (1000 + group, seed, 2000 + seed))
    pairs = {}
    for name, (m, n) in {"a.weight": (20, 16), "b.weight": (12, 18)}.items():
        up, down = (rng.standard_normal(s) + 0.3 * own.standard_normal(s) for s in ((m, rank), (rank, n)))
        turn = np.linalg.qr(third.standard_normal((rank, rank)))[0] if rotated else np.eye(rank)
        pairs[name] = Pair((up @ turn).astype("f4"), (turn.T @ down).astype("f4"), (m, n))
    return TaskVector(Factors.of(pairs), {f"t{seed}": 1.0}, base)


@pytest.mark.parametrize("by", ["differences", "sketches", "factors"])
def test_planted_groups_are_found(by):
    found = clusters([adapter(group, i) for i, group in enumerate(GROUPS)], 3, by=by)
    assert found.labels.tolist() == GROUPS
    assert found.members == ((0, 3, 6), (1, 4, 7), (2, 5))
    assert min(found.within) > 0.5
    assert found.silhouette > 0.4


@pytest.mark.parametrize("by", ["differences", "sketches"])
def test_a_rotation_of_factors_changes_nothing(by):
    plain = [adapter(group, i) for i, group in enumerate(GROUPS)]
    turned = [adapter(group, i, rotated=True) for i, group in enumerate(GROUPS)]
    one, two = clusters(plain, 3, by=by), clusters(turned, 3, by=by)
    assert two.labels.tolist() == GROUPS
    np.testing.assert_allclose(one.cosines, two.cosines, atol=1e-5)


def test_factors_as_they_lie_do_not_survive_one():
    found = clusters([adapter(group, i, rotated=True) for i, group in enumerate(GROUPS)], 3, by="factors")
    within = [found.cosines[i, j] for i in range(8) for j in range(i) if GROUPS[i] == GROUPS[j]]
    assert np.mean(np.abs(within)) < 0.4


def test_published_steps_by_scikit_learn():
    """Flatten, zero below the 0.8 quantile, TruncatedSVD, unit length, cosines: the same numbers."""
    from sklearn.decomposition import TruncatedSVD

    vectors = [adapter(group, i) for i, group in enumerate(GROUPS)]
    rows = []
    for vector in vectors:
        pairs = vector.carrier.pairs
        row = np.concatenate([part.ravel() for name in sorted(pairs) for part in (pairs[name].up, pairs[name].down)])
        rows.append(np.where(np.abs(row) >= np.quantile(np.abs(row), 0.8), row, 0))
    for directions in (2, 5):
        points = TruncatedSVD(directions, algorithm="arpack", random_state=0).fit_transform(np.array(rows, float))
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        found = clusters(vectors, 3, by="factors", directions=directions)
        np.testing.assert_allclose(found.cosines, unit @ unit.T, atol=1e-6)


def test_all_directions_give_exact_cosines():
    vectors = [adapter(group, i) for i, group in enumerate(GROUPS)]
    np.testing.assert_allclose(clusters(vectors, 2).cosines, cosines(vectors), atol=1e-6)


def test_silhouette_by_scikit_learn():
    from sklearn.metrics import silhouette_score

    found = clusters([adapter(group, i) for i, group in enumerate(GROUPS)], 4)
    distances = 1 - found.cosines
    np.fill_diagonal(distances, 0)
    assert found.silhouette == pytest.approx(silhouette_score(distances, found.labels, metric="precomputed"), abs=1e-6)
    assert clusters([adapter(group, i) for i, group in enumerate(GROUPS)], 1).silhouette == 0


def test_within_by_hand():
    one, two, three = (TaskVector.from_arrays({"w": np.array(v, "f4")}) for v in ([1, 0], [3, 4], [-1, 0]))
    found = clusters([one, two, three], 2)
    assert found.members == ((0, 1), (2,))
    assert found.within == pytest.approx((0.6, 1.0))


def test_embeddings_of_any_space_by_their_similarity():
    points = [adapter(group, i).embed(f"t{i}", dims=256) for i, group in enumerate(GROUPS)]
    blocked = [TaskEmbedding(p.name, p.kind, p.space, p.vector, (("a", 100), ("b", 156)), p.content) for p in points]
    for given in (points, blocked):
        found = clusters(given, 3)
        assert found.labels.tolist() == GROUPS
        wanted = [[one.similarity(two) for two in given] for one in given]
        np.testing.assert_allclose(found.cosines, wanted, atol=1e-6)
    other = adapter(0, 1).embed(dims=256, seed=1)
    with pytest.raises(SpaceMismatch):
        clusters([*points, other], 2)
    with pytest.raises(SettingError, match="embeddings and vectors were both given"):
        clusters([*points, adapter(0, 1)], 2)


def test_zeros_are_similar_to_none():
    one, two = adapter(0, 0), adapter(0, 1)
    found = clusters([one, one - one, two], 2)
    assert found.members == ((0, 2), (1,))
    assert found.cosines[1].tolist() == [0, 0, 0]


def test_what_cannot_be_is_told():
    vectors = [adapter(0, 0), adapter(1, 1)]
    for k in (0, 3):
        with pytest.raises(SettingError, match=f"k is {k}; give a number from 1 to 2"):
            clusters(vectors, k)
    with pytest.raises(SettingError, match="by='sketch' is not known; did you mean 'sketches'"):
        clusters(vectors, 2, by="sketch")
    with pytest.raises(SettingError, match="directions is 0"):
        clusters(vectors, 2, directions=0)
    with pytest.raises(WeightsError, match="factors of other ranks or modules"):
        clusters([*vectors, adapter(0, 2, rank=2)], 2, by="factors")
    with pytest.raises(WeightsError, match="is no pair of factors; take by='differences'"):
        clusters([TaskVector.from_arrays({"w": np.ones((2, 2), "f4")})], 1, by="factors")
    with pytest.raises(WeightsError, match="combine differences from one base"):
        clusters([adapter(0, 0, base=Base("one")), adapter(0, 1, base=Base("two"))], 2)


def test_embeddings_are_compared_in_one_way(one_sentence):
    points = [adapter(0, seed).embed(dims=8) for seed in (1, 2)]
    with pytest.raises(SettingError, match="by='factors' says how vectors are compared") as caught:
        clusters(points, 1, by="factors")
    assert one_sentence(caught.value)
