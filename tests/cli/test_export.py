"""``export``: Parquet, safetensors, the pool."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from taskspace import Atlas, Pool, TaskEmbedding


def test_parquet_holds_every_vector(taskspace, atlas):
    parquet = pytest.importorskip("pyarrow.parquet")
    said = taskspace("export", "all.parquet")
    assert (said.code, said.out) == (0, "wrote all.parquet\n")
    rows = {row["name"]: row for row in parquet.read_table("all.parquet").to_pylist()}
    with Atlas(atlas) as store:
        assert set(rows) == {entry.name for entry in store.entries()}
        for name, row in rows.items():
            assert np.float32(row["vector"]).tobytes() == store.get(name).vector.tobytes()
            assert json.loads(row["provenance"]) == dict(store.get(name).provenance)


def test_one_embedding_as_safetensors(taskspace, atlas):
    assert taskspace("export", "mood.safetensors", "--name", "mood").code == 0
    read = TaskEmbedding.load("mood.safetensors")
    with Atlas(atlas) as store:
        stored = store.get("mood")
    assert read.vector.tobytes() == stored.vector.tobytes()
    assert (read.name, read.kind, read.space, read.content) == (stored.name, stored.kind, stored.space, stored.content)


@pytest.mark.parametrize("name", ["texts.jsonl", "texts.jsonl.gz"])
def test_the_pool_comes_back_the_same(taskspace, atlas, mixed_pool, name):
    assert taskspace("export", name, "--pool", "--json").document == {"written": name}
    assert Pool.from_file(name).fingerprint == mixed_pool.fingerprint


@pytest.mark.parametrize(
    ("words", "wanted"),
    [(["x.jsonl"], ".parquet"), (["x.parquet", "--name", "mood"], ".safetensors"), (["x.csv", "--pool"], ".jsonl")],
)
def test_a_file_is_not_written_under_the_name_of_another_format(taskspace, atlas, words, wanted):
    said = taskspace("export", *words)
    assert said.code == 2
    assert said.sentence.startswith(f"taskspace: {words[0]} does not end in {wanted}")
    assert not Path(words[0]).exists()


def test_one_thing_at_a_time(taskspace, atlas):
    assert "both given" in taskspace("export", "x.jsonl", "--pool", "--name", "mood").sentence


def test_a_folder_that_is_not_there(taskspace, atlas):
    for words in (["no/x.parquet"], ["no/x.jsonl", "--pool"], ["no/x.safetensors", "--name", "mood"]):
        said = taskspace("export", *words)
        assert said.code == 2
        assert words[0] in said.sentence
