from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers.language_models._loading import load
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._scoring import score

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors_torch = pytest.importorskip("safetensors.torch")


@pytest.fixture
def llama(save_language_model, tmp_path):
    return save_language_model(tmp_path / "llama", "llama")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


# What is loaded


def test_what_is_loaded(llama):
    model = load(llama, device="cpu")
    assert (model.name, model.device, model.dtype) == (str(llama), "cpu", "float32")
    assert (model.is_encoder_decoder, model.max_tokens, model.end_tokens) == (False, 64, (1,))
    assert not model.module.training
    assert not any(weight.requires_grad for weight in model.module.parameters())
    assert model.module is model.module
    assert model.tokenizer("w4 w7 unseen").input_ids == [4, 7, 3]


def test_an_encoder_decoder(save_language_model, tmp_path):
    model = load(save_language_model(tmp_path / "t5", "t5"), device="cpu")
    assert model.is_encoder_decoder
    assert model.max_tokens is None
    assert model.module.config.model_type == "t5"


@pytest.mark.parametrize(("kind", "most"), [("gpt2", 64), ("bart", 64), ("bloom", None), ("mamba", None)])
def test_the_longest_text_a_model_has_positions_for(save_language_model, tmp_path, kind, most):
    assert load(save_language_model(tmp_path / kind, kind, tokenizer=False)).max_tokens == most


def test_nothing_is_loaded_to_know_the_fingerprint(llama, elsewhere):
    told = elsewhere(
        "import sys\n"
        "from taskspace.labelers.language_models._loading import load\n"
        "print(load(sys.argv[1]).fingerprint, 'torch' in sys.modules, 'transformers' in sys.modules)\n",
        llama,
    )
    assert told == f"{load(llama).fingerprint} False False"


def test_loading_says_nothing(llama, capfd):
    model = load(llama, device="cpu")
    list(score(model, [Query((4, 5), ((6,),))]))
    model.tokenizer("w4")
    assert capfd.readouterr() == ("", "")


# In which precision


def half(folder):
    transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("said_in_config", [True, False])
def test_stored_precision_counts_but_not_on_the_cpu(llama, said_in_config):
    half(llama)
    assert json.loads((llama / "config.json").read_text())["dtype"] == "bfloat16"
    if not said_in_config:
        change_config(llama, dtype=None)
    assert load(llama, device="cpu").dtype == "float32"
    assert load(llama, device="cpu").module.dtype == torch.float32
    assert load(llama, device="cuda").dtype == "bfloat16"  # known without the device
    assert load(llama, device="cpu", dtype="bfloat16").module.dtype == torch.bfloat16


# The fingerprint


def test_the_fingerprint_is_of_the_content(llama, save_language_model, tmp_path):
    seen = load(llama).fingerprint
    assert load(shutil.copytree(llama, tmp_path / "copy")).fingerprint == seen
    assert load(llama, dtype="bfloat16").fingerprint != seen
    assert load(llama, dtype="float32").fingerprint == seen  # as it is stored
    other = save_language_model(tmp_path / "other", "llama", seed=1)
    assert load(other).fingerprint != seen


def test_another_chat_template_is_another_fingerprint(llama):
    seen = load(llama).fingerprint
    (llama / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert load(llama).fingerprint != seen


def test_of_the_generation_settings_only_special_tokens_count(save_language_model, tmp_path, one_sentence):
    """They say what answers start with and where thoughts end; temperatures and versions are never used."""
    folder = save_language_model(tmp_path / "t5", "t5")
    seen, file = load(folder).fingerprint, folder / "generation_config.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    for change, same in [
        ({"temperature": 0.3, "transformers_version": "9"}, True),
        ({"decoder_start_token_id": 9}, False),
        ({"eos_token_id": [1, 9]}, False),
    ]:
        file.write_text(json.dumps(said | change), encoding="utf-8")
        assert (load(folder).fingerprint == seen) == same, change
    file.write_text("[1", encoding="utf-8")
    with pytest.raises(LabelerError, match="cannot be loaded") as caught:
        _ = load(folder).fingerprint
    assert one_sentence(caught.value)


