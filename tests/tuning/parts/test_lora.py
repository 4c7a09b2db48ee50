from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.tuning.parts import LoRA


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's
@pytest.mark.parametrize("model", ["bert", "roberta", "t5", "gpt2", "llama"])
def test_equals_peft_on_the_layers_that_peft_chooses(model, standins, make_module, make_standin, scattered, batch):
    import torch

    peft = pytest.importorskip("peft")
    embeds, mask, owners = batch
    backbone, part = standins[model], scattered("lora", standins[model])
    config = peft.LoraConfig(r=2, lora_alpha=16, fan_in_fan_out=model == "gpt2")
    tuned = peft.get_peft_model(make_module(model), config).eval()
    plain, state = make_standin(model, tuned), part.state(2)
    with torch.no_grad():
        adapted = 0
        for name, layer in tuned.base_model.model.named_modules():
            if hasattr(layer, "lora_A"):
                layer.lora_A["default"].weight.copy_(torch.tensor(state[f"{name}.A"]))
                layer.lora_B["default"].weight.copy_(torch.tensor(state[f"{name}.B"]))
                adapted += 2
        assert adapted == len(state)
        theirs = plain.run(embeds, mask)
        ours = backbone.hidden(part, embeds, mask, owners * 0 + 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_row_equals_the_product_added_to_the_weights(standins, make_module, make_standin, scattered, batch):
    import torch

    embeds, mask, owners = batch
    for model, along in (("bert", 1), ("gpt2", -1)):
        part, merged = scattered("lora", standins[model]), make_module(model)
        state = part.state(1)
        with torch.no_grad():
            for name in {name[:-2] for name in state}:
                delta = torch.tensor(16 / 2 * state[f"{name}.B"] @ state[f"{name}.A"])
                merged.get_submodule(name).weight += delta if along == 1 else delta.T
            expected = make_standin(model, merged).run(embeds, mask)
            found = standins[model].hidden(part, embeds, mask, owners * 0 + 1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_targets_are_ends_of_names(standins):
    part = LoRA.start(standins["bert"], 1, rank=3, targets=["attention.output.dense", "key"])
    assert set(part.parameters) == {
        f"encoder.layer.{layer}.attention.{name}.{factor}"
        for layer in (0, 1) for name in ("output.dense", "self.key") for factor in "AB"
    }  # fmt: skip
    both = LoRA.start(standins["gpt2"], 2, rank=3, targets=["c_fc"])
    assert both.parameters["h.1.mlp.c_fc.A"].shape == (2, 3, 16)
    assert both.parameters["h.1.mlp.c_fc.B"].shape == (2, 64, 3)


def test_a_also_reads_features_without_tokens(make_standin, standins, batch):
    import torch

    backbone = standins["bert"]
    part = LoRA.start(backbone, 3, targets=["pooler.dense"])
    part.load(1, {name: np.full(array.shape, 0.1) for name, array in part.state(1).items()})
    dense, features = backbone.module.pooler.dense, batch[0][:, 0]
    with torch.no_grad(), part.inside(backbone, batch[2]):
        found = dense(features)
    added = 16 / 8 * 0.1 * 8 * 0.1 * features[2].sum()
    torch.testing.assert_close(found[2], torch.nn.functional.linear(features[2], dense.weight, dense.bias) + added)
    torch.testing.assert_close(found[0], torch.nn.functional.linear(features[0], dense.weight, dense.bias))


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"targets": ["qeury"]}, "did you mean 'query'"), ({"rank": 0}, "rank=0"), ({"rows": 0}, "rows=0")],
)
def test_what_cannot_be_adapted_is_refused(asked, said, standins, one_sentence):
    with pytest.raises(SettingError, match=said) as caught:
        LoRA.start(standins["bert"], **{"rows": 2} | asked)
    assert one_sentence(caught.value)


def test_factors_of_another_model_are_refused(standins, one_sentence):
    state = LoRA.start(standins["bert"], 2).parameters
    factors = {name: tensor.detach().numpy() for name, tensor in state.items()}
    short = {name: array[:, :, :5] for name, array in factors.items()}
    for backbone, wrong in ((standins["llama"], factors), (standins["bert"], short), (standins["bert"], {})):
        with pytest.raises(PromptError) as caught:
            LoRA(backbone, wrong)
        assert one_sentence(caught.value)


def test_a_starts_within_the_bound_of_a_linear_layer(standins):
    state = LoRA.start(standins["bert"], 1, rank=64).state(0)
    for name, array in state.items():
        if name.endswith("A"):
            assert 0.24 < np.abs(array).max() <= 0.25
        else:
            assert not array.any()
