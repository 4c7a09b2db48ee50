from __future__ import annotations

import numpy as np
import pytest

from taskspace.atlas.map import _directions
from taskspace.atlas.map._directions import Directions, places_of, telling

BLOCKS = (("first", 3), ("second", 5), ("third", 2))


@pytest.fixture
def vectors(rng):
    made = rng.standard_normal((40, 10)).astype(np.float32) * rng.uniform(0.01, 100, (40, 1)).astype(np.float32)
    made[7, 3:8] = 0
    return made


def test_inner_products_are_the_mean_cosine_over_blocks(matrix_of, cosines_of, vectors):
    matrix = matrix_of(vectors, blocks=BLOCKS)
    rows = Directions(matrix, np.arange(40)).rows()
    np.testing.assert_allclose(rows @ rows.T, cosines_of(vectors, BLOCKS), atol=1e-6)
    np.testing.assert_array_equal(matrix.vectors, vectors)


def test_they_are_the_scores_of_near(atlas, embed, vectors):
    atlas.add(*(embed(f"e{i}", vector, blocks=BLOCKS) for i, vector in enumerate(vectors)))
    matrix = atlas.matrix()
    rows = Directions(matrix, np.arange(40)).rows()
    scores = {hit.name: hit.score for hit in atlas.near("e3", k=None, include_self=True)}
    np.testing.assert_allclose([scores[row.name] for row in matrix.rows], rows @ rows[3], atol=1e-6)


def test_parts_are_all_rows_in_order(matrix_of, vectors, monkeypatch):
    directions = Directions(matrix_of(vectors, blocks=BLOCKS), np.arange(40)[::-1])
    whole = directions.rows()
    monkeypatch.setattr(_directions, "_BYTES", 4 * 10 * 7)
    parts = list(directions.parts())
    assert [part.stop - part.start for part, _ in parts] == [7, 7, 7, 7, 7, 5]
    np.testing.assert_array_equal(np.vstack([rows for _, rows in parts]), whole)
    np.testing.assert_allclose(directions.cosines(whole[:3]), whole[:3] @ whole.T, atol=1e-6)


def test_what_says_nothing(matrix_of):
    matrix = matrix_of([[1, 0], [0, 0], [0, 1]], silent=[2])
    assert telling(matrix).tolist() == [True, False, False]
    assert telling(matrix_of(np.zeros((0, 3)))).tolist() == []


def test_places_of_a_kind(matrix_of):
    matrix = matrix_of(np.eye(3), kinds=["model", "dataset", "model"])
    assert places_of(matrix, "model").tolist() == [0, 2]
    assert places_of(matrix, None).tolist() == [0, 1, 2]
    assert places_of(matrix, "prompt").tolist() == []
