from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.tuning.parts import Head


@pytest.fixture
def head():
    head = Head(3, (2, 4, 1), 5, seed=0)
    rng = np.random.default_rng(1)
    for row in range(3):
        head.load(row, {name: rng.standard_normal(array.shape) for name, array in head.state(row).items()})
    return head


@pytest.fixture
def features():
    import torch

    return torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 0, 2, 1])


def test_each_text_is_read_by_the_head_of_its_owner(head, features):
    found = head(*features).detach().numpy()
    assert found.shape == (4, 4)
    for i, owner in enumerate(features[1].tolist()):
        own = head.state(owner)
        count = head.outputs[owner]
        np.testing.assert_allclose(
            found[i, :count], own["weight"] @ features[0][i].numpy() + own["bias"], rtol=1e-5, atol=1e-6
        )
        assert (found[i, count:] == -np.inf).all()


def test_gradients_are_those_of_separate_heads(head, features):
    import torch

    values, owners = features
    targets = torch.tensor([3, 1, 0, 2])
    torch.nn.functional.cross_entropy(head(values, owners), targets, reduction="sum").backward()
    for row in range(3):
        single = torch.nn.Linear(5, head.outputs[row])
        with torch.no_grad():
            for name, array in head.state(row).items():
                getattr(single, name).copy_(torch.tensor(array))
        mine = owners == row
        torch.nn.functional.cross_entropy(single(values[mine]), targets[mine], reduction="sum").backward()
        for name in ("weight", "bias"):
            taken = head.parameters[name].grad[row]
            torch.testing.assert_close(taken[: head.outputs[row]], getattr(single, name).grad, rtol=1e-6, atol=1e-6)
            assert not taken[head.outputs[row] :].any()


def test_a_state_holds_the_rows_own_outputs(head):
    state = head.state(0)
    assert {name: array.shape for name, array in state.items()} == {"weight": (2, 5), "bias": (2,)}
    other = Head(3, (2, 4, 1), 5, seed=7)
    other.load(0, state)
    for name, array in other.state(0).items():
        np.testing.assert_array_equal(array, state[name])


def test_one_seed_starts_all_rows_alike():
    head = Head(2, (3, 3), 5, seed=2)
    np.testing.assert_array_equal(head.state(0)["weight"], head.state(1)["weight"])
    assert 0 < np.abs(head.state(0)["weight"]).max() < 0.1
    assert not head.state(0)["bias"].any()
    apart = Head(2, (3, 3), 5, seed=[2, 3])
    assert (apart.state(0)["weight"] != apart.state(1)["weight"]).all()


def test_what_does_not_fit_is_refused(head, one_sentence):
    for rows, outputs in ((2, (3,)), (1, (0,)), (0, ())):
        with pytest.raises(SettingError) as caught:
            Head(rows, outputs, 5)
        assert one_sentence(caught.value)
    with pytest.raises(PromptError) as caught:
        head.load(0, head.state(1))
    assert one_sentence(caught.value)
