from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from taskspace.labelers.language_models._forward import affordable, log_probs, takes

torch = pytest.importorskip("torch")


class Head:
    """Gives the logits it was made with; the second kind can be told which columns are wanted."""

    device = "cpu"

    def __init__(self, logits):
        self.logits = logits

    def forward(self, input_ids): ...

    def __call__(self, input_ids):
        return SimpleNamespace(logits=self.logits)


class Choosing(Head):
    def forward(self, input_ids, logits_to_keep): ...

    def __call__(self, input_ids, logits_to_keep):
        return SimpleNamespace(logits=self.logits[:, logits_to_keep])


@pytest.mark.parametrize("head", [Head, Choosing])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_probabilities_at_chosen_places(rng, head, dtype):
    logits = torch.tensor(rng.normal(scale=3, size=(2, 4, 6)), dtype=dtype)
    wanted = [(1, 2, 5), (0, 0, 1), (1, 2, 0), (0, 2, 5), (1, 2, 5)]
    p = logits.double().exp() / logits.double().exp().sum(dim=2, keepdim=True)
    values = log_probs(head(logits), wanted, input_ids=None, mask=None)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, [p[place].log().item() for place in wanted], rtol=0, atol=1e-5)


def test_what_a_model_takes_is_all_it_is_given():
    assert takes(Choosing(None), "input_ids", "logits_to_keep")
    assert not takes(Head(None), "input_ids", "logits_to_keep")


def test_a_pass_where_nothing_is_wanted_is_still_made():
    class Counting(Choosing):
        calls = 0

        def __call__(self, input_ids, logits_to_keep):
            Counting.calls += 1
            return super().__call__(input_ids, logits_to_keep)

    assert log_probs(Counting(torch.zeros(1, 3, 6)), [], input_ids=None).shape == (0,)
    assert Counting.calls == 1


def test_a_large_vocabulary_makes_batches_smaller():
    def module(words):
        return SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=words)))

    assert affordable(module(32_000), 4096) == 4096
    assert affordable(module(256_000), 4096) == 2**28 // 256_000 == 1048
    assert affordable(module(2**30), 4096) == 1
