from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.tuning.parts import Factored


def test_equals_the_outer_product(standins, scattered, batch):
    import torch

    embeds, mask, owners = batch
    part = scattered("factored", standins["t5"])
    with torch.no_grad():
        front, own = part.enter(embeds, mask, owners)
    assert torch.equal(own, embeds)
    for row, prompt in enumerate(part.prompts()):
        state = part.state(row)
        expected = state["prompt"] * np.outer(state["u"], state["v"])
        np.testing.assert_allclose(prompt, expected, rtol=1e-6)
        np.testing.assert_array_equal(state["tokens"], prompt)
        for i in np.flatnonzero(owners.numpy() == row):
            np.testing.assert_array_equal(front[i], prompt)


def test_starts_close_to_the_prompt_that_all_share(standins):
    prompt = np.random.default_rng(0).standard_normal((30, 16)).astype(np.float32)
    part = Factored.start(standins["t5"], 3, prompt=prompt, seed=[0, 1, 2])
    np.testing.assert_array_equal(part.state(1)["prompt"], prompt)
    factors = np.concatenate([part.state(row)[name] for row in range(3) for name in "uv"])
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx(0.02, rel=0.2)
    exact = Factored.start(standins["t5"], 2, prompt=prompt, noise=0)
    np.testing.assert_array_equal(exact.prompts(), np.stack([prompt, prompt]))


def test_loading_a_row_leaves_what_is_shared(standins, scattered, start):
    part, other = scattered("factored", standins["t5"]), start("factored", standins["t5"], seed=3)
    shared = other.state(0)["prompt"]
    other.load(1, part.state(0))
    np.testing.assert_array_equal(other.state(1)["prompt"], shared)
    np.testing.assert_array_equal(other.state(1)["u"], part.state(0)["u"])


def test_factors_that_do_not_fit_are_refused(standins, one_sentence):
    prompt = np.ones((3, 16), np.float32)
    for u, v in ((np.ones((2, 4)), np.ones((2, 16))), (np.ones((2, 3)), np.ones((3, 16)))):
        with pytest.raises(PromptError) as caught:
            Factored(standins["t5"], prompt, {"u": u, "v": v})
        assert one_sentence(caught.value)
