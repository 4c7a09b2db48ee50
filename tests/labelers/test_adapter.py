"""Adapters as labelers: peft's own answers, whatever the head, and one sentence where adapter and base do not fit."""

from __future__ import annotations

import json
import shutil
import sys
import warnings

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import LabelerError, MissingExtra
from taskspace.labelers import AnswerStore, from_hub, load_labeler
from taskspace.labelers._adapter import Adapted
from taskspace.task import Inputs

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

TEXTS = ["red rain in the soup", "a good train", "grey", "the road is bright and we saw snow", "unheard"]
INPUTS = Inputs.of(TEXTS, [None] * len(TEXTS))


def adapt(folder, base, *, labels=3, seed=0, bare=False, **config):
    """Write an adapter whose factors and head are random; gives peft's model."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        settings = {"num_labels": labels, "ignore_mismatched_sizes": True}
        network = transformers.AutoModelForSequenceClassification.from_pretrained(base, **settings)
        told = {"r": 3, "task_type": "SEQ_CLS", "target_modules": ["query", "value"]} | config
        adapted = peft.get_peft_model(network, peft.LoraConfig(**told))
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.data = 0.5 * torch.randn_like(parameter)
            assert not (bare and "modules_to_save" in name)
        adapted.save_pretrained(folder)
    return adapted.eval()


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture
def memory():
    return AnswerStore(None)


@pytest.fixture
def folder(tmp_path, tiny_encoder):
    adapt(tmp_path / "adapter", tiny_encoder)
    return tmp_path / "adapter"


def wanted(adapted, base):
    """float64[texts, labels]: peft's model, one text at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    with torch.inference_mode():
        rows = [adapted(**tokenizer(text, return_tensors="pt")).logits[0] for text in TEXTS]
    return torch.softmax(torch.stack(rows).double(), dim=1).numpy()


@pytest.mark.parametrize(
    "config",
    [{}, {"use_rslora": True}, {"use_dora": True}, {"modules_to_save": ["pooler"]}, {"target_modules": "all-linear"}],
)
def test_it_answers_as_peft_does(tmp_path, tiny_encoder, memory, config):
    adapted = adapt(tmp_path / "mine", tiny_encoder, **config)
    labeler = from_hub(tmp_path / "mine", store=memory)
    answers = labeler.answer(INPUTS)
    np.testing.assert_allclose(answers.values, wanted(adapted, tiny_encoder), atol=1e-6)
    assert answers.values.std(axis=0).max() > 0.004
    assert labeler.name == "mine"
    told = labeler.provenance
    assert (told["labels"], told["base"]) == (["LABEL_0", "LABEL_1", "LABEL_2"], str(tiny_encoder))


# transformers tells peft of a name that will go in its version 6
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_other_than_lora_too(tmp_path, tiny_encoder, memory):
    network = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3)
    settings = peft.IA3Config(task_type="SEQ_CLS", target_modules=["value", "output.dense"],
                              feedforward_modules=["output.dense"])  # fmt: skip
    adapted = peft.get_peft_model(network, settings)
    for name, parameter in adapted.named_parameters():
        if "ia3" in name:
            parameter.data += 0.5
    adapted.save_pretrained(tmp_path / "ia3")
    found = from_hub(tmp_path / "ia3", store=memory).answer(INPUTS)
    np.testing.assert_allclose(found.values, wanted(adapted.eval(), tiny_encoder), atol=1e-6)


def test_on_a_classifier_with_its_own_head(tmp_path, tiny_classifier, memory):
    """No head is saved without a task type: the base's answers, with its labels."""
    adapted = adapt(tmp_path / "a", tiny_classifier, labels=2, bare=True, task_type=None)
    labeler = from_hub(tmp_path / "a", store=memory)
    assert labeler.provenance["labels"] == ["negative", "positive"]
    np.testing.assert_allclose(labeler.answer(INPUTS).values, wanted(adapted, tiny_classifier), atol=1e-6)


def test_a_head_of_another_size_takes_the_place_of_the_classifiers(tmp_path, tiny_classifier, memory):
    adapted = adapt(tmp_path / "a", tiny_classifier, labels=4)
    labeler = from_hub(tmp_path / "a", store=memory)
    assert len(labeler.provenance["labels"]) == 4
    np.testing.assert_allclose(labeler.answer(INPUTS).values, wanted(adapted, tiny_classifier), atol=1e-6)


def test_a_config_beside_it_names_the_labels(folder, memory):
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "entailment", "1": "neutral", "2": "other"}}))
    labeler = from_hub(folder, store=memory)
    assert labeler.provenance["labels"] == ["entailment", "neutral", "other"]
    assert labeler.reads == "pairs"


