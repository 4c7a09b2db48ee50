from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.tuning.parts import Decomposed


def test_equals_the_formula(standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    part = scattered("decomposed", standins["t5"])
    with torch.no_grad():
        front, own = part.enter(embeds, mask, owners)
    for i, owner in enumerate(owners.tolist()):
        state = part.state(owner)
        np.testing.assert_array_equal(front[i], state["tokens"])
        for token in range(6):
            update = sum(state["A"][token, k] * state["B"][k] for k in range(2))
            expected = embeds[i, token].numpy() + 8 / np.sqrt(2) * update
            np.testing.assert_allclose(own[i, token], expected, rtol=1e-5, atol=1e-5)


def test_a_start_leaves_the_text_as_it_is(standins, start, batch):
    import torch

    part = start("decomposed", standins["t5"])
    assert torch.equal(part.enter(*batch)[1], batch[0])
    assert (part.state(0)["A"] != 0).all()
    assert np.abs(part.state(0)["A"]).max() <= 1 / np.sqrt(2)
    assert part.rates == {"A": 1 / 300, "B": 1 / 300}


def test_its_default_is_as_large_as_a_prompt_of_100_tokens():
    class Wide:
        width, device = 768, "cpu"
        embeddings = np.zeros((100, 768))

    arrays = {"tokens": np.zeros((1, 60, 768)), "A": np.zeros((1, 256, 30)), "B": np.zeros((1, 30, 768))}
    part = Decomposed(Wide(), arrays)
    assert sum(tensor.numel() for tensor in part.parameters.values()) == pytest.approx(100 * 768, rel=0.005)


def test_a_text_beyond_its_places_is_refused(standins, start, batch, one_sentence):
    embeds, mask, owners = batch
    part = start("decomposed", standins["t5"])
    with pytest.raises(SettingError, match="18 tokens and A has 12") as caught:
        part.enter(embeds.repeat(1, 3, 1), mask.repeat(1, 3), owners)
    assert one_sentence(caught.value)
