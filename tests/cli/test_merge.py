"""``merge``: files in, one model out, or one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A base folder with a configuration, and two tuned files."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    tensors = {"layer.weight": (6, 4), "layer.bias": (4,), "classifier.weight": (2, 4)}
    made = {}
    for name in ("base", "one", "two"):
        made[name] = {key: generator.standard_normal(shape).astype(np.float16) for key, shape in tensors.items()}
    (tmp_path / "base").mkdir()
    save_file(made["base"], tmp_path / "base" / "model.safetensors")
    (tmp_path / "base" / "config.json").write_text('{"model_type": "none"}')
    for name in ("one", "two"):
        save_file(made[name], tmp_path / f"{name}.safetensors")
    return made


ASKED = ("merge", "one.safetensors", "two.safetensors", "--base", "base")


def test_a_folder_with_configuration_and_card(taskspace, models, tmp_path):
    said = taskspace(*ASKED, "-o", "merged", "--weights", "0.5,0.25", "--ignore", "classifier.*")
    assert said.code == 0
    assert said.out.startswith("wrote merged (3 tensors)")
    found = load_file(tmp_path / "merged" / "model.safetensors")
    base, one, two = (models[name]["layer.weight"].astype(np.float32) for name in ("base", "one", "two"))
    wanted = base + 0.5 * (one - base) + 0.25 * (two - base)
    np.testing.assert_allclose(found["layer.weight"], wanted, atol=2e-3)
    np.testing.assert_array_equal(found["classifier.weight"], models["base"]["classifier.weight"])
    assert json.loads((tmp_path / "merged" / "config.json").read_text()) == {"model_type": "none"}
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "| one | 0.5 |" in card
    assert '"method": "sum"' in card


def test_a_file_and_json(taskspace, models, tmp_path):
    document = taskspace(*ASKED, "-o", "m.safetensors", "--method", "ties", "--set", "density=0.5", "--json").document
    assert document["recipe"]["options"] == {"density": 0.5}
    assert load_file(tmp_path / "m.safetensors")["layer.weight"].shape == (6, 4)


def test_a_dry_run_writes_nothing(taskspace, models, tmp_path):
    before = sorted(p.name for p in tmp_path.iterdir())
    document = taskspace(*ASKED, "--dry-run", "--method", "tsv", "--json").document
    sizes = 2 * (24 + 4 + 8)
    assert document["estimate"]["tensors"] == 3
    assert document["estimate"]["written"] == sizes
    assert document["estimate"]["read"] == 3 * sizes
    assert document["estimate"]["seconds"] > 0
    assert "nothing written" in taskspace(*ASKED, "--dry-run").out
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_recipe(taskspace, models, tmp_path):
    recipe = {"merge_method": "linear", "base_model": "base", "models": ["one.safetensors", "two.safetensors"]}
    (tmp_path / "recipe.yml").write_text(json.dumps(recipe))
    assert taskspace("merge", "--recipe", "recipe.yml", "-o", "m.safetensors").code == 0
    one, two = (models[name]["layer.bias"].astype(np.float32) for name in ("one", "two"))
    np.testing.assert_allclose(load_file(tmp_path / "m.safetensors")["layer.bias"], (one + two) / 2, atol=2e-3)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("merge", "-o", "x"), "no model was given"),
        (ASKED, "nothing says where to write"),
        ((*ASKED, "-o", "x", "--method", "tie"), "did you mean 'ties'?"),
        ((*ASKED, "-o", "x", "--set", "density"), "NAME=VALUE"),
        ((*ASKED, "-o", "x", "--set", "densty=0.1", "--method", "ties"), "did you mean 'density'?"),
        ((*ASKED, "-o", "x", "--weights", "1,2,3"), "3 weights were given for 2"),
        ((*ASKED, "-o", "base"), "is there already"),
        ((*ASKED, "-o", "x", "--recipe", "r.yml"), "both given"),
        (("merge", "absent.safetensors", "--base", "base", "-o", "x"), "there is no checkpoint"),
        ((*ASKED, "-o", "x", "--dtype", "int8"), "dtype"),
    ],
)
def test_one_sentence_for_what_cannot_be_merged(taskspace, models, tmp_path, words, hint):
    before = sorted(p.name for p in tmp_path.iterdir())
    said = taskspace(*words)
    assert said.code == 2
    assert hint in said.sentence
    assert sorted(p.name for p in tmp_path.iterdir()) == before
