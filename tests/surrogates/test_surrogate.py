from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from taskspace.errors import SettingError, SurrogateError
from taskspace.surrogates import Located, load_surrogate, masked_mean
from taskspace.surrogates._surrogate import default_layers
from taskspace.task import Inputs

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


class Counting:
    """Stands for the torch module and counts the rows it is given."""

    def __init__(self, module):
        self.module, self.rows = module, 0

    def __call__(self, **tensors):
        self.rows += len(tensors["input_ids"])
        return self.module(**tensors)


def replace_module(encoder, module):
    encoder.__dict__["module"] = module  # where the cached property keeps it
    return encoder


def plain_features(folder, texts, layers, max_length):
    """One text at a time, without padding, straight from transformers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    module = transformers.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        with torch.no_grad():
            states = module(**tokens, output_hidden_states=True).hidden_states
        mask = tokens["attention_mask"][0].bool()
        rows.append(torch.cat([states[layer][0][mask].mean(0) for layer in layers]))
    return torch.stack(rows).numpy()


# What features are


@pytest.mark.parametrize(("layers", "max_length"), [(None, 128), ((0,), 128), ((3, 0, 2), 30), ((1, 2), 16)])
def test_features_equal_a_plain_forward_pass(tiny_encoder, texts, layers, max_length):
    encoder = load_surrogate(tiny_encoder, layers=layers, max_length=max_length, cache=False)
    expected = plain_features(tiny_encoder, texts, layers or (1, 3), max_length)
    features = encoder.features(texts)
    assert features.dtype == np.float32
    assert features.shape == (len(texts), 16 * len(layers or (1, 3)))
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)
    assert features.std(axis=0).min() > 0.01  # the texts are told apart, so the agreement says something


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_features_do_not_depend_on_the_company(tiny_encoder, texts, threads):
    module = load_surrogate(tiny_encoder, cache=False).module

    def fresh(some):
        return replace_module(load_surrogate(tiny_encoder, cache=False), module).features(some)

    whole = fresh(texts)

    order = np.random.default_rng(3).permutation(len(texts))
    np.testing.assert_array_equal(fresh([texts[i] for i in order]), whole[order])
    np.testing.assert_array_equal(fresh(texts[7:30]), whole[7:30])
    np.testing.assert_array_equal(fresh(texts[::-1]), whole[::-1])
    for i in range(0, len(texts), threads * 2):
        np.testing.assert_array_equal(fresh([texts[i]])[0], whole[i])


def test_no_texts(encoder):
    assert encoder.features([]).shape == (0, 32)
    assert encoder.features([]).dtype == np.float32


def test_the_last_layer_is_the_highest_wherever_it_stands(tiny_encoder, texts):
    encoder = load_surrogate(tiny_encoder, layers=(3, 0, 2), cache=False)
    features = encoder.features(texts)
    np.testing.assert_array_equal(encoder.last_layer(features), features[:, :16])
    assert encoder.reads_last_layer
    assert not load_surrogate(tiny_encoder, layers=(0, 2), cache=False).reads_last_layer


def test_masked_mean_by_hand():
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert masked_mean(states, mask).tolist() == [[2.0, 4.0], [0.0, 0.0]]


@pytest.mark.parametrize(("depth", "layers"), [(12, (6, 12)), (6, (3, 6)), (3, (1, 3)), (1, (0, 1))])
def test_default_layers(depth, layers):
    assert default_layers(depth) == layers


def test_half_a_character_is_read_as_a_question_mark(encoder):
    got = encoder.features(["red \ud800 rain", "red ? rain", "red rain"])
    np.testing.assert_array_equal(got[0], got[1])
    assert (got[0] != got[2]).any()


def test_a_text_of_megabytes_costs_no_more_than_a_page(tiny_encoder):
    encoder = load_surrogate(tiny_encoder, cache=False)
    seen = []
    tokenizer = encoder.tokenizer

    def recording(*texts, **options):
        seen.extend(len(text) for text in texts)
        return tokenizer(*texts, **options)

    encoder.__dict__["tokenizer"] = recording
    long = encoder.features(["red rain " * 1_200_000, "w" * 10_000_000])
    assert len(seen) == 2
    assert max(seen) <= 128 * 100
    np.testing.assert_array_equal(long[0], encoder.features(["red rain " * 200])[0])


def test_half_precision_weights_are_read_as_single(copied, tiny_encoder, texts):
    transformers.utils.logging.disable_progress_bar()
    transformers.AutoModel.from_pretrained(copied).to(torch.bfloat16).save_pretrained(copied)
    transformers.utils.logging.enable_progress_bar()
    encoder = load_surrogate(copied, cache=False)
    assert {p.dtype for p in encoder.module.parameters()} == {torch.float32}
    exact = load_surrogate(tiny_encoder, cache=False).features(texts)
    assert 0 < np.abs(encoder.features(texts) - exact).max() < 0.2


def test_the_module_takes_gradients_after_features_made_it(tiny_encoder):
    """Features are computed in inference mode, and what is made in that mode is lost to autograd."""
    encoder = load_surrogate(tiny_encoder, cache=False)
    encoder.features(["red"])
    assert not encoder.module.training
    for tensor in [*encoder.module.parameters(), *encoder.module.buffers()]:
        assert not tensor.is_inference()
        assert not tensor.requires_grad


# Batches


def test_batches_have_one_shape_per_length_and_hold_each_row_once(encoder, texts):
    pairs = [None if i % 3 else texts[-i] or None for i in range(len(texts))]
    rows_seen, lengths = [], []
    for rows, tensors in encoder.batches(texts, pairs):
        shape = tensors["input_ids"].shape
        assert shape[0] == 16
        assert shape[1] % 16 == 0
        assert {t.shape for t in tensors.values()} == {shape}
        assert 1 <= len(rows) <= 16
        rows_seen += rows
        lengths.append(shape[1])
        own = tensors["attention_mask"].sum(dim=1)
        for row, count, ids in zip(rows, own, tensors["input_ids"], strict=False):
            cut = (texts[row],) if pairs[row] is None else (texts[row], pairs[row])
            expected = encoder.tokenizer(*cut, truncation=True, max_length=128)["input_ids"]
            assert ids[:count].tolist() == expected
            assert count > shape[1] - 16
    assert sorted(rows_seen) == list(range(len(texts)))
    assert lengths == sorted(lengths)


# The cache


@pytest.fixture
def untouchable():
    def touched(**tensors):
        raise AssertionError("the model was asked")

    return touched


def test_what_is_cached_does_not_touch_the_model(tiny_encoder, texts, untouchable):
    first = load_surrogate(tiny_encoder).features(texts)
    again = replace_module(load_surrogate(tiny_encoder), untouchable)
    np.testing.assert_array_equal(again.features(texts[::-1]), first[::-1])
    with pytest.raises(AssertionError, match="asked"):
        again.features(["a new text"])


def test_only_what_is_new_is_computed(tiny_encoder, texts):
    encoder = load_surrogate(tiny_encoder)
    encoder.features(texts[:20])
    counting = Counting(encoder.module)
    replace_module(encoder, counting)
    encoder.features([texts[3], "rain", "snow", "rain", texts[5]])
    assert counting.rows == 16  # one batch, filled up


@pytest.mark.parametrize("change", [{"layers": (3,)}, {"max_length": 32}])
def test_another_way_of_reading_has_a_cache_of_its_own(tiny_encoder, texts, untouchable, change):
    load_surrogate(tiny_encoder).features(texts)
    other = replace_module(load_surrogate(tiny_encoder, **change), untouchable)
    with pytest.raises(AssertionError, match="asked"):
        other.features(texts[:1])


def test_a_copied_folder_shares_the_cache(tiny_encoder, copied, texts, untouchable):
    first = load_surrogate(tiny_encoder).features(texts)
    np.testing.assert_array_equal(replace_module(load_surrogate(copied), untouchable).features(texts), first)


def test_a_damaged_cache_is_rebuilt(tiny_encoder, texts, tmp_path, untouchable):
    first = load_surrogate(tiny_encoder).features(texts)
    (file,) = (tmp_path / "home" / "features").glob("*.db")
    file.write_bytes(b"damaged " * 1000)
    np.testing.assert_array_equal(load_surrogate(tiny_encoder).features(texts), first)
    again = replace_module(load_surrogate(tiny_encoder), untouchable)
    np.testing.assert_array_equal(again.features(texts), first)


def test_a_home_that_cannot_be_written_is_done_without(
    tiny_encoder, encoder, texts, tmp_path, monkeypatch, untouchable
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path / "file" / "home"))
    without = load_surrogate(tiny_encoder)
    np.testing.assert_array_equal(without.features(texts), encoder.features(texts))
    np.testing.assert_array_equal(replace_module(without, untouchable).features(texts), encoder.features(texts))


def test_nothing_is_written_elsewhere(tiny_encoder, texts, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = sorted(tiny_encoder.iterdir())
    load_surrogate(tiny_encoder).features(texts)
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["features"]
    assert sorted(tiny_encoder.iterdir()) == before
    assert capfd.readouterr() == ("", "")


def test_a_progress_bar_goes_to_stderr(tiny_encoder, texts, capfd):
    encoder = load_surrogate(tiny_encoder)
    encoder.features(texts, progress=True)
    printed, shown = capfd.readouterr()
    assert printed == ""
    assert "text features" in shown


KILLED = """
import json, sys, time
from taskspace.surrogates import load_surrogate
encoder = load_surrogate(sys.argv[1])
module, asked = encoder.module, []
def third_time_stuck(**tensors):
    asked.append(tensors)
    if len(asked) == 3:
        print("stuck", flush=True)
        time.sleep(600)
    return module(**tensors)
