"""Principal components against numpy's own singular value decomposition."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from taskspace.atlas.map import _directions
from taskspace.atlas.map._directions import Directions
from taskspace.atlas.map._principal import coordinates, principal


def by_numpy(rows, count=2):
    """Coordinates, axes and shares of the variance, axes turned so that their largest number is positive."""
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    left, singular, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    share = singular**2 / (singular**2).sum()
    return (left * singular * signs)[:, :count], (axes.T * signs)[:, :count], share[:count]


def decaying(rng, count, length):
    """Rows whose spectrum falls by powers, as that of task vectors does."""
    return rng.standard_normal((count, length)) / (1 + np.arange(length)) ** 0.7 + 0.3


@pytest.mark.parametrize(("count", "length"), [(40, 6), (300, 900), (700, 40), (900, 1500), (2500, 300)])
def test_it_is_what_svd_finds(matrix_of, rng, count, length):
    directions = Directions(matrix_of(decaying(rng, count, length)), np.arange(count))
    found = principal(directions)
    points, axes, share = by_numpy(directions.rows())
    np.testing.assert_allclose(found.explained, share, rtol=1e-4)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(2), atol=1e-9)
    assert (np.abs((found.axes * axes).sum(axis=0)) > 1 - 1e-5).all()
    np.testing.assert_allclose(coordinates(directions, found), points, atol=2e-3 * np.abs(points).max())


def test_more_components_than_two(matrix_of, rng):
    directions = Directions(matrix_of(decaying(rng, 800, 200)), np.arange(800))
    np.testing.assert_allclose(principal(directions, 8).explained, by_numpy(directions.rows(), 8)[2], rtol=1e-3)


def test_the_seed_does_not_show(matrix_of, rng):
    directions = Directions(matrix_of(decaying(rng, 700, 300)), np.arange(700))
    first, again, other = (coordinates(directions, principal(directions, seed=seed)) for seed in (0, 0, 5))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, other, atol=2e-3)


def test_the_largest_number_of_an_axis_is_positive(matrix_of, rng):
    for seed in range(5):
        rows = np.random.default_rng(seed).standard_normal((60, 12))
        axes = principal(Directions(matrix_of(rows), np.arange(60))).axes
        assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()


def test_a_flat_spectrum_is_told_almost_as_well_as_it_can_be(matrix_of, rng):
    directions = Directions(matrix_of(rng.standard_normal((1500, 400))), np.arange(1500))
    best = by_numpy(directions.rows())[2]
    assert (principal(directions).explained > 0.97 * best).all()


@pytest.mark.parametrize("count", [30, 800])
def test_rows_on_a_line_have_one_axis(matrix_of, rng, count):
    """On a sphere a line is two points."""
    rows = np.where(rng.random(count) < 0.3, 1.0, 0.0)[:, None] * np.array([[1.0, -1.0, 0.0, 0.0]])
    rows[:, 2] = 1.0 - rows[:, 0]
    directions = Directions(matrix_of(rows), np.arange(count))
    found = principal(directions)
    points = coordinates(directions, found)
    assert found.explained.tolist() == pytest.approx([1.0, 0.0], abs=1e-5)
    assert (points[:, 1] == 0).all()
    assert np.ptp(points[:, 0]) == pytest.approx(np.sqrt(2), abs=1e-5)


@pytest.mark.parametrize("rows", [np.ones((5, 3)), np.ones((600, 3)), np.ones((4, 1)), np.ones((700, 1))])
def test_rows_that_do_not_vary_stand_at_one_place(matrix_of, rows):
    directions = Directions(matrix_of(rows), np.arange(len(rows)))
    found = principal(directions)
    assert found.explained.tolist() == pytest.approx([0, 0], abs=1e-9)
    np.testing.assert_allclose(coordinates(directions, found), 0, atol=1e-5)


def test_it_never_holds_a_second_matrix(matrix_of, rng, monkeypatch):
    matrix = matrix_of(rng.standard_normal((4000, 1000), dtype=np.float32))
    monkeypatch.setattr(_directions, "_BYTES", 1_000_000)
    directions = Directions(matrix, np.arange(4000))
    tracemalloc.start()
    try:
        coordinates(directions, principal(directions))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < matrix.vectors.nbytes / 2
