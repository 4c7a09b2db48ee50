"""What we write is what peft reads, and scores as [P; E(x)] fed by hand; what peft writes is what we read."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft import SoftPrompt, read_prompt, write_peft
from taskspace.tuning.identity import BackboneId

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

# peft 0.21 asks transformers 5 by an old name; can go when it no longer does
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def prompt_for(module, kind, m=5, layout="input", width=None):
    torch.set_num_threads(1)
    d = module.get_input_embeddings().embedding_dim
    tokens = np.random.default_rng(3).standard_normal((m, width or d)).astype(np.float32)
    return SoftPrompt(tokens, BackboneId("org/tiny", "", kind, d, 50), "p", 0 * tokens, ("a",), layout=layout)


@pytest.fixture(scope="module")
def bert(tiny_encoder):
    return transformers.BertModel.from_pretrained(tiny_encoder).eval()


@pytest.fixture(scope="module")
def llama(tiny_decoder):
    return transformers.LlamaForCausalLM.from_pretrained(tiny_decoder).eval()


IDS = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 5]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def by_hand(module, prompt):
    """``[P; E(x)]`` and its mask."""
    tokens = torch.from_numpy(np.array(prompt.tokens)).expand(2, -1, -1)
    embeds = torch.cat([tokens, module.get_input_embeddings()(IDS)], dim=1)
    return {
        "inputs_embeds": embeds,
        "attention_mask": torch.cat([torch.ones(2, prompt.length, dtype=torch.long), MASK], dim=1),
    }


def loaded(module, folder):
    """A copy: peft freezes and wraps what it is given."""
    import copy

    return peft.PeftModel.from_pretrained(copy.deepcopy(module), folder).eval()


@torch.no_grad()
def test_an_encoder_scores_identically(tmp_path, bert):
    prompt = prompt_for(bert, "encoder")
    model = loaded(bert, write_peft(prompt, tmp_path / "p"))
    assert isinstance(model, peft.PeftModelForFeatureExtraction)
    ours = bert(**by_hand(bert, prompt)).last_hidden_state
    theirs = model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)
    plain = bert(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert (theirs[:, prompt.length :] - plain).abs().max() > 1e-2


@torch.no_grad()
def test_a_classifier_scores_identically(tmp_path, tiny_classifier):
    module = transformers.BertForSequenceClassification.from_pretrained(tiny_classifier).eval()
    prompt = prompt_for(module, "encoder")
    head = {name: 2 * p.numpy() for name, p in module.named_parameters() if name.startswith("classifier.")}
    model = loaded(module, write_peft(prompt, tmp_path / "p", task_type="SEQ_CLS", head=head))
    assert isinstance(model, peft.PeftModelForSequenceClassification)
    theirs = model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(theirs, 2 * module(**by_hand(module, prompt)).logits, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(read_prompt(tmp_path / "p").tokens, prompt.tokens)


def test_heads_are_for_classifiers(tmp_path, bert, one_sentence):
    prompt = prompt_for(bert, "encoder")
    for said in ({"task_type": "SEQ_CLS"}, {"head": {"classifier.weight": np.ones((2, 16))}}):
        with pytest.raises(SettingError, match="classification head") as caught:
            write_peft(prompt, tmp_path / "p", **said)
        assert one_sentence(caught.value)


@torch.no_grad()
def test_an_encoder_decoder_scores_identically(tmp_path, tiny_seq2seq):
    prompt = prompt_for(tiny_seq2seq, "encoder-decoder")
    model = loaded(tiny_seq2seq, write_peft(prompt, tmp_path / "p"))
    assert isinstance(model, peft.PeftModelForSeq2SeqLM)
    assert model.prompt_encoder.default.embedding.weight.shape == (5, 16)
    labels = torch.tensor([[3, 4, 1], [5, 1, -100]])
    ours = tiny_seq2seq(**by_hand(tiny_seq2seq, prompt), labels=labels)
    theirs = model(input_ids=IDS, attention_mask=MASK, labels=labels)
    torch.testing.assert_close(theirs.logits, ours.logits, rtol=0, atol=1e-6)
    torch.testing.assert_close(theirs.loss, ours.loss, rtol=0, atol=1e-6)
    plain = tiny_seq2seq(input_ids=IDS, attention_mask=MASK, labels=labels)
    assert (theirs.logits - plain.logits).abs().max() > 1e-2


@torch.no_grad()
def test_a_decoder_scores_identically(tmp_path, llama):
    prompt = prompt_for(llama, "decoder")
    model = loaded(llama, write_peft(prompt, tmp_path / "p"))
    assert isinstance(model, peft.PeftModelForCausalLM)
    ours = llama(**by_hand(llama, prompt)).logits
    theirs = model(input_ids=IDS, attention_mask=MASK).logits
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)
    assert (theirs[:, prompt.length :] - llama(input_ids=IDS, attention_mask=MASK).logits).abs().max() > 1e-2


@torch.no_grad()
def test_a_prefix_scores_identically(tmp_path, llama):
    """Columns are layer by layer, keys before values, head by head."""
    layers, heads, size = 2, 2, 8
    prompt = prompt_for(llama, "decoder", layout="prefix", width=layers * 2 * heads * size)
    model = loaded(llama, write_peft(prompt, tmp_path / "p"))
    table = torch.from_numpy(np.array(prompt.tokens)).view(5, layers, 2, heads, size)
    cache = transformers.DynamicCache()
    for layer in range(layers):
        keys, values = (table[:, layer, i].transpose(0, 1).expand(2, -1, -1, -1) for i in range(2))
        cache.update(keys, values, layer)
    mask = torch.cat([torch.ones(2, 5, dtype=torch.long), MASK], dim=1)
    places = torch.arange(5, 9).expand(2, -1)
    ours = llama(input_ids=IDS, attention_mask=mask, past_key_values=cache, position_ids=places).logits
    theirs = model(input_ids=IDS, attention_mask=MASK).logits
    # a row's last token is padding in the second text, and what it sees differs by the mask alone
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", ["input", "prefix"])
def test_the_config_is_that_of_peft(tmp_path, llama, layout):
    """Field by field what ``save_pretrained`` writes, but for the sizes that peft takes from the model anyway."""
    import copy

    made = {"input": peft.PromptTuningConfig, "prefix": peft.PrefixTuningConfig}[layout]
    config = made(task_type="CAUSAL_LM", num_virtual_tokens=5, num_transformer_submodules=1)
    peft.get_peft_model(copy.deepcopy(llama), config).save_pretrained(tmp_path / "theirs")
    prompt = prompt_for(llama, "decoder", layout=layout, width=16 if layout == "input" else 64)
    write_peft(prompt, tmp_path / "ours")
    ours, theirs = (json.loads((tmp_path / who / "adapter_config.json").read_text()) for who in ("ours", "theirs"))
    assert ours.keys() == theirs.keys()
    from_model = {"num_layers", "num_attention_heads", "token_dim", "base_model_name_or_path", "encoder_hidden_size"}
    differing = {key for key in ours if ours[key] != theirs[key]}
    assert differing <= from_model | {"peft_version"}
    assert ours["token_dim"] == (16 if layout == "input" else None)


def test_the_task_type_follows_the_backbone(tmp_path, bert, one_sentence):
    for kind, expected in (
        ("encoder", "FEATURE_EXTRACTION"),
        ("encoder-decoder", "SEQ_2_SEQ_LM"),
        ("decoder", "CAUSAL_LM"),
    ):
        folder = write_peft(prompt_for(bert, kind), tmp_path / kind)
        config = json.loads((folder / "adapter_config.json").read_text())
        assert (config["task_type"], config["num_transformer_submodules"]) == (expected, 1)
    unknown = replace(prompt_for(bert, "encoder"), backbone=None)
    assert read_prompt(write_peft(unknown, tmp_path / "said", task_type="CAUSAL_LM")).backbone is None
    for prompt, said, why in (
        (unknown, None, "no known backbone"), (prompt_for(bert, "encoder"), "CAUSAL_LM", "FEATURE_EXTRACTION"),
        (unknown, "POETRY", "SEQ_CLS"),
    ):  # fmt: skip
        with pytest.raises(SettingError, match=why) as caught:
            write_peft(prompt, tmp_path / "no", task_type=said)
        assert one_sentence(caught.value)
    assert not (tmp_path / "no").exists()


def test_a_prefix_of_an_encoder_decoder_is_ours_alone(tmp_path, tiny_seq2seq, one_sentence):
    prefix = prompt_for(tiny_seq2seq, "encoder-decoder", layout="prefix", width=64)
    with pytest.raises(PromptError, match="lays those out otherwise") as caught:
        write_peft(prefix, tmp_path / "p")
    assert one_sentence(caught.value)
    assert SoftPrompt.load(prefix.save(tmp_path / "p")).layout == "prefix"
    assert json.loads((tmp_path / "p" / "adapter_config.json").read_text())["task_type"] is None
    assert "PeftModel" not in (tmp_path / "p" / "README.md").read_text(encoding="utf-8")


# What peft writes


def theirs(module, folder, config):
    import copy

    model = peft.get_peft_model(copy.deepcopy(module), config)
    model.save_pretrained(folder)
    return model


def test_dead_rows_of_an_encoder_decoder_are_dropped(tmp_path, tiny_seq2seq):
    model = theirs(
        tiny_seq2seq, tmp_path / "p", peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)
    )
    stored = model.prompt_encoder.default.embedding.weight.detach()
    assert stored.shape == (10, 16)
    prompt = read_prompt(tmp_path / "p", backbone="t5-tiny")
    np.testing.assert_array_equal(prompt.tokens, stored[:5].numpy())
    assert prompt.provenance["imported"]["stored_rows"] == 10
    assert (prompt.report()["stored_rows"], prompt.report()["dropped_rows"]) == (10, 5)
    assert prompt.backbone.kind == "encoder-decoder"
    # what was dropped was never read: our half alone scores as peft scores the whole
    labels = torch.tensor([[3, 4, 1], [5, 1, -100]])
    with torch.no_grad():
        ours = tiny_seq2seq(**by_hand(tiny_seq2seq, prompt), labels=labels).logits
        torch.testing.assert_close(
            model.eval()(input_ids=IDS, attention_mask=MASK, labels=labels).logits, ours, rtol=0, atol=1e-6
        )


def test_the_report_keeps_what_was_dropped(tmp_path, tiny_seq2seq):
    theirs(tiny_seq2seq, tmp_path / "p", peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5))
    prompt = read_prompt(tmp_path / "p", backbone="t5-tiny")
    assert SoftPrompt.load(prompt.save(tmp_path / "ours")).report()["dropped_rows"] == 5


def test_rows_of_others_all_stay(tmp_path, llama, tiny_seq2seq):
    one = peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=6, num_transformer_submodules=1)
    theirs(tiny_seq2seq, tmp_path / "one", one)
    assert read_prompt(tmp_path / "one").length == 6
    theirs(llama, tmp_path / "causal", peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=6))
    prompt = read_prompt(tmp_path / "causal")
    assert (prompt.length, prompt.report()["dropped_rows"]) == (6, 0)
    assert prompt.backbone.kind == "decoder"


def test_a_prefix_of_peft(tmp_path, llama):
    model = theirs(llama, tmp_path / "p", peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    prefix = read_prompt(tmp_path / "p")
    assert (prefix.layout, prefix.length, prefix.width) == ("prefix", 3, 64)
    assert prefix.backbone.width == 16
    np.testing.assert_array_equal(prefix.tokens, model.prompt_encoder.default.embedding.weight.detach().numpy())


def test_what_p_tuning_made_is_read(tmp_path, llama):
    config = peft.PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, encoder_hidden_size=8)
    model = theirs(llama, tmp_path / "p", config)
    made = model.get_prompt_embedding_to_save("default").numpy()
    np.testing.assert_array_equal(read_prompt(tmp_path / "p").tokens, made)


def test_a_folder_of_older_peft(tmp_path, foreign_peft):
    tokens = np.arange(6, dtype=np.float32).reshape(3, 2)
    folder = foreign_peft(tokens)
    (folder / "adapter_model.safetensors").unlink()
    torch.save({"prompt_embeddings": torch.from_numpy(tokens)}, folder / "adapter_model.bin")
    np.testing.assert_array_equal(read_prompt(folder).tokens, tokens)


def test_half_precision_is_widened(tmp_path, foreign_peft):
    from safetensors.torch import save_file

    tokens = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        folder = foreign_peft(tokens.numpy(), name=str(dtype))
        save_file({"prompt_embeddings": tokens.to(dtype)}, folder / "adapter_model.safetensors")
        np.testing.assert_array_equal(read_prompt(folder).tokens, tokens.to(dtype).float().numpy())


def test_a_lora_folder_is_no_prompt(tmp_path, llama, one_sentence):
    theirs(llama, tmp_path / "p", peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"]))
    with pytest.raises(PromptError, match="holds a LORA adapter, not a soft prompt") as caught:
        read_prompt(tmp_path / "p")
    assert one_sentence(caught.value)


def test_folders_that_contradict_themselves(foreign_peft, one_sentence):
    tokens = np.ones((4, 2))
    for i, (config, said) in enumerate((
        ({"num_virtual_tokens": 3}, "stores 4 rows where"), ({"num_virtual_tokens": 2}, "stores 4 rows where"),
        ({"num_virtual_tokens": None}, "None tokens"), ({"num_virtual_tokens": 0}, "0 tokens"),
        ({"peft_type": None}, "nameless adapter"),
        ({"key": "other"}, "has no table 'prompt_embeddings'"), ({"peft_type": "MULTITASK_PROMPT_TUNING"}, "MULTITASK"),
        ({"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3}, "stores 4 rows where"),
    )):  # fmt: skip
        folder = foreign_peft(tokens, name=f"f{i}", **config)
        with pytest.raises(PromptError, match=said) as caught:
            read_prompt(folder)
        assert one_sentence(caught.value), caught.value


def test_the_name_of_the_base_model_tells_the_kind(foreign_peft):
    tokens = np.ones((4, 2))
    for i, (base, task, kind) in enumerate((
        ("org/roberta-base", "SEQ_CLS", "encoder"), ("org/llama-7b", "SEQ_CLS", "decoder"),
        ("org/x", "SEQ_CLS", "encoder"),
        ("org/x", "CAUSAL_LM", "decoder"), ("org/x", "SEQ_2_SEQ_LM", "encoder-decoder"),
    )):  # fmt: skip
        folder = foreign_peft(tokens, name=f"f{i}", base_model_name_or_path=base, task_type=task)
        assert asdict(read_prompt(folder).backbone) == {
            "name": base, "revision": "", "kind": kind, "width": 2, "vocabulary": 0, "table": "",
        }  # fmt: skip
    home = foreign_peft(tokens, name="home", base_model_name_or_path="/home/robert/TinyLlama", task_type="SEQ_CLS")
    assert read_prompt(home).backbone.kind == "decoder"
    assert read_prompt(foreign_peft(tokens, name="none")).backbone is None
