from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.tuning.parts import Prefixes

SELF_ATTENTIONS = {"bert": 2, "roberta": 2, "t5": 4, "gpt2": 2, "llama": 2}
KEY_WIDTH = {"bert": 16, "roberta": 16, "t5": 18, "gpt2": 16, "llama": 8}


def table(model, length=3, seed=0):
    width = SELF_ATTENTIONS[model] * 2 * KEY_WIDTH[model]
    return np.random.default_rng(seed).standard_normal((length, width)).astype(np.float32)


def slow_attention(queries, keys, values, bias, scaling):
    """One text, one query at a time: [heads, q, d], [heads, k, d] and a bias [heads, q, k] of -inf or a number."""
    import torch

    rows = []
    for q in range(queries.shape[1]):
        scores = (keys * queries[:, q : q + 1]).sum(2) * scaling + bias[:, q]
        rows.append(((scores - scores.amax(1, True)).exp()[:, :, None] * values).sum(1))
        rows[-1] = rows[-1] / (scores - scores.amax(1, True)).exp().sum(1, True)
    return torch.stack(rows, 1)


def with_slow_prefix(module, model, tables, mask):
    """A model whose self-attentions are written out, each text with the keys and values of its own table."""
    import torch

    own = {"bert": ("query", "key", "value"), "roberta": ("query", "key", "value"), "t5": ("q", "k", "v")}[model]
    kind = "T5Attention" if model == "t5" else model.capitalize() + "SelfAttention"
    layers = [layer for name, layer in module.named_modules()
              if type(layer).__name__ == kind and "EncDec" not in name]  # fmt: skip
    assert len(layers) == SELF_ATTENTIONS[model]
    blocks = np.split(tables, 2 * len(layers), axis=2)
    for number, layer in enumerate(layers):
        first = layers[0 if number < 2 or model != "t5" else 2]

        def forward(hidden, *_, layer=layer, first=first, number=number, **__):
            decoding = getattr(layer, "is_decoder", False)
            n, tokens, _ = hidden.shape
            heads = 3 if model == "t5" else 4
            q, k, v = (getattr(layer, name)(hidden).reshape(n, tokens, heads, -1).permute(0, 2, 1, 3) for name in own)
            texts = []
            for i in range(n):
                front = [torch.tensor(blocks[2 * number + j][i]).reshape(-1, heads, q.shape[3]) for j in (0, 1)]
                keys, values = (torch.cat([f.transpose(0, 1), x[i]], 1) for f, x in zip(front, (k, v), strict=True))
                bias = torch.zeros(heads, tokens, tokens)
                if model == "t5":
                    bias = first.compute_bias(tokens, tokens)[0]
                if decoding:
                    bias = bias.masked_fill(torch.ones(tokens, tokens).triu(1).bool(), -float("inf"))
                else:
                    bias = bias.masked_fill(mask[i] == 0, -float("inf"))
                bias = torch.cat([torch.zeros(heads, tokens, len(front[0])), bias], 2)
                texts.append(slow_attention(q[i], keys, values, bias, layer.scaling).transpose(0, 1).flatten(1))
            out = torch.stack(texts)
            return (layer.o(out), None, None) if model == "t5" else (out, None)

        layer.forward = forward
    return module


