from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from taskspace.atlas import export
from taskspace.errors import AtlasError, MissingExtra, SettingError


@pytest.fixture
def parquet():
    return pytest.importorskip("pyarrow.parquet")


def test_every_embedding_is_a_row(atlas, embed, space_id, tmp_path, parquet, monkeypatch):
    monkeypatch.setattr(export, "_BATCH", 2)
    text = space_id("text")
    given = [embed("a", [1, 2], rows=3), embed("b", [3, 4], kind="model"), embed("c", [5, 6])]
    atlas.add(*given, embed("long", [1, 2, 3], space=text))
    target = atlas.export(tmp_path / "out.parquet")
    assert target == tmp_path / "out.parquet"
    table = parquet.read_table(target)
    assert table.column_names == ["name", "kind", "space", "content", "added", "vector", "provenance"]
    assert str(table.schema.field("vector").type) in ("list<element: float>", "list<item: float>")
    rows = table.to_pylist()
    assert [row["name"] for row in rows] == ["a", "b", "c", "long"]
    assert [row["vector"] for row in rows] == [[1, 2], [3, 4], [5, 6], [1, 2, 3]]
    assert [row["kind"] for row in rows] == ["dataset", "model", "dataset", "dataset"]
    assert {row["space"] for row in rows} == {space_id().fingerprint, text.fingerprint}
    assert json.loads(rows[0]["provenance"]) == {"rows": 3}
    assert rows[0]["content"] == "content of a"
    assert rows[0]["added"] == atlas.entries()[0].added
    stored = json.loads(table.schema.metadata[b"taskspace"])
    assert stored["spaces"][text.fingerprint] == text.to_dict()
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name and p != target] == []


def test_one_space_can_be_chosen(atlas, many, space_id, tmp_path, parquet):
    atlas.add(*many(1, 2), *many(3, space=space_id("text")))
    assert parquet.read_table(atlas.export(tmp_path / "t.parquet", space="text"))["name"].to_pylist() == ["e3"]
    with pytest.raises(SettingError):
        atlas.export(tmp_path / "x.parquet", space="fisher")
    assert not (tmp_path / "x.parquet").exists()


def test_an_empty_atlas_gives_an_empty_table(atlas, tmp_path, parquet):
    assert parquet.read_table(atlas.export(tmp_path / "empty.parquet")).num_rows == 0


def test_vectors_come_back_bit_for_bit(atlas, many, tmp_path, parquet):
    given = many(*range(10), length=100)
    atlas.add(*given)
    table = parquet.read_table(atlas.export(tmp_path / "v.parquet"))
    for row, embedding in zip(table["vector"].to_pylist(), given, strict=True):
        np.testing.assert_array_equal(np.array(row, dtype=np.float32), embedding.vector)


def test_an_unfinished_export_leaves_the_old_file(atlas, many, tmp_path, parquet, monkeypatch):
    atlas.add(*many(1, 2, 3))
    target = tmp_path / "out.parquet"
    target.write_bytes(b"old")
    monkeypatch.setattr(export, "_BATCH", 1)
    real, seen = export._arrays, []

    def full(pa, batch):
        seen.append(batch)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        return real(pa, batch)

    monkeypatch.setattr(export, "_arrays", full)
    with pytest.raises(AtlasError, match="cannot write .*out.parquet .*No space left.*choose another place"):
        atlas.export(target)
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out.parquet"]


def test_a_place_that_will_not_do(atlas, many, tmp_path, parquet):
    atlas.add(*many(1))
    with pytest.raises(AtlasError, match="cannot write"):
        atlas.export(tmp_path / "nowhere" / "out.parquet")
    with pytest.raises(AtlasError, match="cannot write"):
        atlas.export(tmp_path)


def test_the_missing_package_is_named(atlas, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pyarrow.*taskspace\[parquet\]"):
        atlas.export(tmp_path / "out.parquet")
