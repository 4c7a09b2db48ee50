"""Sums of adapters as one adapter, loaded again by peft and compared with the sum of the weights."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from taskspace.errors import SettingError, WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.window import Window

WEIGHTS = [0.7, -1.3, 0.5]


@pytest.fixture
def sum_of(tmp_path, make_adapter):
    """``sum_of(kind, *configs)``: the weighted sum of adapters of these settings."""

    def made(kind, *configs):
        for i, config in enumerate(configs):
            make_adapter(tmp_path / f"a{i}", kind, seed=i, **config)
        vectors = [TaskVector.from_peft(tmp_path / f"a{i}") for i in range(len(configs))]
        return sum(weight * vector for weight, vector in zip(WEIGHTS, vectors, strict=False))

    return made


@pytest.fixture
def loaded(make_model):
    """``loaded(kind, folder)``: the base with the adapter on it, as peft loads it, with nothing missing or too much."""

    def load(kind, folder):
        from peft import PeftModel

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for message in ("fan_in_fan_out", "`is_gradient_checkpointing`", "Model has `tie_word"):
                warnings.filterwarnings("ignore", message=message)  # not of the adapter's keys
            return PeftModel.from_pretrained(make_model(kind), folder).eval()

    return load


BERT = [
    {"r": 4, "lora_alpha": 6, "target_modules": ["query", "value"]},
    {"r": 3, "lora_alpha": 5, "use_rslora": True, "target_modules": ["query", "key"], "rank_pattern": {"query": 2}},
    {"r": 1, "lora_alpha": 2, "target_modules": ["dense"]},
]
GPT = [
    {"r": 4, "lora_alpha": 6, "target_modules": ["c_attn", "c_proj"]},
    {"r": 2, "lora_alpha": 6, "target_modules": ["c_attn", "wte"]},
]
CONVOLUTIONS = [
    {"r": 2, "lora_alpha": 6, "target_modules": ["two", "one", "linear"]},
    {"r": 3, "lora_alpha": 6, "target_modules": ["two", "point", "three"]},
]


@pytest.mark.parametrize(("kind", "configs"), [("bert", BERT), ("gpt", GPT), ("convolutions", CONVOLUTIONS)])
def test_peft_merges_it_to_the_sum_of_the_weights(
    sum_of, loaded, tmp_path, make_model, arrays_of, added, kind, configs
):
    vector = sum_of(kind, *configs)
    written = vector.to_peft(tmp_path / "sum")
    theirs = arrays_of(loaded(kind, tmp_path / "sum").merge_and_unload())
    ours = added(vector, arrays_of(make_model(kind)))
    for name, values in ours.items():
        np.testing.assert_allclose(theirs[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert len(written.ranks) == len(vector.layout)
    assert set(written.lost.values()) == {0.0}


def test_unequal_ranks_stand_in_patterns_that_match_one_module_each(sum_of, tmp_path):
    written = sum_of("bert", *BERT).to_peft(tmp_path / "sum")
    said = json.loads((tmp_path / "sum" / "adapter_config.json").read_text())
    layer = "encoder.layer.0.attention."
    assert written.ranks[f"{layer}self.query"] == 4 + 2
    assert written.ranks[f"{layer}self.key"] == 3
    assert written.ranks[f"{layer}output.dense"] == 1 == said["r"] == said["lora_alpha"]
    assert said["rank_pattern"] == said["alpha_pattern"]
    assert said["rank_pattern"][r"^encoder\.layer\.0\.attention\.self\.query"] == 6


def test_logits_are_those_of_the_merged_model(sum_of, loaded, tmp_path, make_model, arrays_of):
    import torch

    vector = sum_of("gpt", *GPT)
    vector.to_peft(tmp_path / "sum")
    merged = vector.apply(arrays_of(make_model("gpt")))
    model = make_model("gpt")
    model.load_state_dict({name: torch.from_numpy(values) for name, values in merged._tensors.items()})
    tokens = torch.arange(10)[None]
    with torch.no_grad():
        theirs, ours = (m(input_ids=tokens).logits.numpy() for m in (loaded("gpt", tmp_path / "sum"), model))
        base = make_model("gpt")(input_ids=tokens).logits.numpy()
    np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-4)
    assert np.abs(base - ours).max() > 0.1


def test_it_is_what_peft_itself_concatenates(tmp_path, make_adapter, make_model, loaded, added, arrays_of):
    """peft's ``cat`` of two plain adapters, with the scaling that it takes in."""
    from peft import PeftModel

    for i in range(2):
        make_adapter(tmp_path / f"a{i}", "bert", seed=i, r=3 + i, lora_alpha=5, target_modules=["query"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that several adapters are there
        model = PeftModel.from_pretrained(make_model("bert"), tmp_path / "a0", adapter_name="a0")
        model.load_adapter(tmp_path / "a1", adapter_name="a1")
        model.add_weighted_adapter(["a0", "a1"], [0.7, 0.4], "sum", combination_type="cat")
        model.set_adapter("sum")
        theirs = arrays_of(model.merge_and_unload())
    one, two = (TaskVector.from_peft(tmp_path / f"a{i}") for i in range(2))
    ours = added(0.7 * one + 0.4 * two, arrays_of(make_model("bert")))
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_truncated_only_when_asked_and_told_how_much_is_lost(sum_of, tmp_path, loaded, make_model, arrays_of):
    vector = sum_of("bert", *BERT)
    written = vector.to_peft(tmp_path / "cut", rank=2)
    assert max(written.ranks.values()) == 2
    base, theirs = arrays_of(make_model("bert")), arrays_of(loaded("bert", tmp_path / "cut").merge_and_unload())
    for module, lost in written.lost.items():
        name = f"{module}.weight"
        spec = vector.layout[name]
        exact = vector.carrier.block(Window(name, 0, spec.size)).reshape(spec.shape).astype(np.float64)
        s = np.linalg.svd(exact, compute_uv=False)
        assert lost == pytest.approx(float(np.sum(s[2:] ** 2) / np.sum(s**2)), abs=1e-6)
        left = np.linalg.norm(theirs[name] - base[name] - exact)
        assert left == pytest.approx(float(np.sqrt(np.sum(s[2:] ** 2))), rel=1e-3, abs=1e-5)
    assert any(written.lost.values())


def test_it_can_be_read_again(sum_of, tmp_path):
    vector = sum_of("gpt", *GPT)
    vector.to_peft(tmp_path / "sum", base_model="org/base")
    again = TaskVector.from_peft(tmp_path / "sum")
    assert again.base.name == "org/base"
    assert again.layout == vector.layout
    assert (again - vector).norm < 1e-5 * vector.norm


def test_names_of_another_head_are_kept_for_peft(tmp_path, make_adapter, make_model, arrays_of, loaded):
    """Read as a difference to the encoder, and written for the classifier that it was trained in."""
    make_adapter(tmp_path / "a", "classifier", r=2, target_modules=["query"])
    vector = TaskVector.from_peft(tmp_path / "a", base=arrays_of(make_model("bert")))
    (2 * vector).to_peft(tmp_path / "twice")
    base, theirs = make_model("classifier"), loaded("classifier", tmp_path / "twice").merge_and_unload()
    name = "encoder.layer.1.attention.self.query.weight"
    spec = vector.layout[name]
    step = arrays_of(theirs)[f"bert.{name}"] - arrays_of(base)[f"bert.{name}"]
    expected = 2 * vector.carrier.block(Window(name, 0, spec.size)).reshape(spec.shape)
    np.testing.assert_allclose(step, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["sum", "mean", "lerp"])
def test_a_merge_that_is_a_sum_of_factors_is_one_too(tmp_path, make_adapter, method):
    for i in range(2):
        make_adapter(tmp_path / f"a{i}", "bert", seed=i, r=3, target_modules=["query"])
    merged = merge([TaskVector.from_peft(tmp_path / f"a{i}") for i in range(2)], method)
    merged.to_peft(tmp_path / "merged")
    assert (TaskVector.from_peft(tmp_path / "merged") - merged).norm < 1e-5 * merged.norm


def test_what_is_no_sum_of_factors_is_refused(sum_of, tmp_path, one_sentence, make_model, arrays_of):
    vector = sum_of("bert", BERT[0])
    base = arrays_of(make_model("bert"))
    dense = TaskVector.diff(arrays_of(make_model("bert", seed=4)), base)
    for wrong in (dense, vector + dense, merge([vector, 2 * vector], "ties")):
        with pytest.raises(WeightsError) as error:
            wrong.to_peft(tmp_path / "out")
        assert one_sentence(error.value)
    with pytest.raises(WeightsError, match="is zero"):
        (vector - vector).to_peft(tmp_path / "out")
    with pytest.raises(SettingError, match="rank is 0"):
        vector.to_peft(tmp_path / "out", rank=0)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(WeightsError, match="there already"):
        vector.to_peft(tmp_path / "out")
    with pytest.raises(WeightsError, match="cannot be written"):
        vector.to_peft(tmp_path / "a0" / "adapter_config.json" / "out")


def test_nothing_is_left_of_an_adapter_that_could_not_be_written(sum_of, tmp_path, monkeypatch):
    vector = sum_of("bert", BERT[0])
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr("taskspace.merging.adapters._writing.write_file", lambda *_: _full())
    with pytest.raises(WeightsError, match="disk is full"):
        vector.to_peft(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def _full():
    import errno

    raise OSError(errno.ENOSPC, "No space left on device")
