"""AdamW for many independent runs that share their tensors' first axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.tuning.parts._part import Tensor

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@final
class RowAdamW:
    """Decoupled weight decay (Loshchilov and Hutter 2019), run for each row as if it were alone.

    ``parameters`` are leaf tensors [K, ...].  Moments, step counts and the clipped norm belong to a row, over all
    tensors together; a row that a step leaves out is not touched at all, not even by decay.  With one row it is
    ``torch.optim.AdamW`` after ``clip_grad_norm_``.
    """

    def __init__(self, parameters: Mapping[str, Tensor], *, decay: float, clip: float) -> None:
        torch = require("torch", extra="embed", why="tuning")
        self._parameters = dict(parameters)
        self._decay = decay
        self._clip = clip
        rows = {len(tensor) for tensor in self._parameters.values()}
        self.steps = torch.zeros(max(rows, default=0), dtype=torch.int64)
        self.first = {name: torch.zeros_like(tensor) for name, tensor in self._parameters.items()}
        self.second = {name: torch.zeros_like(tensor) for name, tensor in self._parameters.items()}

    def step(self, rows: Sequence[int], rates: Mapping[str, float]) -> None:
        """Move these rows along their gradients, at the learning rate named for each tensor; clears all gradients."""
        torch = require("torch", extra="embed", why="tuning")
        present = torch.tensor(list(rows), dtype=torch.int64)
        if not self._parameters or not len(present):
            return
        self.steps[present] += 1
        gradients = {name: _gradient(tensor, present) for name, tensor in self._parameters.items()}
        scale = self._clipped(gradients)
        with torch.no_grad():
            for name, tensor in self._parameters.items():
                self._move(name, tensor, present, gradients[name] * _along(scale, tensor), rates[name])
                tensor.grad = None

    def _move(self, name: str, tensor: Tensor, present: Tensor, gradient: Tensor, rate: float) -> None:
        steps = self.steps[present].double()
        correction = [_along((1 - beta**steps).to(tensor.dtype), tensor).to(tensor.device) for beta in _BETAS]
        rows = present.to(tensor.device)
        first = self.first[name][rows].lerp(gradient, 1 - _BETAS[0])
        second = self.second[name][rows].mul(_BETAS[1]).addcmul(gradient, gradient, value=1 - _BETAS[1])
        spread = (second.sqrt() / correction[1].sqrt()).add(_EPSILON)
        tensor[rows] = tensor[rows].mul(1 - rate * self._decay) - rate / correction[0] * first / spread
        self.first[name][rows] = first
        self.second[name][rows] = second

    def _clipped(self, gradients: Mapping[str, Tensor]) -> Tensor:
        """What each row's gradients are multiplied with, so that their common norm is ``clip`` at most."""
        torch = require("torch", extra="embed", why="tuning")
        squares = torch.stack([gradient.reshape(len(gradient), -1).square().sum(1) for gradient in gradients.values()])
        norms = squares.sum(0).sqrt()
        return (self._clip / (norms + 1e-6)).clamp(max=1.0) if self._clip else torch.ones_like(norms)


def _gradient(tensor: Tensor, present: Tensor) -> Tensor:
    """float[rows, ...]: what backward left, or zero where it left nothing."""
    rows = present.to(tensor.device)
    return tensor.new_zeros(len(rows), *tensor.shape[1:]) if tensor.grad is None else tensor.grad[rows]


def _along(values: Tensor, tensor: Tensor) -> Tensor:
    """[rows] shaped to multiply [rows, ...]."""
    return values.reshape(-1, *(1,) * (tensor.dim() - 1))
