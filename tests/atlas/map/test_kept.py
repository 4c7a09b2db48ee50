"""The share of neighbourhoods kept, against sorting everything."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas.map import in_words, map_of, percent
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._kept import nearest, neighbourhood, neighbours_of, share_kept


def by_sorting(cosines, points, k):
    """Every neighbourhood in full, one pair at a time."""
    kept = 0
    for i in range(len(points)):
        others = [j for j in range(len(points)) if j != i]
        here = sorted(others, key=lambda j: -cosines[i, j])[:k]
        there = sorted(others, key=lambda j: np.linalg.norm(points[i] - points[j]))[:k]
        kept += len(set(here) & set(there))
    return kept / (k * len(points))


@pytest.mark.parametrize("k", [1, 5, 20])
def test_it_is_what_sorting_everything_gives(matrix_of, cosines_of, rng, k):
    vectors = rng.standard_normal((60, 9))
    chart = map_of(matrix_of(vectors), neighbours=k)
    assert chart.neighbours == k
    assert chart.kept_of == 60
    assert chart.kept == pytest.approx(by_sorting(cosines_of(vectors), chart.points.astype(float), k), abs=1e-12)


def test_blocks_count_as_near_counts_them(matrix_of, cosines_of, rng):
    blocks = (("a", 4), ("b", 12))
    vectors = rng.standard_normal((50, 16)) * np.repeat([100.0, 1.0], [4, 12])
    chart = map_of(matrix_of(vectors, blocks=blocks), neighbours=6)
    assert chart.kept == pytest.approx(by_sorting(cosines_of(vectors, blocks), chart.points.astype(float), 6))


def test_a_plane_is_kept_whole(matrix_of, rng):
    angles = rng.uniform(0, 2 * np.pi, 200)
    plane = np.linalg.qr(rng.standard_normal((30, 2)))[0].T
    chart = map_of(matrix_of(np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane))
    assert chart.kept > 0.99  # float32 cannot tell some neighbours on a circle apart
    assert sum(chart.explained) == pytest.approx(1.0, abs=1e-4)


def test_a_random_map_keeps_what_chance_does(matrix_of, rng):
    directions = Directions(matrix_of(rng.standard_normal((500, 40))), np.arange(500))
    kept, of = share_kept(directions, rng.standard_normal((500, 2)).astype(np.float32), 10, seed=0)
    assert of == 500
    assert kept == pytest.approx(10 / 499, abs=0.01)


def test_of_many_points_a_sample_is_asked(matrix_of, cosines_of, rng):
    vectors = rng.standard_normal((2200, 4))
    chart = map_of(matrix_of(vectors), neighbours=8)
    assert chart.kept_of == 500
    cosines = cosines_of(vectors)
    np.fill_diagonal(cosines, -np.inf)
    far = np.linalg.norm(chart.points[:, None].astype(float) - chart.points[None].astype(float), axis=-1)
    np.fill_diagonal(far, np.inf)
    here, there = np.argsort(-cosines, axis=1)[:, :8], np.argsort(far, axis=1)[:, :8]
    whole = np.mean([len(set(a) & set(b)) / 8 for a, b in zip(here, there, strict=True)])
    assert chart.kept == pytest.approx(whole, abs=0.04)
    assert chart.kept != whole


def test_the_same_many_times_over_is_no_loss(matrix_of):
    """Of equally near ones the earlier counts as nearer on either side."""
    vectors = np.repeat(np.eye(6), 30, axis=0)
    directions = Directions(matrix_of(vectors), np.arange(180))
    kept, _ = share_kept(
        directions, np.repeat(np.arange(12.0).reshape(6, 2), 30, axis=0).astype(np.float32), 10, seed=0
    )
    assert kept == 1.0


def test_nearest_takes_the_earlier_of_equals():
    assert sorted(nearest(np.array([3.0, 5.0, 4.0, 4.0, 4.0, 9.0]), 3, without=5)) == [1, 2, 3]
    assert sorted(nearest(np.array([4.0, 4.0, 4.0]), 1, without=0)) == [1]


@pytest.mark.parametrize(("count", "k"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (11, 5), (21, 10), (30, 10)])
def test_at_most_half_of_the_others_are_neighbours(count, k):
    """Were all of them, every map would keep them."""
    assert neighbourhood(count, 10) == k


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_keep(matrix_of, count):
    chart = map_of(matrix_of(np.eye(3)[:count]))
    assert (chart.kept, chart.kept_of, chart.chance, chart.trust) == (None, 0, None, "")


def test_neighbours_of_everything(matrix_of, cosines_of, rng):
    vectors = rng.standard_normal((40, 7))
    cosines = cosines_of(vectors)
    np.fill_diagonal(cosines, -np.inf)
    found = list(neighbours_of(Directions(matrix_of(vectors), np.arange(40)), 6))
    for i, (places, scores) in enumerate(found):
        assert places.tolist() == np.argsort(-cosines[i])[:6].tolist()
        np.testing.assert_allclose(scores, np.sort(cosines[i])[::-1][:6], atol=1e-6)
    assert [len(places) for places, _ in neighbours_of(Directions(matrix_of(np.eye(3)), np.arange(3)), 9)] == [2, 2, 2]
    assert [len(places) for places, _ in neighbours_of(Directions(matrix_of(np.eye(1)), np.arange(1)), 9)] == [0]


def test_words():
    assert in_words(0.5233, 10, 0.34) == "keeps 52% of each point's 10 nearest (chance: 34%)"
    assert in_words(1.0, 1, 0.5) == "keeps 100% of each point's nearest (chance: 50%)"
    assert in_words(None, 0, None) == ""
    assert [percent(share) for share in (0.0, 0.0001, 0.0123, 0.1, 1.0)] == ["0%", "0.01%", "1.2%", "10%", "100%"]
