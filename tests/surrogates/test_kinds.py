"""Encoder-decoders and decoders behind the same face as the encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from taskspace.errors import SettingError, SurrogateError
from taskspace.surrogates import Located, load_surrogate
from taskspace.surrogates._shape import Shape, kind_of, shape_of

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(params=["tiny_t5", "tiny_decoder", "tiny_gpt2"])
def folder(request):
    return request.getfixturevalue(request.param)


def plain_features(folder, texts, layers, max_length):
    """One text at a time, without padding, straight from transformers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = transformers.T5EncoderModel if config.is_encoder_decoder else transformers.AutoModel
    module = kind.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=max_length)["input_ids"] or [tokenizer.bos_token_id]
        with torch.no_grad():
            seen = module(input_ids=torch.tensor([ids]), output_hidden_states=True)
        torch.testing.assert_close(seen.hidden_states[-1], seen.last_hidden_state)  # the last is the model's output
        first = 0 if config.is_encoder_decoder or len(ids) == 1 else 1
        rows.append(torch.cat([seen.hidden_states[layer][0, first:].mean(0) for layer in layers]))
    return torch.stack(rows).numpy()


@pytest.mark.parametrize(("layers", "max_length"), [(None, 128), ((0,), 30), ((2, 0, 1), 16)])
def test_features_equal_a_plain_forward_pass(folder, texts, layers, max_length):
    surrogate = load_surrogate(folder, layers=layers, max_length=max_length, cache=False)
    features = surrogate.features(texts)
    assert features.shape == (len(texts), 16 * len(layers or (1, 2)))
    expected = plain_features(folder, texts, layers or (1, 2), max_length)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)
    assert features.std(axis=0).min() > 0.01


def test_features_do_not_depend_on_the_company(folder, texts):
    module = load_surrogate(folder, cache=False).module

    def fresh(some):
        surrogate = load_surrogate(folder, cache=False)
        surrogate.__dict__["module"] = module
        return surrogate.features(some)

    whole = fresh(texts)
    order = np.random.default_rng(3).permutation(len(texts))
    np.testing.assert_array_equal(fresh([texts[i] for i in order]), whole[order])
    for i in range(0, len(texts), 9):
        np.testing.assert_array_equal(fresh([texts[i]])[0], whole[i])


def test_what_is_cached_is_read_again(folder, texts):
    first = load_surrogate(folder).features(texts)
    again = load_surrogate(folder)
    again.__dict__["module"] = None
    np.testing.assert_array_equal(again.features(texts[::-1]), first[::-1])


def test_the_mean_of_the_last_layer_takes_gradients(folder, texts):
    surrogate = load_surrogate(folder, cache=False)
    expected = surrogate.last_layer(surrogate.features(texts))
    for rows, tensors in surrogate.batches(texts, [None] * len(texts)):
        got = surrogate.pooled(tensors)[: len(rows)]
        np.testing.assert_allclose(got.detach().numpy(), expected[rows], atol=1e-6)


def test_the_first_token_of_a_decoder_counts_only_alone(tiny_decoder):
    """Whatever begins a text, its own state is left out; the states after it are what the text said."""
    surrogate = load_surrogate(tiny_decoder, layers=(0,), cache=False)
    table = surrogate.module.get_input_embeddings().weight.numpy()
    ids = surrogate.tokenizer("red")["input_ids"]
    features = surrogate.features(["red", "r", ""])
    np.testing.assert_allclose(features[0], table[ids[1:]].mean(0), atol=1e-6)
    np.testing.assert_allclose(features[1], table[ids[0]], atol=1e-6)
    np.testing.assert_allclose(features[2], table[surrogate.tokenizer.bos_token_id], atol=1e-6)
    assert surrogate.encoding["pooling"] == "mean after the first token"


def test_a_pair_is_read_jointly(folder):
    surrogate = load_surrogate(folder, cache=False)
    ((rows, tensors),) = surrogate.batches(["red rain"], ["snow"])
    ids = tensors["input_ids"][0][tensors["attention_mask"][0].bool()].tolist()
    between = " " if surrogate.kind == "encoder-decoder" else "\n"
    assert rows == [0]
    assert surrogate.tokenizer.decode(ids, skip_special_tokens=True) == f"red rain{between}snow"
    assert set(tensors) == {"input_ids", "attention_mask"}


def test_kinds(tiny_t5, tiny_decoder, tiny_gpt2, tiny_encoder):
    kinds = [load_surrogate(folder).kind for folder in (tiny_t5, tiny_decoder, tiny_gpt2, tiny_encoder)]
    assert kinds == ["encoder-decoder", "decoder", "decoder", "encoder"]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model_type": "llama"}, "decoder"),
        ({"model_type": "bert"}, "encoder"),
        ({"model_type": "bert", "is_decoder": True}, "decoder"),
        ({"model_type": "new", "architectures": ["NewForCausalLM"]}, "decoder"),
        ({"model_type": "new", "architectures": ["NewForMaskedLM"]}, "encoder"),
        ({"model_type": "xlm", "architectures": ["XLMWithLMHeadModel"]}, "encoder"),
        ({"model_type": "gpt2", "architectures": ["GPT2Model"]}, "decoder"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "encoder-decoder"),
    ],
)
def test_the_kind_is_told_by_the_config(config, kind):
    assert kind_of(config) == kind


