"""Families against scikit-learn's silhouettes and groups that are known."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas.map import _families, map_of
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._families import distances, families_of, silhouettes


def same_partition(found, known):
    pairs = set(zip(found.tolist(), known.tolist(), strict=True))
    return len(pairs) == len(set(found.tolist())) == len(set(known.tolist()))


def test_groups_are_found_and_named_by_their_middles(matrix_of, groups, cosines_of):
    vectors, label = groups([7, 12, 4], noise=0.1)
    chart = map_of(matrix_of(vectors))
    assert same_partition(chart.family, label)
    assert [family.size for family in chart.families] == [12, 7, 4]
    cosines = cosines_of(vectors)
    for place, family in enumerate(chart.families):
        members = np.flatnonzero(chart.family == place)
        middle = members[cosines[np.ix_(members, members)].sum(axis=1).argmax()]
        assert family.name == f"around r{middle}"
        assert family.central == f"r{middle}"


def test_a_point_alone_is_in_no_family(matrix_of, groups):
    vectors, label = groups([6, 6, 1])
    chart = map_of(matrix_of(vectors))
    assert chart.family[label == 2].tolist() == [-1]
    assert same_partition(chart.family, label)
    assert sum(family.size for family in chart.families) == 12


def test_unrelated_points_are_no_families(matrix_of, rng):
    chart = map_of(matrix_of(rng.standard_normal((200, 400))))
    assert chart.families == ()
    assert set(chart.family) == {-1}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_points_are_no_families(matrix_of, count):
    assert families_of(Directions(matrix_of(np.eye(4)[:count]), np.arange(count)), seed=0)[0] == ()


def test_there_are_never_more_families_than_colours(matrix_of, groups):
    vectors, _ = groups([5] * 15)
    assert 0 < len(map_of(matrix_of(vectors)).families) <= 8


def test_the_cut_is_the_one_with_the_largest_silhouette(matrix_of, cosines_of, rng):
    """Among all cuts into at most eight clusters, none of them of one, by scipy and scikit-learn alone."""
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    from scipy.spatial.distance import squareform

    metrics = pytest.importorskip("sklearn.metrics")
    middles = rng.standard_normal((4, 6))
    vectors = np.repeat(middles, 10, axis=0) + 0.35 * rng.standard_normal((40, 6))
    far = 1 - cosines_of(vectors)
    np.fill_diagonal(far, 0)
    merges = hierarchy.linkage(squareform(far, checks=False), "average")
    cuts = [hierarchy.fcluster(merges, count, "maxclust") for count in range(2, 40)]
    scores = {metrics.silhouette_score(far, cut, metric="precomputed"): cut for cut in cuts if kept(cut) <= 8}
    best = scores[max(scores)]
    family = map_of(matrix_of(vectors)).family
    alone = np.bincount(best)[best] == 1
    assert (family[alone] == -1).all()
    assert same_partition(family[~alone], best[~alone])


def kept(cut):
    return (np.bincount(cut) > 1).sum()


def test_one_cluster_has_no_silhouette():
    """Equal distances cannot be cut in two; a silhouette without another cluster is 0."""
    assert silhouettes(1 - np.eye(5), np.zeros(5, dtype=np.intp)).tolist() == [0.0] * 5


def test_silhouettes_are_those_of_sklearn(cosines_of, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    far = distances(cosines_of(rng.standard_normal((50, 5))))
    labels = np.array([0] * 20 + [1] * 25 + [2] + [3] * 4)
    np.testing.assert_allclose(
        silhouettes(far, labels), metrics.silhouette_samples(far, labels, metric="precomputed"), atol=1e-12
    )


def test_of_many_points_a_sample_is_clustered_and_the_others_join(matrix_of, groups, monkeypatch):
    monkeypatch.setattr(_families, "SAMPLE", 120)
    vectors, label = groups([400, 250, 60], noise=0.08)
    stranger = np.zeros((1, 20), dtype=np.float32)
    stranger[0, 19] = 1
    chart = map_of(matrix_of(np.vstack([vectors, stranger])))
    assert same_partition(chart.family, np.append(label, -1)) or (chart.family[:-1] == -1).mean() < 0.05
    assert chart.family[-1] == -1
    for place, family in enumerate(chart.families):
        assert family.size == (chart.family == place).sum()
        assert len(set(label[chart.family[:-1] == place])) == 1
    assert {label[int(family.central[1:])] for family in chart.families} == {0, 1, 2}
