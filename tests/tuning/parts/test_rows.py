"""What holds for every kind of part on every kind of model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.tuning import parts


def gradients(backbone, part, embeds, mask, owners, weights):
    """By name, of a loss that every hidden number has its own share in, summed over the texts."""
    import torch

    hidden = backbone.hidden(part, embeds, mask, owners)
    shares = torch.cos(torch.arange(hidden[0].numel(), dtype=torch.float32)).reshape(hidden[0].shape)
    real = torch.ones(hidden.shape[:2])
    real[:, : mask.shape[1]] = mask
    ((hidden * shares * real[:, :, None]).sum((1, 2)) * weights).sum().backward()
    named = {**part.parameters, **part.shared}
    taken = {name: tensor.grad.numpy().copy() for name, tensor in named.items()}
    for tensor in named.values():
        tensor.grad = None
    return taken


def close(found, expected):
    """To 1e-6 of the largest number there."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * max(1.0, float(np.abs(expected).max())))


def test_gradients_of_a_mixed_batch_are_those_of_separate_parts(pair, precise, scattered, alone, batch):
    import torch

    model, kind = pair
    backbone, (embeds, mask, owners) = precise[model], batch
    embeds = embeds.double()
    part = scattered(kind, backbone)
    weights = torch.tensor([0.3, 1.0, -0.7, 0.5, 0.2])
    mixed = gradients(backbone, part, embeds, mask, owners, weights)
    common = dict.fromkeys(part.shared, 0.0)
    for row in range(3):
        mine = owners == row
        own = gradients(
            backbone, alone(kind, backbone, part, row), embeds[mine], mask[mine], owners[mine] * 0, weights[mine]
        )
        for name in part.parameters:
            close(mixed[name][row], own[name][0])
        common = {name: total + own[name] for name, total in common.items()}
    for name, total in common.items():
        close(mixed[name], total)


def test_gradient_reaches_every_row_of_the_owner_and_no_other(pair, standins, scattered, batch):
    import torch

    model, kind = pair
    embeds, mask, owners = batch
    part = scattered(kind, standins[model], rows=4)
    taken = gradients(standins[model], part, embeds, mask, owners, torch.ones(5))
    for name in part.parameters:
        # What is added to every key alike falls out of the softmax.
        if not (kind == "bitfit" and name.endswith("key")):
            assert np.abs(taken[name][:3]).reshape(3, -1).max(1).min() > 1e-4, name
        assert not taken[name][3].any()
    for tokens in [taken[name] for name in ("tokens", "keys_values") if name in taken]:
        assert np.abs(tokens[:3]).max(2).min() > 0


def test_hidden_of_a_mixed_batch_are_those_of_separate_parts(pair, standins, scattered, alone, batch):
    import torch

    model, kind = pair
    embeds, mask, owners = batch
    part = scattered(kind, standins[model])
    with torch.no_grad():
        mixed = standins[model].hidden(part, embeds, mask, owners)
        for row in range(3):
            mine = owners == row
            single = alone(kind, standins[model], part, row)
            own = standins[model].hidden(single, embeds[mine], mask[mine], owners[mine] * 0)
            torch.testing.assert_close(mixed[mine], own, rtol=1e-5, atol=1e-5)
        assert (mixed[0] - standins[model].hidden(part, embeds, mask, owners * 0)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["lora", "bitfit"])
def test_a_neutral_start_changes_nothing(kind, standins, start, batch):
    import torch

    embeds, mask, owners = batch
    for model, backbone in standins.items():
        if kind == "bitfit" and model in ("t5", "llama"):
            continue
        with torch.no_grad():
            assert torch.equal(
                backbone.hidden(start(kind, backbone), embeds, mask, owners), backbone.run(embeds, mask)
            ), model


def test_what_is_stored_is_float32_leaves_of_k_rows(pair, standins, start):
    import torch

    model, kind = pair
    part = start(kind, standins[model], 4)
    assert part.rows == 4
    assert set(part.rates) <= set(part.parameters) | set(part.shared)
    for rows, tensors in ((4, part.parameters), (1, part.shared)):
        for tensor in tensors.values():
            assert tensor.dtype == torch.float32
            assert tensor.is_leaf
            assert tensor.requires_grad
            assert len(tensor) == rows


def test_one_seed_starts_all_rows_alike_and_many_each_its_own(pair, standins, start):
    model, kind = pair
    same, again, own = (start(kind, standins[model], 3, seed=seed) for seed in (4, 4, [4, 5, 4]))
    for row in (1, 2):
        for name, array in same.state(0).items():
            np.testing.assert_array_equal(same.state(row)[name], array)
            np.testing.assert_array_equal(again.state(row)[name], array)
    for name, array in own.state(2).items():
        np.testing.assert_array_equal(own.state(0)[name], array)
    if kind != "bitfit":
        assert any((own.state(1)[name] != array).any() for name, array in own.state(0).items())
        with pytest.raises(SettingError, match="2 seeds for 3 rows"):
            start(kind, standins[model], 3, seed=[1, 2])


def test_a_state_is_a_copy_and_goes_back_in(pair, standins, start, scattered):
    model, kind = pair
    part, other = scattered(kind, standins[model]), start(kind, standins[model])
    state, untouched = part.state(1), other.state(0)
    other.load(2, state)
    for name, array in other.state(2).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, state[name])
    for name, array in other.state(0).items():
        np.testing.assert_array_equal(array, untouched[name])
    for name in part.parameters:
        state[name][:] = 7
        assert (part.state(1)[name] != 7).any()