def test_its_answers_are_its_own(folder, tmp_path, tiny_encoder, memory):
    """Kept under base and adapter together; where the adapter lies does not matter."""
    one = from_hub(folder, store=memory)
    shutil.copytree(folder, tmp_path / "copy")
    adapt(tmp_path / "other", tiny_encoder, seed=1)
    prints = [from_hub(tmp_path / name, store=memory).fingerprint for name in ("copy", "other")]
    assert prints[0] == one.fingerprint != prints[1]


def test_it_is_named_on_the_command_line(folder, memory):
    labeler = load_labeler(f"hub:{folder}", name="mine", store=memory)
    assert labeler.name == "mine"
    assert labeler.answer(INPUTS).values.shape == (5, 3)


def test_from_the_cache_of_the_hub(folder, tmp_path, monkeypatch, memory):
    import huggingface_hub

    def download(name, *, local_files_only, **_):
        if name != "me/adapter" or not local_files_only:
            raise OSError("offline")
        return str(folder.rename(tmp_path / "c0ffee") if folder.exists() else tmp_path / "c0ffee")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    labeler = from_hub("me/adapter", store=memory)
    assert (labeler.name, labeler.provenance["revision"]) == ("me/adapter", "c0ffee")
    with pytest.raises(LabelerError, match="is neither a local folder nor in the Hub cache"):
        from_hub("me/none", store=memory)


def changed(folder, **config):
    said = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(said | config))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"base_model_name_or_path": None}, "names no base; write it there as base_model_name_or_path"),
        ({"base_model_name_or_path": "no/such"}, "^base of adapter .* 'no/such' is neither|is neither a local folder"),
        ({"task_type": "CAUSAL_LM"}, "is for CAUSAL_LM and no classifier; give one that was trained for SEQ_CLS"),
        ({"peft_type": "PROMPT_TUNING"}, "is of type PROMPT_TUNING, which is no part of a model's layers; train LoRA"),
        ({"r": 5}, "does not fit .*tiny.*; give it beside the model that it was trained on"),
        ({"target_modules": ["query"]}, "does not fit .* is only in one of them; give the model that it was trained"),
        ({"target_modules": ["query", "value", "key"]}, "does not fit .* is only in one of them"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(folder, memory, config, sentence):
    changed(folder, **config)
    with pytest.raises(LabelerError, match=sentence):
        from_hub(folder, store=memory).answer(INPUTS)


def test_another_base_is_told(folder, tmp_path, save_encoder, memory):
    for name, sizes in {"wide": {"hidden_size": 32}, "deep": {"num_hidden_layers": 2}}.items():
        save_encoder(tmp_path / name, **sizes)
        changed(folder, base_model_name_or_path=str(tmp_path / name))
        with pytest.raises(LabelerError, match=f"does not fit .*{name}"):
            from_hub(folder, store=memory).answer(INPUTS)


def test_without_a_head_it_is_no_classifier(tmp_path, tiny_encoder, memory):
    adapt(tmp_path / "a", tiny_encoder, bare=True, task_type=None)
    with pytest.raises(LabelerError, match="is no classifier: its weights lack classifier"):
        from_hub(tmp_path / "a", store=memory).answer(INPUTS)


def test_damaged_files(folder, memory):
    weights = folder / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(LabelerError, match="is no readable safetensors file; save the adapter again"):
        from_hub(folder, store=memory)
    weights.unlink()
    with pytest.raises(LabelerError, match=r"has no adapter_model.safetensors; save it again as safetensors"):
        from_hub(folder, store=memory)
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(LabelerError, match="cannot be read"):
        from_hub(folder, store=memory)


def test_peft_is_asked_for(folder, memory, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"needs peft, which is not installed; pip install 'taskspace\[peft\]'"):
        from_hub(folder, store=memory)


@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        (["model.pre_classifier.weight"], None),
        (["pre_classifier.weight", "classifier.weight"], 3),
        (["classification_head.dense.weight", "classification_head.out_proj.weight"], 3),
        (["my_score.weight"], None),
    ],
)
def test_heads_by_their_last_layer(tmp_path, keys, labels):
    """Sizes fall from layer to layer, so that the wrong one is seen."""
    sizes = range(3 + 4 * (len(keys) - 1), 0, -4)
    tensors = {f"base_model.model.{key}": np.zeros((size, 2), "f4") for key, size in zip(keys, sizes, strict=True)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    assert Adapted("a", tmp_path, None, "local").outputs == labels  # its base is not asked
