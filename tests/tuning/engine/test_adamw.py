from __future__ import annotations

import pytest
import torch

from taskspace.tuning.adamw import RowAdamW


def _tensors(rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "matrix": torch.randn(rows, 4, 3, generator=generator).requires_grad_(),
        "vector": torch.randn(rows, 5, generator=generator).requires_grad_(),
    }


def _gradients(rows, step):
    generator = torch.Generator().manual_seed(100 + step)
    return {
        "matrix": 3 * torch.randn(rows, 4, 3, generator=generator),
        "vector": torch.randn(rows, 5, generator=generator),
    }


@pytest.mark.parametrize("clip", [0.0, 0.5, 100.0])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_each_row_moves_as_torch_moves_it_alone(clip, decay):
    # Row 1 is left out of every third step, so its own step count and moments lag behind.
    mine, start = _tensors(3), _tensors(3)
    optimiser = RowAdamW(mine, decay=decay, clip=clip)
    alone = [
        {name: tensor[row].detach().clone().requires_grad_() for name, tensor in start.items()} for row in range(3)
    ]
    references = [torch.optim.AdamW(list(each.values()), lr=1.0, weight_decay=decay) for each in alone]
    for step in range(12):
        rows = [0, 2] if step % 3 == 0 else [0, 1, 2]
        rates = {"matrix": 0.1 / (step + 1), "vector": 0.02}
        gradients = _gradients(3, step)
        for name, tensor in mine.items():
            tensor.grad = gradients[name].clone()
        optimiser.step(rows, rates)
        for row in rows:
            for name, tensor in alone[row].items():
                tensor.grad = gradients[name][row].clone()
            if clip:
                torch.nn.utils.clip_grad_norm_(list(alone[row].values()), clip)
            _step(references[row], alone[row], rates)
    for row in range(3):
        for name, tensor in alone[row].items():
            torch.testing.assert_close(mine[name][row], tensor, rtol=1e-5, atol=1e-6)


def _step(optimiser, named, rates):
    """One step of torch's AdamW at a rate per tensor."""
    group = optimiser.param_groups[0]
    optimiser.param_groups[:] = [{**group, "params": [tensor], "lr": rates[name]} for name, tensor in named.items()]
    optimiser.step()
    optimiser.param_groups[:] = [{**group, "params": list(named.values())}]


def test_a_row_left_out_is_untouched_even_by_decay():
    tensors = _tensors(2)
    before = {name: tensor[1].detach().clone() for name, tensor in tensors.items()}
    optimiser = RowAdamW(tensors, decay=0.5, clip=1.0)
    for name, tensor in tensors.items():
        tensor.grad = _gradients(2, 0)[name]
    optimiser.step([0], {"matrix": 0.3, "vector": 0.3})
    for name, tensor in tensors.items():
        assert torch.equal(tensor[1], before[name])
        assert not optimiser.first[name][1].any()
        assert tensor.grad is None
    assert optimiser.steps.tolist() == [1, 0]


def test_one_row_with_a_huge_gradient_does_not_clip_another():
    tensors = {"x": torch.zeros(2, 3, requires_grad=True)}
    optimiser = RowAdamW(tensors, decay=0.0, clip=1.0)
    tensors["x"].grad = torch.tensor([[1e6, 0.0, 0.0], [0.1, 0.2, 0.3]])
    optimiser.step([0, 1], {"x": 0.1})
    # After one step the first moment is a tenth of the clipped gradient.
    torch.testing.assert_close(optimiser.first["x"][0], torch.tensor([0.1, 0.0, 0.0]))
    torch.testing.assert_close(optimiser.first["x"][1], 0.1 * torch.tensor([0.1, 0.2, 0.3]))


def test_no_rows_and_no_parameters_do_nothing():
    RowAdamW({}, decay=0.1, clip=1.0).step([0], {})
    tensors = {"x": torch.ones(2, 3, requires_grad=True)}
    RowAdamW(tensors, decay=0.1, clip=1.0).step([], {"x": 1.0})
    assert torch.equal(tensors["x"], torch.ones(2, 3))
