"""Adapters in the space of their base, beside the models that peft merges them to."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import SpaceMismatch
from taskspace.merging import TaskVector

SETTINGS = {
    "plain": {"r": 4, "lora_alpha": 6, "target_modules": ["query", "dense"]},
    "stabilised": {"r": 5, "use_rslora": True, "target_modules": ["query"]},
    "embedding": {"r": 3, "target_modules": ["word_embeddings"]},
    "magnitudes": {"r": 2, "use_dora": True, "target_modules": ["value"]},
    "head": {"r": 2, "target_modules": ["key"], "modules_to_save": ["classifier"]},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_adapter_and_its_merged_model_lie_in_one_place(setting, tmp_path, make_adapter, make_model, arrays_of):
    kind = "classifier" if setting == "head" else "bert"
    merged = arrays_of(make_adapter(tmp_path / "adapter", kind, **SETTINGS[setting]))
    save_file(arrays_of(make_model(kind)), tmp_path / "base.safetensors")
    kept = TaskVector.from_peft(tmp_path / "adapter", base=tmp_path / "base.safetensors").embed(dims=512)
    dense = TaskVector.diff(merged, tmp_path / "base.safetensors").embed(dims=512)
    assert kept.space == dense.space
    np.testing.assert_allclose(kept.vector, dense.vector, atol=2e-5)
    assert np.linalg.norm(kept.vector) > 0.1


def test_without_its_base_an_adapter_counts_by_the_name_alone(tmp_path, make_adapter, make_model, arrays_of):
    folder = tmp_path / "adapter"
    make_adapter(folder, "bert", **SETTINGS["plain"])
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "some/bert"}))
    alone = TaskVector.from_peft(folder).embed()
    known = TaskVector.from_peft(folder, base=arrays_of(make_model("bert"))).embed()
    assert (alone.space.surrogate, alone.space.weights) == ("some/bert", "only its name: some/bert")
    assert alone.space == TaskVector.from_peft(folder).embed().space
    with pytest.raises(SpaceMismatch, match=r"differ in weights \(\"only its name: some/bert\" and \"[0-9a-f]{32}"):
        alone.similarity(known)
    assert (alone.provenance["rank"], alone.provenance["base"]) == (4, "some/bert")
