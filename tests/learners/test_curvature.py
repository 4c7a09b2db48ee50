from __future__ import annotations

import pytest

from taskspace.learners._curvature import full_diagonal, row_pooled, squared_gradients

torch = pytest.importorskip("torch")


@pytest.fixture
def tokens():
    """Inputs [3, 5, 4] and output gradients [3, 5, 2] of three examples of five tokens."""
    maker = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 4, generator=maker).double(), torch.randn(3, 5, 2, generator=maker).double()


def one_by_one(inputs, grads):
    """Per example, the weight's gradient is the sum over tokens of the outer product; squared only then."""
    total = torch.zeros(2, 4, dtype=torch.float64)
    for example in range(3):
        gradient = torch.zeros(2, 4, dtype=torch.float64)
        for token in range(5):
            gradient += torch.outer(grads[example, token], inputs[example, token])
        total += gradient**2
    return total


def test_full_diagonal(tokens):
    torch.testing.assert_close(full_diagonal(*tokens), one_by_one(*tokens))


def test_row_pooled_sums_over_inputs(tokens):
    torch.testing.assert_close(row_pooled(*tokens), one_by_one(*tokens).sum(dim=1))


class Net(torch.nn.Module):
    """Token vectors through two linear layers (the second twice); a third layer is not used."""

    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(7, 4)
        self.one, self.two, self.idle = (torch.nn.Linear(4, 4) for _ in range(3))

    def get_input_embeddings(self):
        return self.words

    def forward(self, ids, *, pooled=False):
        states = torch.tanh(self.one(self.words(ids)))
        return self.two(states.mean(dim=1) if pooled else states)


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Net().double().requires_grad_(requires_grad=False)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("square", [full_diagonal, row_pooled])
def test_layers_are_tapped(net, square, pooled):
    ids = torch.randint(7, (6, 3), generator=torch.Generator().manual_seed(0))
    with squared_gradients(net, square) as sums:
        for part in (ids[:4], ids[4:]):
            net(part, pooled=pooled).sin().sum().backward()
    free = Net().double()
    free.load_state_dict(net.state_dict())
    expected = {"one": 0.0, "two": 0.0}
    for row in ids:
        free.zero_grad()
        free(row[None], pooled=pooled).sin().sum().backward()
        for name in expected:
            expected[name] = expected[name] + getattr(free, name).weight.grad ** 2
    assert set(sums) == {"one", "two"}
    for name, total in expected.items():
        torch.testing.assert_close(sums[name], total if square is full_diagonal else total.sum(dim=1))


def test_the_module_is_left_as_it_was(net):
    ids = torch.tensor([[1, 2, 3]])
    before = net(ids)
    with pytest.raises(RuntimeError, match="half way"), squared_gradients(net, row_pooled):
        raise RuntimeError("half way")
    assert all(not layer._forward_hooks for layer in net.modules())
    after = net(ids)
    assert not after.requires_grad
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert all(p.grad is None for p in net.parameters())
