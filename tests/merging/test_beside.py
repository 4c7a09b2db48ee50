"""What comes along with merged weights."""

from __future__ import annotations

import json

import pytest

from taskspace.merging.beside import carry


@pytest.fixture
def folders(tmp_path):
    base, out = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    out.mkdir()
    return base, out


def test_all_but_weights_and_the_bases_own_card(folders):
    base, out = folders
    kept = ("config.json", "tokenizer.json", "vocab.txt", "tokenizer.model", "LICENSE", "chat_template.jinja")
    left = ("model.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.onnx", "README.md", ".git")
    for name in kept + left:
        (base / name).write_text("{}")
    carry(base, out)
    assert sorted(p.name for p in out.iterdir()) == sorted(kept)


def test_further_modules_of_a_sentence_encoder(folders):
    base, out = folders
    listing = [{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense"}, {"path": "../elsewhere"}, {"path": "absent"}]
    (base / "modules.json").write_text(json.dumps(listing))
    for name in ("1_Pooling/config.json", "2_Dense/model.safetensors", "onnx/model.onnx"):
        (base / name).parent.mkdir()
        (base / name).write_text("{}")
    carry(base, out)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
        "1_Pooling/config.json", "2_Dense/model.safetensors", "modules.json",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_the_configuration_says_the_dtype_that_was_written(folders, key):
    base, out = folders
    (base / "config.json").write_text(json.dumps({"model_type": "bert", key: "float32"}))
    carry(base, out, dtype="BF16")
    assert json.loads((out / "config.json").read_text()) == {"model_type": "bert", key: "bfloat16"}


@pytest.mark.parametrize("text", ['{"model_type": "bert"}', "[1]", "no json", None])
def test_a_configuration_that_says_none_stays_as_it_is(folders, text):
    base, out = folders
    if text is not None:
        (base / "config.json").write_text(text)
    carry(base, out, dtype="F16")
    assert ((out / "config.json").read_text() if text is not None else None) == text