@pytest.mark.parametrize(
    ("name", "sizes", "shape"),
    [
        ("GPT2", {"n_embd": 64, "n_layer": 3, "n_positions": 64}, Shape("decoder", 3, 64, 64)),
        ("T5", {"d_model": 64, "num_layers": 3}, Shape("encoder-decoder", 3, 64, 0)),
        ("Bart", {"d_model": 64, "encoder_layers": 3}, Shape("encoder-decoder", 3, 64, 1024)),
        ("Llama", {"hidden_size": 64, "num_hidden_layers": 3}, Shape("decoder", 3, 64, 2048)),
        ("Bloom", {"hidden_size": 64, "n_layer": 3}, Shape("decoder", 3, 64, 0)),
        ("OPT", {"hidden_size": 64, "num_hidden_layers": 3}, Shape("decoder", 3, 64, 2048)),
        ("DistilBert", {"dim": 64, "n_layers": 3}, Shape("encoder", 3, 64, 512)),
        ("GPTNeoX", {"hidden_size": 64, "num_hidden_layers": 3}, Shape("decoder", 3, 64, 2048)),
    ],
)
def test_shapes(name, sizes, shape, tmp_path):
    getattr(transformers, f"{name}Config")(**sizes).save_pretrained(tmp_path)
    assert shape_of(Located("x", tmp_path, "local")) == shape


def test_lengths_beyond_the_positions_of_a_decoder(tiny_gpt2, tiny_t5, one_sentence):
    with pytest.raises(SettingError, match="max_length=300 does not fit .* at most 256") as caught:
        load_surrogate(tiny_gpt2, max_length=300)
    assert one_sentence(caught.value)
    assert load_surrogate(tiny_t5, max_length=3000).features(["rain " * 900]).shape == (1, 32)


# What cannot be


def copied(source, target, **changes):
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | changes))
    return target


def without(folder, *beginnings):
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(beginnings)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_an_encoder_decoder_without_its_decoder_still_reads(tiny_t5, texts, tmp_path, one_sentence):
    """As sentence-t5 checkpoints are saved: what only writing needs is missed only when something is to be written."""
    half = load_surrogate(without(copied(tiny_t5, tmp_path / "half"), "decoder."), cache=False)
    whole = load_surrogate(tiny_t5, cache=False)
    np.testing.assert_array_equal(half.features(texts), whole.features(texts))
    assert whole.writer is whole.module
    with pytest.raises(SurrogateError, match=r"write text \(its weights lack \d+ tensors such as decoder") as told:
        _ = half.writer
    assert one_sentence(told.value)


def test_a_decoder_without_its_head_still_reads(tiny_decoder, texts, tmp_path):
    """As embedding models made from decoders are saved."""
    half = load_surrogate(without(copied(tiny_decoder, tmp_path / "half"), "lm_head"), cache=False)
    np.testing.assert_array_equal(half.features(texts[:9]), load_surrogate(tiny_decoder).features(texts[:9]))
    with pytest.raises(SurrogateError, match=r"write text \(its weights lack 1 tensors such as lm_head.weight\)"):
        _ = half.writer


def test_an_encoder_does_not_write(encoder, one_sentence):
    with pytest.raises(SurrogateError, match=r"cannot write text \(it is an encoder\)") as caught:
        _ = encoder.writer
    assert one_sentence(caught.value)


def test_what_reading_needs_must_be_there(tiny_t5, tiny_decoder, tmp_path):
    for source, part in ((tiny_t5, "encoder.block.1"), (tiny_decoder, "model.layers.1")):
        broken = without(copied(source, tmp_path / part), part)
        with pytest.raises(SurrogateError, match=rf"its weights lack \d+ tensors such as {part}"):
            load_surrogate(broken).features(["red"])


@pytest.mark.parametrize("changes", [{"model_type": "strange"}, {"model_type": "clip"}])
def test_an_architecture_that_nobody_knows(tiny_t5, tmp_path, changes):
    with pytest.raises(SurrogateError, match="cannot be loaded .*; save or download it again") as caught:
        load_surrogate(copied(tiny_t5, tmp_path / "odd", **changes)).features(["red"])
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_asks_for_its_own_code(tiny_decoder, tmp_path):
    """It is neither run nor asked about."""
    own = copied(tiny_decoder, tmp_path / "own", model_type="own", auto_map={"AutoConfig": "own.Own"})
    (own / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(SurrogateError, match="cannot be loaded"):
        load_surrogate(own).features(["red"])