def test_a_state_that_does_not_fit_changes_nothing(pair, standins, scattered, one_sentence):
    model, kind = pair
    part = scattered(kind, standins[model])
    before, last = part.state(0), list(part.parameters)[-1]
    short = {name: array + 1 for name, array in before.items() if name != last}
    for wrong in (short, short | {last: before[last][..., :-1]}, short | {last: before[last] * np.nan}):
        with pytest.raises(PromptError) as caught:
            part.load(0, wrong)
        assert one_sentence(caught.value)
        assert repr(last) in str(caught.value)
    for name, array in part.state(0).items():
        np.testing.assert_array_equal(array, before[name])


def test_tokens_and_embeddings_have_the_backbones_type(pair, make_module, make_standin, start, batch):
    import torch

    model, kind = pair
    embeds, mask, owners = batch
    half = make_standin(model, make_module(model).to(torch.bfloat16))
    part = start(kind, half)
    front, own = part.enter(embeds.bfloat16(), mask, owners)
    assert front.shape[::2] == (5, 16)
    assert front.shape[1] == (3 if kind in ("prompt", "decomposed", "factored", "mixture") else 0)
    assert own.shape == embeds.shape
    assert front.dtype == own.dtype == torch.bfloat16
    hidden = half.hidden(part, embeds.bfloat16(), mask, owners)
    assert hidden.dtype == torch.bfloat16
    hidden.float().square().sum().backward()
    assert all(tensor.grad.dtype == torch.float32 for tensor in part.parameters.values())


@pytest.mark.parametrize("kind", ["prefix", "lora", "bitfit"])
def test_the_model_is_as_it_was_even_after_an_error(kind, standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    backbone = standins["bert"]
    with torch.no_grad():
        plain, part = backbone.run(embeds, mask), scattered(kind, backbone)
        before = {name: set(vars(layer)) for name, layer in backbone.module.named_modules()}
        with part.inside(backbone, owners):
            assert not torch.equal(backbone.run(embeds, mask), plain)
        assert torch.equal(backbone.run(embeds, mask), plain)
        with pytest.raises(SettingError, match="sees 2 rows where the batch has 5"), part.inside(backbone, owners):
            backbone.run(embeds[:2], mask[:2])
        assert torch.equal(backbone.run(embeds, mask), plain)
    for name, layer in backbone.module.named_modules():
        assert set(vars(layer)) == before[name]
        assert not layer._forward_hooks
        assert getattr(getattr(layer, "config", None), "_attn_implementation", "sdpa") == "sdpa"


@pytest.mark.parametrize("kind", ["prefix", "lora", "bitfit"])
def test_layers_that_would_run_again_without_their_part_are_refused(kind, make_module, make_standin, start, batch):
    import torch

    embeds, mask, owners = batch
    backbone = make_standin("bert", make_module("bert"))
    for layer in backbone.module.modules():
        if hasattr(layer, "gradient_checkpointing"):
            layer.gradient_checkpointing = True
    part = start(kind, backbone)
    with pytest.raises(SettingError, match="checkpointing"):
        backbone.hidden(part, embeds, mask, owners)
    with torch.no_grad():
        assert backbone.hidden(part, embeds, mask, owners).isfinite().all()


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"length": 0}, {"length": 61}])
def test_settings_without_sense_are_refused(wrong, standins, one_sentence):
    for name in ("prompt", "decomposed", "factored"):
        with pytest.raises(SettingError) as caught:
            parts.PARTS[name].start(standins["bert"], **{"rows": 2, "length": 3} | wrong)
        assert one_sentence(caught.value)


def test_every_named_part_starts_from_a_backbone_rows_and_a_seed(make_module, make_standin, batch):
    backbone = make_standin("bert", make_module("bert", vocab_size=128, max_position_embeddings=128))
    for name, kind in parts.PARTS.items():
        part = kind.start(backbone, 3, seed=1)
        assert part.rows == 3, name
        assert backbone.hidden(part, *batch).isfinite().all(), name


def test_the_face_is_sorted_and_true():
    assert parts.__all__ == sorted(parts.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(parts, name) for name in parts.__all__)


def test_lengths_and_ranks_are_whole_numbers_and_temperatures_above_zero(standins, one_sentence):
    from taskspace.tuning.parts import LoRA, Mixture, Prompts

    bert, sources = standins["bert"], np.ones((2, 3, 16), np.float32)
    for what, start in {
        "rank": lambda: LoRA.start(bert, 1, 1.5),
        "length": lambda: Prompts.start(bert, 1, 2.5),
        "temperature": lambda: Mixture.start(bert, sources, 1, temperature=0),
    }.items():
        with pytest.raises(SettingError, match=what) as error:
            start()
        assert one_sentence(error.value)


def test_settings_tell_apart_what_starts_alike(standins):
    from taskspace.tuning.parts import Decomposed, LoRA, Mixture

    bert, sources = standins["bert"], np.ones((2, 3, 16), np.float32)
    made = [
        [LoRA.start(bert, 1, 2, alpha=alpha) for alpha in (8.0, 16.0)],
        [Decomposed.start(bert, 1, 2, rank=2, rate=rate) for rate in (0.1, 0.2)],
        [Mixture.start(bert, each, 1, temperature=warm, rate=rate) for each, warm, rate in (
            (sources, 1.0, 0.1), (2 * sources, 1.0, 0.1), (sources, 2.0, 0.1), (sources, 1.0, 0.2))],
    ]  # fmt: skip
    for alike in made:
        said = [json.dumps(part.settings) for part in alike]
        assert len(set(said)) == len(said)
