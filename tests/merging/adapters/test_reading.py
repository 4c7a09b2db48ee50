"""Adapters as differences of weights, beside the weights that peft itself merges them to."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import SettingError, TaskspaceWarning, WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.carriers import Factors
from taskspace.merging.checkpoint import InMemory

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def agrees(vector, base, merged, added, arrays_of):
    """base + vector is the merged model, and not the base."""
    ours, theirs = added(vector, base), arrays_of(merged)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, **CLOSE, err_msg=name)
    assert any(np.abs(theirs[name] - base[name]).max() > 0.01 for name in base)


@pytest.fixture
def check(tmp_path, make_adapter, make_model, arrays_of, added):
    """Write an adapter with peft, read it, and compare; gives the vector."""

    def run(kind, *, with_base=True, **config):
        merged = make_adapter(tmp_path / "adapter", kind, **config)
        base = arrays_of(make_model(kind))
        vector = TaskVector.from_peft(tmp_path / "adapter", base=base if with_base else None)
        agrees(vector, base, merged, added, arrays_of)
        return vector

    return run


@pytest.mark.parametrize("with_base", [False, True])
def test_lora(check, with_base):
    vector = check("bert", with_base=with_base, r=4, lora_alpha=6, target_modules=["query", "dense"])
    assert isinstance(vector.carrier, Factors)
    assert {pair.rank for pair in vector.carrier.pairs.values()} == {4}
    assert vector.weights == {"adapter": 1.0}


def test_rank_stabilised(check):
    check("bert", with_base=False, r=9, lora_alpha=6, use_rslora=True, target_modules=["key"])


def test_patterns_are_matched_as_peft_does(check):
    vector = check(
        "bert", with_base=False, r=4, lora_alpha=3, target_modules=["query", "key", "value"],
        rank_pattern={"^encoder.layer.0.attention.self.query": 2, "layer.1.*key": 7, "value": 1},
        alpha_pattern={"query": 5, r"layer\.\d+\.attention\.self\.value": 11},
    )  # fmt: skip
    ranks = {name: pair.rank for name, pair in vector.carrier.pairs.items()}
    assert ranks["encoder.layer.0.attention.self.query.weight"] == 2
    assert ranks["encoder.layer.1.attention.self.key.weight"] == 7
    assert ranks["encoder.layer.0.attention.self.key.weight"] == 4


@pytest.mark.parametrize("with_base", [False, True])
def test_layers_that_are_stored_transposed(check, with_base):
    check("gpt", with_base=with_base, r=3, lora_alpha=5, target_modules=["c_attn", "c_proj"])


def test_one_flag_for_modules_that_lie_differently_is_put_right_by_the_base(check, tmp_path):
    check("gpt", r=3, lora_alpha=5, target_modules=["c_attn", "lm_head"])
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["fan_in_fan_out"] is False


def test_a_square_one_that_nothing_tells_is_refused(tmp_path, make_adapter, make_model, arrays_of, one_sentence):
    targets = r".*\.attn\.c_proj|lm_head|.*c_fc"
    make_adapter(tmp_path / "a", "gpt", r=3, target_modules=targets)
    assert "square" in refused(tmp_path / "a", one_sentence, base=arrays_of(make_model("gpt")))


@pytest.mark.parametrize("with_base", [False, True])
def test_embeddings(check, with_base):
    check("gpt", with_base=with_base, r=3, lora_alpha=5, target_modules=["wte", "c_fc"])


def test_the_embedding_beneath_that_peft_saves_too(check, tmp_path):
    check("gpt", r=3, lora_alpha=5, target_modules=["wte", "lm_head"])
    assert "base_model.model.transformer.wte.base_layer.weight" in load_file(
        tmp_path / "adapter" / "adapter_model.safetensors"
    )


def test_convolutions(check):
    targets = ["two", "one", "point", "three", "linear"]
    check("convolutions", with_base=False, r=3, lora_alpha=5, target_modules=targets)


def test_a_bias_of_the_factors(check):
    check("bert", r=4, lora_alpha=6, lora_bias=True, target_modules=["query"])


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases(check, bias):
    check("bert", r=4, lora_alpha=6, bias=bias, target_modules=["query"])


@pytest.mark.parametrize("dora", [False, True])
def test_a_head_that_is_saved_whole(check, dora):
    check("classifier", r=4, lora_alpha=6, use_dora=dora, target_modules=["query"], modules_to_save=["classifier"])


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("bert", ["query", "dense"]),
        ("gpt", ["c_attn", "c_proj", "lm_head"]),
        ("gpt", ["wte"]),
        ("convolutions", ["two", "one", "point", "three", "linear"]),
    ],
)
def test_dora(check, kind, targets):
    check(kind, r=3, lora_alpha=5, use_dora=True, target_modules=targets)


def test_dora_is_read_in_any_windows(tmp_path, make_adapter, make_model, arrays_of):
    from taskspace.merging.window import windows

    make_adapter(tmp_path / "a", "gpt", r=3, use_dora=True, target_modules=["c_attn", "wte", "lm_head"])
    base = arrays_of(make_model("gpt"))
    for name, spec in TaskVector.from_peft(tmp_path / "a", base=base).layout.items():
        read = set()
        for stretch in (1, 5, 64, 10**6):
            carrier = TaskVector.from_peft(tmp_path / "a", base=base).carrier
            read.add(b"".join(carrier.block(window).tobytes() for window in windows(name, spec, stretch)))
        assert len(read) == 1


def test_half_precision_is_read_as_the_numbers_that_it_stands_for(tmp_path, make_adapter):
    import torch
    from safetensors.torch import load_file, save_file

    make_adapter(tmp_path / "a", "bert", r=4, target_modules=["query"])
    file = tmp_path / "a" / "adapter_model.safetensors"
    halves = {name: values.to(torch.bfloat16) for name, values in load_file(file).items()}
    save_file(halves, file)
    pairs = TaskVector.from_peft(tmp_path / "a").carrier.pairs
    name = "encoder.layer.0.attention.self.query"
    stored = halves[f"base_model.model.{name}.lora_A.weight"].float().numpy()
    np.testing.assert_array_equal(pairs[f"{name}.weight"].down, stored)


def test_a_model_around_the_base_or_within_it(tmp_path, make_adapter, make_model, arrays_of):
    """Adapters of a classifier are differences to the encoder in it, and the other way round."""
    make_adapter(tmp_path / "around", "classifier", r=2, target_modules=["query"])
    make_adapter(tmp_path / "within", "bert", r=2, target_modules=["query"])
    encoder, classifier = arrays_of(make_model("bert")), arrays_of(make_model("classifier"))
    plain = TaskVector.from_peft(tmp_path / "within").layout
    assert all(name.startswith("encoder.") for name in plain)
    assert TaskVector.from_peft(tmp_path / "around", base=encoder).layout == plain
    assert set(TaskVector.from_peft(tmp_path / "within", base=classifier).layout) == {f"bert.{name}" for name in plain}


def test_its_base_is_known_by_name_and_with_it_by_its_numbers(tmp_path, make_adapter, make_model, arrays_of):
    make_adapter(tmp_path / "a", "bert", r=2, target_modules=["query"])
    config = tmp_path / "a" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "org/base"}))
    assert TaskVector.from_peft(tmp_path / "a").base.name == "org/base"
    base = InMemory(arrays_of(make_model("bert")), "base")
    vector = TaskVector.from_peft(tmp_path / "a", base=base, name="mnli")
    assert vector.base.name == "base"
    assert vector.base.digests.keys() == vector.layout.keys()
    assert vector.weights == {"mnli": 1.0}
    with pytest.raises(WeightsError, match="give the same base"):
        vector.apply(arrays_of(make_model("bert", seed=9)))


def test_a_head_may_be_left_out(tmp_path, make_adapter, make_model, arrays_of):
    make_adapter(tmp_path / "a", "classifier", r=2, target_modules=["query"], modules_to_save=["classifier"])
    vector = TaskVector.from_peft(tmp_path / "a", base=arrays_of(make_model("bert")), ignore=["classifier.*"])
    assert all(name.startswith("encoder.") for name in vector.layout)
    assert TaskVector.from_peft(tmp_path / "a", ignore=["classifier.*"]).layout


# what is refused


@pytest.fixture
def adapter(tmp_path, make_adapter):
    make_adapter(tmp_path / "a", "bert", r=2, lora_alpha=4, target_modules=["query"])
    return tmp_path / "a"


def edit(adapter, **changes):
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refused(adapter, one_sentence, **options):
    with pytest.raises(WeightsError) as error:
        TaskVector.from_peft(adapter, **options)
    assert one_sentence(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"peft_type": None}, "None"),
        ({"alora_invocation_tokens": [1, 2]}, "aLoRA"),
        ({"kasa_config": {"beta": 1.0}}, "KaSA"),
        ({"use_qalora": True}, "QALoRA"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "replicated"),
        ({"trainable_token_indices": [1]}, "tokens"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa_niter_4"),
        ({"init_lora_weights": "olora"}, "changed the base"),
        ({"r": 3}, "rank 2"),
        ({"rank_pattern": {"query": 8}}, "says 8"),
        ({"rank_pattern": {"(": 8}}, "damaged"),
        ({"lora_alpha": "much"}, "damaged"),
    ],
)
def test_what_is_no_plain_difference_is_refused(adapter, one_sentence, changes, word):
    edit(adapter, **changes)
    assert word in refused(adapter, one_sentence)


def test_folders_that_are_no_adapter(tmp_path, adapter, one_sentence):
    assert "there is no adapter folder" in refused(tmp_path / "nowhere", one_sentence)
    (tmp_path / "empty").mkdir()
    assert "adapter_config.json" in refused(tmp_path / "empty", one_sentence)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "as safetensors" in refused(adapter, one_sentence)
    (adapter / "adapter_config.json").write_text("{")
    assert "cannot be read" in refused(adapter, one_sentence)
    (adapter / "adapter_config.json").write_text("[]")
    assert "no JSON object" in refused(adapter, one_sentence)


def test_a_file_that_was_cut_short(adapter, one_sentence):
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    assert "cut short" in refused(adapter, one_sentence)


def change_tensors(adapter, change):
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file(change(tensors), file)


QUERY = "base_model.model.encoder.layer.0.attention.self.query"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda all_: {**all_, f"{QUERY}.lora_A.weight": np.full((2, 16), np.nan, np.float32)}, "NaN"),
        (lambda all_: {key: v for key, v in all_.items() if key != f"{QUERY}.lora_B.weight"}, "one factor of two"),
        (lambda all_: {**all_, f"{QUERY}.lora_B.weight": np.ones((16, 3), np.float32)}, "do not fit each other"),
        (lambda all_: {**all_, f"{QUERY}.lora_A.weight": np.ones(16, np.float32)}, "do not fit each other"),
        (lambda all_: {**all_, f"{QUERY}.lora_magnitude_vector": np.ones(3, np.float32)}, "do not fit its factors"),
        (lambda all_: {**all_, f"{QUERY}.lora_diag": np.ones(2, np.float32)}, "lora_diag"),
        (lambda all_: {**all_, "base_model.model.x.lora_B.bias": np.ones(2, np.float32)}, "one factor of two"),
        (lambda _: {}, "holds no factors"),
    ],
)
def test_tensors_that_do_not_make_sense(adapter, one_sentence, change, word):
    change_tensors(adapter, change)
    assert word in refused(adapter, one_sentence)


def test_what_needs_its_base_says_so(tmp_path, make_adapter, make_model, arrays_of, one_sentence):
    make_adapter(tmp_path / "dora", "bert", r=2, use_dora=True, target_modules=["query"])
    assert "DoRA" in refused(tmp_path / "dora", one_sentence)
    make_adapter(tmp_path / "head", "classifier", r=2, target_modules=["query"], modules_to_save=["classifier"])
    assert "'classifier.*'" in refused(tmp_path / "head", one_sentence)
    encoder = arrays_of(make_model("bert"))
    assert "ignore" in refused(tmp_path / "head", one_sentence, base=encoder)
    wider = arrays_of(make_model("classifier")) | {"classifier.weight": np.zeros((5, 16), np.float32)}
    assert "[5, 16]" in refused(tmp_path / "head", one_sentence, base=wider)


def test_another_model_is_no_base(adapter, make_model, arrays_of, one_sentence):
    assert "has not" in refused(adapter, one_sentence, base=arrays_of(make_model("gpt")))
    other = {name: values[..., :8] for name, values in arrays_of(make_model("bert")).items()}
    assert "[16, 16]" in refused(adapter, one_sentence, base=other)


def test_an_embedding_beneath_that_is_another_one(tmp_path, make_adapter, make_model, arrays_of, one_sentence):
    make_adapter(tmp_path / "a", "gpt", r=2, target_modules=["wte", "lm_head"])
    assert "trained on another 'lm_head.weight'" in refused(
        tmp_path / "a", one_sentence, base=arrays_of(make_model("gpt", seed=5))
    )


def test_a_convolution_in_groups(tmp_path, make_adapter, one_sentence, make_model):
    import peft

    with pytest.warns(UserWarning, match="groups > 1"):  # peft cannot merge it either
        model = peft.get_peft_model(make_model("convolutions"), peft.LoraConfig(r=4, target_modules=["groups"]))
    model.save_pretrained(tmp_path / "a")
    assert "groups" in refused(tmp_path / "a", one_sentence)


def test_an_output_of_zeros_has_no_direction(tmp_path, make_adapter, make_model, arrays_of):
    make_adapter(tmp_path / "a", "bert", r=2, use_dora=True, target_modules=["query"])
    base = arrays_of(make_model("bert"))
    base["encoder.layer.0.attention.self.query.weight"][3] = 0
    change_tensors(tmp_path / "a", lambda all_: {
        key: v * 0 if key == f"{QUERY}.lora_B.weight" else v for key, v in all_.items()
    })  # fmt: skip
    with pytest.raises(WeightsError, match="no direction"):
        TaskVector.from_peft(tmp_path / "a", base=base).apply(base)


def test_factors_are_left_out_like_all_else(tmp_path, make_adapter, make_model, arrays_of):
    make_adapter(tmp_path / "a", "classifier", r=4, target_modules=["query", "value"], modules_to_save=["classifier"])
    base = arrays_of(make_model("classifier"))
    query = TaskVector.from_peft(tmp_path / "a", base=base, ignore=["*.value.weight", "classifier.*"])
    assert {name.split(".")[-2] for name in query.layout} == {"query"}
    assert len(query.layout) == 2
    whole = TaskVector.from_peft(tmp_path / "a", base=base)
    assert set(query.layout) < set(whole.layout)


def test_patterns_go_by_the_names_of_the_base_too(tmp_path, make_adapter, make_model, arrays_of):
    """The adapter says bert.encoder, and its base encoder."""
    make_adapter(tmp_path / "a", "classifier", r=4, target_modules=["query"], lora_bias=True)
    base = arrays_of(make_model("bert"))
    for pattern in ("encoder.layer.0.*", "bert.encoder.layer.0.*"):
        found = TaskVector.from_peft(tmp_path / "a", base=base, ignore=[pattern])
        names = {f"encoder.layer.1.attention.self.query.{kind}" for kind in ("weight", "bias")}
        assert set(found.layout) == names
    only = TaskVector.from_peft(tmp_path / "a", base=base, ignore=["*.weight"])
    assert {name.rpartition(".")[2] for name in only.layout} == {"bias"}


def test_a_pattern_that_matches_nothing(tmp_path, make_adapter, make_model, arrays_of, one_sentence):
    make_adapter(tmp_path / "a", "bert", r=4, target_modules=["query"])
    base = arrays_of(make_model("bert"))
    for given in ({}, {"base": base}):
        with pytest.raises(SettingError, match=r"'encodre\.\*'; did you mean 'encoder\.\*'") as caught:
            TaskVector.from_peft(tmp_path / "a", ignore=["encodre.*"], **given)
        assert one_sentence(caught.value)
    assert TaskVector.from_peft(tmp_path / "a", base=base, ignore=["pooler.*"]).layout
    with pytest.raises(WeightsError, match="leaves nothing of") as caught:
        TaskVector.from_peft(tmp_path / "a", ignore=["*"])
    assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("mA", True),
        ("org/mA", True),
        ("/gone/mA", True),
        ("mB", False),
        ("org/mB", False),
        ("/gone/mB", False),
        ("/cache/models--org--mB/snapshots/0123abc", False),
        (None, False),
    ],
)
def test_a_base_of_another_name_is_told_of(tmp_path, make_adapter, make_model, arrays_of, said, told):
    make_adapter(tmp_path / "a", "bert", r=2, target_modules=["query"])
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    (tmp_path / "a" / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": said}))
    (tmp_path / "mB").mkdir()
    save_file(arrays_of(make_model("bert")), tmp_path / "mB" / "model.safetensors")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        TaskVector.from_peft(tmp_path / "a", base=tmp_path / "mB")
    assert [each.category for each in seen] == ([TaskspaceWarning] if told else [])
    assert all("and mB is given as its base" in str(each.message) for each in seen)
