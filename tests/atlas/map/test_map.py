from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.atlas.map import Family, Map, map_of


@pytest.fixture
def matrix(matrix_of, groups):
    vectors, _ = groups([9, 6, 5], noise=0.1)
    kinds = ["dataset", "model", "prompt", "adapter"] * 5
    return matrix_of(vectors, kinds=kinds)


def test_everything_stands_beside_its_row(matrix):
    chart = map_of(matrix)
    assert len(chart) == 20
    assert chart.names == tuple(row.name for row in matrix.rows)
    assert chart.kinds == tuple(row.kind for row in matrix.rows)
    assert chart.points.dtype == np.float32
    assert chart.generation == "one generation"
    assert chart.chance == pytest.approx(chart.neighbours / 19)
    np.testing.assert_allclose(chart.points.mean(axis=0), 0, atol=1e-6)


def test_it_changes_nothing(matrix):
    before = matrix.vectors.copy()
    map_of(matrix)
    np.testing.assert_array_equal(matrix.vectors, before)


def test_what_says_nothing_stands_in_a_row_below_and_moves_nothing(matrix_of, groups):
    vectors, _ = groups([9, 6, 5], noise=0.1)
    alone = map_of(matrix_of(vectors))
    silent = np.vstack([np.zeros((2, 20)), vectors, np.ones((1, 20))])
    chart = map_of(matrix_of(silent, silent=[22]))
    assert np.flatnonzero(~chart.informative).tolist() == [0, 1, 22]
    np.testing.assert_allclose(chart.points[2:22], alone.points, atol=1e-6)
    assert chart.family[[0, 1, 22]].tolist() == [-1, -1, -1]
    assert (chart.kept, chart.kept_of, chart.neighbours) == (alone.kept, 20, alone.neighbours)
    row = chart.points[[0, 1, 22]]
    assert len(set(row[:, 1])) == 1
    assert row[0, 1] < alone.points[:, 1].min()
    assert np.diff(row[:, 0]).tolist() == pytest.approx([np.diff(row[:, 0])[0]] * 2, rel=1e-4)


def test_only_what_says_nothing(matrix_of):
    chart = map_of(matrix_of(np.zeros((3, 4))))
    assert np.isfinite(chart.points).all()
    assert len({tuple(point) for point in chart.points.tolist()}) == 3
    assert (chart.kept, chart.families) == (None, ())


def test_one_kind_is_the_map_of_its_rows(matrix, matrix_of):
    chosen = [i for i, row in enumerate(matrix.rows) if row.kind == "model"]
    names = [matrix.rows[i].name for i in chosen]
    apart = map_of(matrix_of(matrix.vectors[chosen], names=names, kinds=["model"] * len(names)))
    chart = map_of(matrix, kind="model")
    assert chart.names == tuple(names)
    np.testing.assert_allclose(chart.points, apart.points, atol=1e-6)
    assert (chart.kept, chart.families) == (apart.kept, apart.families)
    assert len(map_of(matrix_of(np.eye(3)), kind="model")) == 0


def test_an_atlas(atlas, embed, rng):
    atlas.add(*(embed(f"e{i}", rng.standard_normal(8), kind="model" if i % 2 else "dataset") for i in range(12)))
    chart = map_of(atlas.matrix())
    assert chart.generation == atlas.generation()
    assert sorted(chart.names) == sorted(entry.name for entry in atlas.entries())


def test_the_document_says_everything_in_columns():
    chart = Map(
        method="pca",
        points=np.array([[0.123456, -1.0], [2.0, 0.00001], [-0.0, 7.0]], dtype=np.float32),
        names=("a", "b/c", "ü"),
        kinds=("model", "dataset", "model"),
        informative=np.array([True, True, False]),
        families=(Family("around a", 2),),
        family=np.array([0, 0, -1]),
        kept=0.66666,
        kept_of=2,
        neighbours=1,
        explained=(0.75, 0.125),
        generation="g",
    )
    document = chart.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "generation": "g", "method": "pca", "neighbours": 1, "kept": 0.6667, "kept_of": 2, "chance": 1.0,
        "explained": [0.75, 0.125], "names": ["a", "b/c", "ü"], "kinds": ["model", "dataset"], "kind": [0, 1, 0],
        "x": [0.1235, 2.0, 0.0], "y": [-1.0, 0.0, 7.0], "informative": [1, 1, 0],
        "families": [{"name": "around a", "size": 2}], "family": [0, 0, -1],
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 3, 30, 3000])
def test_it_can_be_made_of_any_number(matrix_of, rng, count):
    chart = map_of(matrix_of(rng.standard_normal((count, 6))))
    document = json.loads(json.dumps(chart.to_dict(), allow_nan=False))
    assert len(chart) == len(document["x"]) == len(document["family"]) == count
    assert np.isfinite(chart.points).all()
