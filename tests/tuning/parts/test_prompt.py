from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.tuning.parts import Prompts


def test_each_text_stands_behind_the_prompt_of_its_owner(standin, batch):
    import torch

    embeds, mask, owners = batch
    tokens = np.random.default_rng(0).standard_normal((3, 2, 16)).astype(np.float32)
    found = standin.hidden(Prompts(standin, tokens), embeds, mask, owners)
    for i, owner in enumerate(owners.tolist()):
        length = int(mask[i].sum())
        both = torch.cat([torch.tensor(tokens[owner]), embeds[i, :length]])[None]
        own = standin.run(both, torch.ones(1, length + 2, dtype=torch.long))[0, 2:]
        torch.testing.assert_close(found[i, :length], own[:length], rtol=1e-5, atol=1e-5)


def test_starts_from_different_tokens_of_the_vocabulary(standins):
    table = standins["bert"].embeddings.numpy()
    tokens = Prompts.start(standins["bert"], 1, 60).state(0)["tokens"]
    ids = [int(np.flatnonzero((table == row).all(1))[0]) for row in tokens]
    assert sorted(ids) == list(range(60))
    assert ids != sorted(ids)


def test_one_prompt_can_start_all_rows(standins):
    prompt = np.random.default_rng(0).standard_normal((4, 16)).astype(np.float32)
    part = Prompts.repeat(standins["t5"], prompt, 3)
    assert part.rows == 3
    for row in range(3):
        np.testing.assert_array_equal(part.state(row)["tokens"], prompt)


@pytest.mark.parametrize("shape", [(2, 3, 15), (3, 16), (2, 0, 16)])
def test_prompts_of_another_shape_are_refused(shape, standins, one_sentence):
    with pytest.raises(PromptError, match=r"\[any, any, 16\]") as caught:
        Prompts(standins["bert"], np.zeros(shape, np.float32))
    assert one_sentence(caught.value)