# What is refused, in one sentence each


def test_no_tokenizer(save_language_model, tmp_path, one_sentence):
    model = load(save_language_model(tmp_path / "bare", "llama", tokenizer=False), device="cpu")
    with pytest.raises(LabelerError, match="holds no tokenizer") as caught:
        _ = model.fingerprint
    assert one_sentence(caught.value)
    with pytest.raises(LabelerError, match="holds no tokenizer") as caught:
        _ = model.tokenizer
    assert one_sentence(caught.value)


def test_pickled_weights_are_never_opened(llama, tmp_path, one_sentence):
    (llama / "model.safetensors").unlink()
    marker = tmp_path / "opened"
    (llama / "pytorch_model.bin").write_bytes(f"cpathlib\nPath\n(V{marker}\ntRp0\n.".encode())
    with pytest.raises(LabelerError, match=r"has its weights in pytorch_model.bin, a pickle, never opened") as caught:
        load(llama)
    assert one_sentence(caught.value)


def test_weights_that_lack_a_tensor(llama, one_sentence):
    tensors = safetensors_torch.load_file(llama / "model.safetensors")
    del tensors["lm_head.weight"]
    safetensors_torch.save_file(tensors, llama / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LabelerError, match=r"weights lack 1 tensors such as lm_head.weight") as caught:
        _ = load(llama, device="cpu").module
    assert one_sentence(caught.value)


def test_a_damaged_weight_file(llama, one_sentence):
    (llama / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not a header ")
    with pytest.raises(LabelerError, match="cannot be loaded") as caught:
        _ = load(llama, device="cpu").module
    assert one_sentence(caught.value)


def test_an_encoder_writes_no_text(tiny_encoder, one_sentence):
    with pytest.raises(LabelerError, match="is a bert, which does not write text; give a decoder") as caught:
        _ = load(tiny_encoder, device="cpu").module
    assert one_sentence(caught.value)


@pytest.mark.parametrize(("kind", "seen"), [("vit", "is a vit, which does not write"), ("made-up", "cannot be loaded")])
def test_other_kinds_of_model(llama, one_sentence, kind, seen):
    change_config(llama, model_type=kind)
    with pytest.raises(LabelerError, match=seen) as caught:
        _ = load(llama, device="cpu").module
    assert one_sentence(caught.value)


def test_code_that_comes_with_a_checkpoint_is_never_run(llama, tmp_path, one_sentence):
    marker = tmp_path / "ran"
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\nclass Config: ...\nclass Model: ...\n"
    (llama / "made.py").write_text(code, encoding="utf-8")
    made = {"AutoConfig": "made.Config", "AutoModelForCausalLM": "made.Model"}
    change_config(llama, model_type="made-up", auto_map=made)
    with pytest.raises(LabelerError, match="cannot be loaded") as caught:
        _ = load(llama, device="cpu").module
    assert one_sentence(caught.value)
    assert not marker.exists()


def test_a_device_that_is_not_there(llama, one_sentence):
    with pytest.raises(SettingError, match="device 'tpu:9' cannot be used") as caught:
        _ = load(llama, device="tpu:9").module
    assert one_sentence(caught.value)


def test_an_unknown_precision(llama, one_sentence):
    with pytest.raises(SettingError, match="dtype 'int4' is not known; say one of auto, float32") as caught:
        load(llama, dtype="int4")
    assert one_sentence(caught.value)


def test_a_name_that_is_nowhere(one_sentence):
    with pytest.raises(LabelerError, match="language model 'no-one/nothing' is neither a local folder nor") as caught:
        load("no-one/nothing")
    assert one_sentence(caught.value)
    assert "surrogate" not in str(caught.value)


def test_a_folder_without_a_model(tmp_path, one_sentence):
    with pytest.raises(LabelerError, match=r"holds no config.json") as caught:
        load(Path(tmp_path))
    assert one_sentence(caught.value)
