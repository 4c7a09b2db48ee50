from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.tuning.parts import Mixture


def weights_written_out(text, sources, state, temperature):
    """Of a text float[L, d] without padding, as in the paper."""
    hidden = state["down"] @ text.max(0)
    hidden = state["up"] @ (hidden / (1 + np.exp(-hidden)))
    query = (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-5) * state["scale"] + state["shift"]
    scores = np.array([prompt.max(0) @ query for prompt in (*sources, state["tokens"])]) / temperature
    return np.exp(scores) / np.exp(scores).sum()


def test_equals_the_formula(standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    part = scattered("mixture", standins["t5"])
    sources = part.sources.numpy()
    with torch.no_grad():
        front, own = part.enter(embeds, mask, owners)
        attention = part.attention(embeds, mask, owners)
    assert torch.equal(own, embeds)
    assert attention.shape == (5, 3)
    for i, owner in enumerate(owners.tolist()):
        state = part.state(owner)
        weights = weights_written_out(embeds[i, : int(mask[i].sum())].numpy(), sources, state, 4.0)
        np.testing.assert_allclose(attention[i], weights, rtol=1e-4, atol=1e-6)
        mixed = sum(w * prompt for w, prompt in zip(weights, (*sources, state["tokens"]), strict=True))
        np.testing.assert_allclose(front[i], mixed + state["tokens"], rtol=1e-4, atol=1e-5)
    assert attention.max() - attention.min() > 0.1


def test_padding_has_no_say(standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    part = scattered("mixture", standins["bert"])
    loud = embeds.masked_fill(mask[:, :, None] == 0, 100.0)
    assert torch.equal(part.attention(loud, mask, owners), part.attention(embeds, mask, owners))


def test_starts_from_given_tokens_and_mixes_almost_evenly(standins, batch):
    import torch

    sources = np.random.default_rng(0).standard_normal((4, 3, 16)).astype(np.float32)
    part = Mixture.start(standins["t5"], sources, 3, tokens=sources[2], seed=1)
    np.testing.assert_array_equal(part.state(1)["tokens"], sources[2])
    assert part.parameters["down"].shape == (3, 100, 16)
    assert part.rates == dict.fromkeys(("down", "up", "scale", "shift"), pytest.approx(0.1 / 0.3))
    with torch.no_grad():
        # At temperature 2087 scores of a few units hardly matter.
        np.testing.assert_allclose(part.attention(*batch), 1 / 5, atol=0.005)


def test_sources_stay_as_they_are(standins, start, batch):
    part = start("mixture", standins["t5"])
    before = part.sources.clone()
    part.enter(*batch)[0].square().sum().backward()
    assert part.sources.grad is None
    assert part.sources.equal(before)
    assert "sources" not in part.parameters


def test_sources_of_another_shape_are_refused(standins, one_sentence):
    sources = np.ones((2, 3, 16), np.float32)
    for wrong, tokens in ((sources[:, :, :8], None), (sources, sources[0, :2])):
        with pytest.raises(PromptError) as caught:
            Mixture.start(standins["bert"], wrong, 2, tokens=tokens)
        assert one_sentence(caught.value)
