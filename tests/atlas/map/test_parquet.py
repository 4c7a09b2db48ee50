from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.atlas.map import map_of, write_map
from taskspace.errors import AtlasError

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def vectors(groups):
    return np.vstack([groups([6, 5])[0], np.zeros((1, 20))])


@pytest.fixture
def matrix(matrix_of, vectors):
    about = {0: {"description": "Tell good from bad.", "input_rows": 1200, "classes": 2}, 1: {"source": "predictions"}}
    return matrix_of(vectors, kinds=["dataset"] * 6 + ["model"] * 6, silent=[11], about=about)


def test_the_columns_that_a_viewer_opens(matrix, cosines_of, vectors, tmp_path):
    chart = map_of(matrix)
    assert write_map(chart, matrix, tmp_path / "map.parquet", neighbours=4) == tmp_path / "map.parquet"
    rows = parquet.read_table(tmp_path / "map.parquet").to_pylist()
    assert [row["name"] for row in rows] == list(chart.names)
    assert [row["kind"] for row in rows] == list(chart.kinds)
    np.testing.assert_array_equal(np.float32([[row["x"], row["y"]] for row in rows]), chart.points)
    assert [row["family"] for row in rows] == [None if f < 0 else chart.families[f].name for f in chart.family]
    cosines = cosines_of(vectors[:11])
    np.fill_diagonal(cosines, -np.inf)
    for row, line in zip(rows, cosines, strict=False):
        assert row["neighbors"]["ids"] == np.argsort(-line)[:4].tolist()
        np.testing.assert_allclose(row["neighbors"]["distances"], 1 - np.sort(line)[::-1][:4], atol=1e-6)
    assert rows[11]["neighbors"] == {"ids": [], "distances": []}
    assert [row["informative"] for row in rows] == [True] * 11 + [False]


def test_the_ids_count_rows_of_the_file(matrix_of, groups, tmp_path):
    """Also where some are left out, or say nothing."""
    vectors, _ = groups([5, 5])
    matrix = matrix_of(np.vstack([np.zeros((2, 20)), vectors]), kinds=["dataset", "model"] * 6)
    chart = map_of(matrix, kind="model")
    rows = parquet.read_table(write_map(chart, matrix, tmp_path / "map.parquet", neighbours=1)).to_pylist()
    assert len(rows) == 6
    same = {"r3": "r5", "r9": "r11"}
    near = {row["name"]: [rows[place]["name"] for place in row["neighbors"]["ids"]] for row in rows}
    assert near["r1"] == []
    for group in (["r3", "r5"], ["r7", "r9", "r11"]):
        assert all(near[name][0] in group and near[name][0] != name for name in group), (near, same)


def test_the_text_tells_what_it_is(matrix, tmp_path):
    texts = parquet.read_table(write_map(map_of(matrix), matrix, tmp_path / "map.parquet"))["text"].to_pylist()
    assert texts[0] == "r0 (dataset)\nTell good from bad. · 1,200 rows · 2 classes"
    assert texts[1] == "r1 (dataset)\npredictions"
    assert texts[2] == "r2 (dataset)"
    assert texts[11] == "r11 (model)\nsays nothing"


def test_how_the_map_was_made_rides_along(matrix, tmp_path):
    chart = map_of(matrix)
    schema = parquet.read_schema(write_map(chart, matrix, tmp_path / "map.parquet"))
    about = json.loads(schema.metadata[b"taskspace"])["map"]
    assert about == {
        "method": "pca", "kept": chart.kept, "kept_of": 11, "neighbours": 5, "explained": list(chart.explained),
        "generation": "one generation",
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 1025])
def test_any_number(matrix_of, rng, tmp_path, count):
    matrix = matrix_of(rng.standard_normal((count, 3)))
    table = parquet.read_table(write_map(map_of(matrix), matrix, tmp_path / "map.parquet"))
    assert table.num_rows == count


def test_an_older_file_stays_where_the_new_one_cannot_be_written(matrix, tmp_path, one_sentence):
    with pytest.raises(AtlasError, match="choose another place") as refused:
        write_map(map_of(matrix), matrix, tmp_path / "no" / "map.parquet")
    assert one_sentence(refused.value)
    assert list(tmp_path.iterdir()) == []
