"""``taskspace embed weights:…``, and every verb on an atlas whose only space compares weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace import Atlas
from taskspace.merging import TaskVector

SHAPES = {"a.weight": (12, 8), "a.bias": (12,), "classifier.weight": (3, 8)}


def arrays(seed):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def save_adapter(folder, seed, rank=2):
    """As peft writes one: factors of one module."""
    generator = np.random.default_rng(seed)
    folder.mkdir()
    parts = {"A": (rank, 8), "B": (12, rank)}
    factors = {
        f"base_model.model.a.lora_{part}.weight": generator.standard_normal(shape).astype(np.float32)
        for part, shape in parts.items()
    }
    save_file(factors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "base_model_name_or_path": "some/base"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


@pytest.fixture
def models(folder):
    """A base, four models of two families of it, and two adapters."""
    base = arrays(0)
    save_file(base, folder / "base.safetensors")
    for place in range(4):
        family, own = arrays(1 + place % 2), arrays(10 + place)
        save_file({n: base[n] + family[n] + 0.3 * own[n] for n in base}, folder / f"m{place}.safetensors")
    for place in range(2):
        save_adapter(folder / f"lora{place}", place)
    return folder


@pytest.fixture
def weights_atlas(models, taskspace):
    said = taskspace("embed", *(f"weights:m{i}.safetensors" for i in range(4)), "--base", "base.safetensors")
    assert said.code == 0, said.err
    return models / "my.db"


def test_models_and_adapters_lie_in_one_space(weights_atlas, taskspace):
    said = taskspace("embed", "weights:lora0", "weights:lora1", "--base", "base.safetensors")
    assert "embedded  lora0 (adapter; 1 tensors, rank 2)" in said.out
    assert said.err.splitlines()[-1:] == ["2 embedded in " + str(weights_atlas) + " (weights on base, seed 0)"]
    with Atlas(weights_atlas) as atlas:
        assert len(atlas.spaces()) == 1
        assert len(atlas) == 6
        wanted = TaskVector.diff("m1.safetensors", "base.safetensors").embed("m1")
        assert np.array_equal(atlas.get("m1").vector, wanted.vector)


def test_what_is_there_is_kept(weights_atlas, taskspace):
    said = taskspace("embed", "weights:m1.safetensors", "--base", "base.safetensors", "--json")
    assert [outcome["status"] for outcome in said.document["outcomes"]] == ["kept"]
    assert said.document["space"]["learner"] == "weights"


def test_what_changed_in_one_row_is_embedded_again(weights_atlas, taskspace):
    """Whole tensors are looked at: a sample of the first and last bytes would not see it."""
    large = {"w": np.zeros((400, 30), np.float32)}
    save_file(large, "large.safetensors")
    for status, row in (("embedded", 0), ("kept", 0), ("replaced", 133)):
        tuned = large["w"] + 1
        tuned[row, 11] = 5
        save_file({"w": tuned}, "tuned.safetensors")
        said = taskspace("embed", "weights:tuned.safetensors", "--base", "large.safetensors", "--json")
        assert [outcome["status"] for outcome in said.document["outcomes"]] == [status]


def test_a_saved_vector_takes_no_other_base(weights_atlas, taskspace):
    TaskVector.diff("m0.safetensors", "base.safetensors").save("kept.safetensors")
    for words in (["--base", "base.safetensors"], ["--ignore", "classifier.*"]):
        said = taskspace("embed", "weights:kept.safetensors", *words)
        assert said.code == 2
        assert "kept.safetensors is a saved vector and knows its base; leave --base and --ignore out" in said.err


def test_a_saved_vector_brings_its_base(weights_atlas, taskspace):
    vectors = [TaskVector.diff(f"m{i}.safetensors", "base.safetensors") for i in (0, 1)]
    (vectors[0] - vectors[1]).save("less.safetensors")
    assert taskspace("embed", "weights:less.safetensors").code == 0
    hits = {hit["name"]: hit["score"] for hit in taskspace("near", "less", "--json").document["hits"]}
    assert hits["m0"] > 0 > hits["m1"]


def test_tensors_may_be_left_out(models, taskspace):
    base = "base.safetensors"
    said = taskspace("embed", "weights:m0.safetensors", "--base", base, "--ignore", "classifier.*", "--json")
    assert said.document["outcomes"][0]["provenance"]["tensors"] == 2


def test_adapters_of_bases_that_are_known_by_name_only(models, taskspace):
    config = json.loads((models / "lora1" / "adapter_config.json").read_text())
    (models / "lora1" / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "other"}))
    said = taskspace("embed", "weights:lora0", "weights:lora1")
    assert "in 2 spaces that cannot be compared: weights on some/base, seed 0; weights on other, seed 0" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["weights:m0.safetensors"], "m0.safetensors is no adapter, and only a base gives its difference; name it"),
        (["weights:none", "--base", "base.safetensors"], "there is no checkpoint at none; check the path"),
        (["weights:m0.safetensors", "f.csv"], "weights: lies in a space of its own; embed data sets and models in"),
        (["weights:m0.safetensors", "--labeler", "hub:x"], "weights: lies in a space of its own"),
        (["f.csv", "--base", "base.safetensors"], "--base and --ignore are for weights; name them as weights:PATH"),
        (["weights:", "--base", "base.safetensors"], "'weights:' names no file; say weights:PATH"),
        (["weights:lora0", "weights:lora1", "--name", "x"], "--name x fits one thing, and 2 were given"),
        (["weights:m0.safetensors", "--base", "lora0"], "holds neither model.safetensors nor"),
        (["weights:lora0", "--learner", "text"], "--learner is for data sets and models; leave it out for weights:"),
        (["weights:lora0", "--limit", "3"], "--limit is for data sets and models"),
        (["weights:lora0", "--text-pair", "b"], "--text-pair is for data sets and models"),
        (["weights:lora0", "--ignore", "clasifier.*"], "no tensor matches 'clasifier.*'"),
    ],
)
def test_one_sentence_each(models, taskspace, words, sentence):
    said = taskspace("embed", *words)
    assert said.code == 2
    assert sentence in said.sentence


def test_every_verb_works_there(weights_atlas, taskspace, folder):
    assert "m2  adapter  weights     3 tensors" in taskspace("show").out
    assert "space            weights on base, seed 0" in taskspace("show", "m0").out
    for verb in ("near", "rank"):
        hits = taskspace(verb, "m0", "--json").document["hits"]
        assert hits[0]["name"] == "m2"
    assert taskspace("map", "map.png").code == 0
    assert taskspace("map", "map.html").code == 0
    assert "m3" in (folder / "map.html").read_text()
    assert taskspace("report", "m0", "--out", "report.html").code == 0
    assert taskspace("export", "all.parquet").code == 0
    assert taskspace("duplicates").code == 0
    assert "copied 4 embeddings, 0 pools" in taskspace("copy", "my.db", "copy.db").out
    assert taskspace("observe", "m0", "m1", "0.8", "--baseline", "0.7").code == 0
    assert taskspace("remove", "m3").out == "removed m3; 3 left\n"


def test_it_is_served(weights_atlas):
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from taskspace.serve import create_app

    with TestClient(create_app(weights_atlas), base_url="http://127.0.0.1") as client:
        assert client.get("/v1/spaces").json()["spaces"][0]["pool_size"] == 0
        assert sorted(client.get("/v1/map").json()["names"]) == ["m0", "m1", "m2", "m3"]
        assert client.get("/v1/near", params={"name": "m0"}).json()["hits"][0]["name"] == "m2"
        assert client.get("/v1/task", params={"name": "m0"}).json()["provenance"]["tensors"] == 3
        assert client.get("/v1/compare", params={"first": "m0", "second": "m2"}).json()["similarity"] > 0.5
        assert client.get("/").status_code == 200


def test_push_knows_that_there_is_no_pool(weights_atlas, taskspace):
    pytest.importorskip("huggingface_hub")
    for more in ([], ["--with-pool"]):
        said = taskspace("push", "me/x", "--dry-run", *more)
        assert said.code == 0, said.err
        assert "stays here" not in said.out
        assert "spaces/weights-" in said.out


def test_data_is_embedded_beside_it_in_a_space_of_its_own(weights_atlas, files, tiny_encoder, taskspace):
    told = taskspace("rank", "mood.jsonl").sentence
    assert "compares weights and reads no texts; embed data into a space of its own first" in told
    said = taskspace("embed", "mood.jsonl", "trip.jsonl", "--pool", "pool.jsonl", "--surrogate", tiny_encoder)
    assert said.code == 0, said.err
    with Atlas(weights_atlas) as atlas:
        assert sorted(space.learner for space in atlas.spaces()) == ["response", "weights"]
    # What was said of the texts' space holds for the next one too, and a new target is embedded there.
    assert taskspace("embed", "topic.csv").code == 0
    assert {hit["name"] for hit in taskspace("rank", "echo.jsonl", "--json").document["hits"]} == {
        "mood", "trip", "topic"
    }  # fmt: skip
    assert {hit["name"] for hit in taskspace("near", "m0", "--json").document["hits"]} == {"m1", "m2", "m3"}