@pytest.mark.parametrize("model", ["bert", "roberta", "t5"])
def test_equals_attention_written_out(model, standins, make_module, make_standin, batch):
    import torch

    embeds, mask, owners = batch
    tables = np.stack([table(model, seed=seed) for seed in range(3)])
    slow = make_standin(model, with_slow_prefix(make_module(model), model, tables[owners], mask))
    with torch.no_grad():
        found = standins[model].hidden(Prefixes(standins[model], tables), embeds, mask, owners)
        expected = slow.run(embeds, mask)
    real = torch.ones(found.shape[:2], dtype=torch.bool)
    real[:, : mask.shape[1]] = mask.bool()
    torch.testing.assert_close(found[real], expected[real], rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's
@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_equals_peft(model, make_module, make_standin, batch):
    import torch

    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    embeds, mask, _ = batch
    base = make_module(model)
    whole = getattr(transformers, {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM"}[model])(base.config)
    setattr(whole, whole.base_model_prefix, base)
    backbone, prefix = make_standin(model, base), table(model)
    with torch.no_grad(), Prefixes.repeat(backbone, prefix, 1).inside(backbone, torch.zeros(5, dtype=torch.long)):
        # There the text stands m places further on.
        ours = whole.get_output_embeddings()(backbone.run(embeds, mask, first=3))
    tuned = peft.get_peft_model(whole, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)).eval()
    with torch.no_grad():
        tuned.prompt_encoder.default.embedding.weight.copy_(torch.tensor(prefix))
        theirs = tuned(inputs_embeds=embeds, attention_mask=mask).logits
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_steps_on_a_cache_equal_passes_without_one(model, standins, scattered, batch):
    import torch
    from transformers import DynamicCache

    embeds, _, owners = batch
    backbone, seen = standins[model], torch.ones(5, 6, dtype=torch.long)
    part, cache = scattered("prefix", backbone), DynamicCache()
    with torch.no_grad(), part.inside(backbone, owners):
        whole = backbone.run(embeds, seen, use_cache=False)
        steps = [backbone.run(embeds[:, :3], seen[:, :3], past_key_values=cache, use_cache=True)]
        for at in range(3, 6):
            steps.append(
                backbone.run(embeds[:, at : at + 1], seen[:, : at + 1], at, past_key_values=cache, use_cache=True)
            )
            assert cache.get_seq_length() == at + 1
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=1e-5, atol=1e-5)


def test_steps_of_a_t5_on_a_cache_equal_a_pass_without_one(standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    backbone = standins["t5"]
    part, words = scattered("prefix", backbone), torch.arange(4).expand(5, 4) + 7
    with torch.no_grad(), part.inside(backbone, owners):
        whole = backbone.run(embeds, mask, use_cache=False)[:, 6:]
        read = backbone.module.encoder(inputs_embeds=embeds, attention_mask=mask)
        cache, steps = None, []
        for at in range(4):
            out = backbone.module(
                encoder_outputs=read, attention_mask=mask, decoder_input_ids=words[:, at : at + 1],
                past_key_values=cache, use_cache=True,
            )  # fmt: skip
            cache = out.past_key_values
            assert cache.get_seq_length() == at + 1
            steps.append(out.last_hidden_state)
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_padding_on_either_side_and_masks_of_any_form_agree(model, standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    backbone = standins[model]
    causal = torch.ones(6, 6, dtype=torch.bool).tril() & mask.bool()[:, None]
    shift = 6 - mask.sum(1)
    moved = torch.stack([row.roll(int(by), 0) for row, by in zip(embeds, shift, strict=True)])
    places = (torch.arange(6) - shift[:, None]).clamp(min=0)
    with torch.no_grad(), scattered("prefix", backbone).inside(backbone, owners):
        plain = backbone.run(embeds, mask)[mask.bool()]
        exact = backbone.run(embeds, causal[:, None])[mask.bool()]
        floats = backbone.run(embeds, torch.where(causal, 0.0, -1e9)[:, None])[mask.bool()]
        left = backbone.module(inputs_embeds=moved, attention_mask=mask.flip(1), position_ids=places)
    for other in (exact, floats, left.last_hidden_state[mask.flip(1).bool()]):
        torch.testing.assert_close(other, plain, rtol=1e-5, atol=1e-5)


def test_a_model_that_was_loaded_eager_agrees_and_stays_so(standins, make_module, make_standin, scattered, batch):
    import torch

    for model, backbone in standins.items():
        eager = make_standin(model, make_module(model, attn_implementation="eager"))
        assert eager.module.config._attn_implementation == "eager"
        part = scattered("prefix", backbone)
        with torch.no_grad():
            torch.testing.assert_close(eager.hidden(part, *batch), backbone.hidden(part, *batch), rtol=1e-5, atol=1e-5)
        for layer in eager.module.modules():
            if hasattr(layer, "config"):
                assert layer.config._attn_implementation == "eager"


def test_a_projection_makes_the_table_that_its_state_shows(standin, scattered, batch):
    import torch

    part = scattered("projection", standin)
    state = part.state(2)
    hidden = np.tanh(state["tokens"] @ state["down.weight"].T + state["down.bias"])
    np.testing.assert_allclose(
        state["keys_values"], hidden @ state["up.weight"].T + state["up.bias"], rtol=1e-4, atol=1e-5
    )
    plain = Prefixes(standin, np.stack([part.state(row)["keys_values"] for row in range(3)]))
    with torch.no_grad():
        torch.testing.assert_close(standin.hidden(plain, *batch), standin.hidden(part, *batch), rtol=1e-5, atol=1e-5)


def test_the_table_is_as_wide_as_all_keys_and_values(standin):
    part = Prefixes.start(standin, 2, 5, seed=0)
    width = SELF_ATTENTIONS[standin.model] * 2 * KEY_WIDTH[standin.model]
    assert part.parameters["keys_values"].shape == (2, 5, width)
    spread = Prefixes.start(standin, 1, 40, spread=0.1, seed=0).state(0)["keys_values"].std()
    assert spread == pytest.approx(0.1, rel=0.05)


def test_what_does_not_fit_is_refused(standins, one_sentence):
    with pytest.raises(PromptError) as caught:
        Prefixes.repeat(standins["llama"], table("bert"), 2)
    assert one_sentence(caught.value)
    assert "[2, 3, 64]" in str(caught.value)


def test_a_model_that_attends_in_its_own_way_is_refused(make_standin, one_sentence):
    transformers = pytest.importorskip("transformers")
    module = transformers.MPNetModel(transformers.MPNetConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
    ))  # fmt: skip
    with pytest.raises(SettingError, match="MPNetModel") as caught:
        Prefixes.start(make_standin("bert", module), 1)
    assert one_sentence(caught.value)


def test_a_model_that_caps_its_attention_takes_no_prefix(make_standin, one_sentence):
    transformers = pytest.importorskip("transformers")
    config = transformers.Gemma2Config(
        vocab_size=60, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=40,
    )  # fmt: skip
    assert config.attn_logit_softcapping  # as it ships
    with pytest.raises(SettingError, match="caps its attention") as error:
        Prefixes.start(make_standin("llama", transformers.Gemma2Model(config)), 1, 2)
    assert one_sentence(error.value)


def test_a_projection_is_a_width(standins, one_sentence):
    for wrong in (-1, 2.5):
        with pytest.raises(SettingError, match="projection") as error:
            Prefixes.start(standins["bert"], 1, 2, projection=wrong)
        assert one_sentence(error.value)