encoder.__dict__["module"] = third_time_stuck
encoder.features(json.load(open(sys.argv[2])))
"""


def test_a_killed_process_loses_one_batch(tiny_encoder, encoder, texts, tmp_path, elsewhere):
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    process = elsewhere(KILLED, tiny_encoder, tmp_path / "texts.json", wait=False)
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    batches = [rows for rows, _ in encoder.batches(list(dict.fromkeys(texts)), [None] * len(set(texts)))]
    assert len(batches) > 3
    again = load_surrogate(tiny_encoder)
    counting = Counting(again.module)
    replace_module(again, counting)
    np.testing.assert_array_equal(again.features(texts), encoder.features(texts))
    left = len(set(texts)) - sum(len(rows) for rows in batches[:2])
    assert left <= counting.rows <= 16 * (len(batches) - 2)


WITHOUT_TORCH = """
import json, sys
import numpy as np
from taskspace.surrogates import load_surrogate
features = load_surrogate(sys.argv[1]).features(json.load(open(sys.argv[2])))
np.save(sys.argv[3], features)
print(sorted({"torch", "transformers", "tokenizers"} & set(sys.modules)))
"""


def test_what_is_cached_needs_no_torch(tiny_encoder, texts, tmp_path, elsewhere):
    first = load_surrogate(tiny_encoder).features(texts)
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    assert elsewhere(WITHOUT_TORCH, tiny_encoder, tmp_path / "texts.json", tmp_path / "features.npy") == "[]"
    np.testing.assert_array_equal(np.load(tmp_path / "features.npy"), first)


# What cannot be


@pytest.mark.parametrize("layers", [(4,), (-1,), (1, 9), ()])
def test_layers_out_of_range(tiny_encoder, layers, one_sentence):
    with pytest.raises(SettingError, match="do not fit .*; choose among 0 to 3") as caught:
        load_surrogate(tiny_encoder, layers=layers)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("max_length", [0, -5, 129, 512])
def test_lengths_out_of_range(tiny_encoder, max_length, one_sentence):
    with pytest.raises(SettingError, match=f"max_length={max_length} does not fit .* at most 128") as caught:
        load_surrogate(tiny_encoder, max_length=max_length)
    assert one_sentence(caught.value)


def test_the_longest_length_that_fits_once_padded(save_encoder, tmp_path):
    folder = save_encoder(tmp_path / "short", max_position_embeddings=40)
    with pytest.raises(SettingError, match="at most 32"):
        load_surrogate(folder, max_length=33)
    assert load_surrogate(folder, max_length=32).features(["rain " * 99]).shape == (1, 32)


def change_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_config_that_does_not_say_how_deep(tmp_path, one_sentence):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(SurrogateError, match="has no num_hidden_layers") as caught:
        load_surrogate(tmp_path)
    assert one_sentence(caught.value)


def test_other_names_for_depth_and_width(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "distilbert", "n_layers": 6, "dim": 24}))
    encoder = load_surrogate(tmp_path, cache=False)
    assert (encoder.layers, encoder.hidden) == ((3, 6), 24)
    assert repr(encoder) == f"Surrogate('{tmp_path}', layers=(3, 6), max_length=128)"
    assert encoder.encoding == {"layers": [3, 6], "pooling": "mean", "max_length": 128}


HARM = {
    "weights cut": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:5000]),
    "no weights at all": lambda f: (f / "model.safetensors").write_bytes(b"garbage" * 100),
    "wider config": lambda f: change_config(f, hidden_size=32),
    "deeper config": lambda f: change_config(f, num_hidden_layers=4),
    "unknown model": lambda f: change_config(f, model_type="strange", architectures=None),
    "no tokenizer inside": lambda f: (f / "tokenizer.json").write_text("{}"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_cannot_be_loaded_is_a_sentence(copied, harm):
    HARM[harm](copied)
    with pytest.raises(SurrogateError, match="cannot be loaded .*; save or download it again") as caught:
        load_surrogate(copied).features(["red"])
    assert "\n" not in str(caught.value)
    assert str(copied) in str(caught.value)


def test_weights_that_are_missing_are_not_made_up(copied):
    change_config(copied, num_hidden_layers=4)
    with pytest.raises(SurrogateError, match=r"its weights lack 16 tensors such as encoder\.layer\.3\."):
        load_surrogate(copied).features(["red"])


def test_a_pooler_may_be_missing(save_encoder, tmp_path, tiny_encoder, texts):
    """Checkpoints of masked language models have none, and nothing here uses it."""
    from safetensors.torch import load_file, save_file

    folder = save_encoder(tmp_path / "bare")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    expected = load_surrogate(tiny_encoder).features(texts)
    np.testing.assert_array_equal(load_surrogate(folder).features(texts), expected)


def test_the_device_is_where_the_module_goes(tiny_encoder):
    encoder = load_surrogate(tiny_encoder, device="meta", cache=False)
    assert {p.device.type for p in encoder.module.parameters()} == {"meta"}
    assert load_surrogate(tiny_encoder).device in ("cpu", "cuda")


def test_fingerprints(tiny_encoder):
    prints = [
        load_surrogate(tiny_encoder, **options).fingerprint
        for options in (
            {},
            {"layers": (1, 3), "max_length": 128, "device": "cpu"},
            {"layers": (3, 1)},
            {"max_length": 64},
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert isinstance(load_surrogate(tiny_encoder).located, Located)


def test_last_states_read_pairs_together_and_singles_as_features_do(tiny_encoder):
    surrogate = load_surrogate(tiny_encoder, cache=False)
    inputs = Inputs.of(["good film", "dull", "good film"], [None, "a slow day", "dull"])
    states = surrogate.last_states(inputs)
    alone = surrogate.last_layer(surrogate.features(["good film"]))
    np.testing.assert_allclose(states[0], alone[0], atol=1e-6)
    for row in (1, 2):
        tokens = surrogate.tokenizer(inputs.texts[row], inputs.pairs[row], return_tensors="pt")
        with torch.inference_mode():
            expected = surrogate.module(**tokens).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(states[row], expected.numpy(), atol=1e-5)
