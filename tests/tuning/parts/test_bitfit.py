from __future__ import annotations

import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.tuning.parts import BitFit


@pytest.mark.parametrize("model", ["bert", "roberta", "gpt2"])
def test_equals_adding_to_the_biases(model, standins, make_module, make_standin, scattered, batch):
    import torch

    embeds, mask, owners = batch
    part = scattered("bitfit", standins[model])
    with torch.no_grad():
        found = standins[model].hidden(part, embeds, mask, owners)
        for row in range(3):
            moved = make_module(model)
            for name, shift in part.state(row).items():
                moved.get_submodule(name).bias += torch.tensor(shift)
            expected = make_standin(model, moved).run(embeds, mask)
            torch.testing.assert_close(found[owners == row], expected[owners == row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["bert", "roberta", "gpt2"])
def test_all_biases_that_an_answer_depends_on_are_tuned(model, standins):
    named = {name.removesuffix(".bias") for name, _ in standins[model].module.named_parameters() if "bias" in name}
    assert set(BitFit.start(standins[model], 1).parameters) == {name for name in named if "pooler" not in name}


def test_the_output_layer_is_the_heads(make_standin):
    transformers = pytest.importorskip("transformers")
    module = transformers.BertForMaskedLM(transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
    ))  # fmt: skip
    tuned = BitFit.start(make_standin("bert", module), 1).parameters
    assert "cls.predictions.transform.dense" in tuned
    assert "cls.predictions.decoder" not in tuned


@pytest.mark.parametrize("model", ["t5", "llama"])
def test_a_model_without_biases_is_refused(model, standins, one_sentence):
    with pytest.raises(SettingError, match="no biases") as caught:
        BitFit.start(standins[model], 2)
    assert one_sentence(caught.value)


def test_shifts_of_another_model_are_refused(standins, one_sentence):
    shifts = {name: tensor.detach().numpy() for name, tensor in BitFit.start(standins["bert"], 2).parameters.items()}
    first = next(iter(shifts))
    missing = {name: array for name, array in shifts.items() if name != first}
    for backbone, wrong in ((standins["gpt2"], shifts), (standins["bert"], missing), (standins["bert"], {})):
        with pytest.raises(PromptError) as caught:
            BitFit(backbone, wrong)
        assert one_sentence(caught.value)
