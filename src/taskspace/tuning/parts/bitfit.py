"""BitFit: only the biases are tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError, SettingError
from taskspace.tuning.parts._layers import Change, changed, one_each, sizes
from taskspace.tuning.parts._rows import Arrays, Rows, at_least_one, fitting, torch_module

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from taskspace.tuning.parts._part import Frozen, Tensor


class BitFit(Rows):
    """K times every bias b + Δ_k of the linear and normalising layers (Ben Zaken et al. 2022).

    A row's state: Δ float32[out] for each layer, by its name in ``backbone.module``.  What is tuned is the
    difference, so that decay pulls towards the pre-trained biases (the paper tunes the biases themselves and says
    nothing of decay).  The pooler and the output layer over the vocabulary are left out: no answer is read from
    the one, and the other belongs to the head.
    """

    def __init__(self, backbone: Frozen, shifts: Arrays) -> None:
        biases = _biases(backbone)
        if unknown := [name for name in shifts if name not in biases]:
            raise PromptError(f"the backbone has no bias {unknown[0]!r}; give shifts that were tuned on it")
        rows = len(next(iter(shifts.values()), ()))
        arrays = {name: fitting(shifts.get(name), (rows, length), name) for name, length in biases.items()}
        super().__init__(arrays, backbone.device)

    @classmethod
    def start(cls, backbone: Frozen, rows: int, *, seed: object = 0) -> BitFit:
        """From the biases as they are: all shifts zero, whatever the ``seed``."""
        at_least_one(rows=rows)
        return cls(backbone, {name: np.zeros((rows, length), np.float32) for name, length in _biases(backbone).items()})

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return embeds[:, :0], embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return changed(backbone, {name: self._shifted(name, owners) for name in self.parameters})

    def _shifted(self, name: str, owners: Tensor) -> Change:
        shifts = self.parameters[name][owners]

        def change(x: Tensor, y: Tensor) -> Tensor:
            one_each(y, owners, name)
            return y + shifts.to(y.dtype).reshape(len(y), *[1] * (y.dim() - 2), -1)

        return change


def _biases(backbone: Frozen) -> dict[str, int]:
    """Lengths of the biases by layer name; :class:`SettingError` where there are none."""
    normalising, output = torch_module().nn.LayerNorm, backbone.module.get_output_embeddings()
    found = {
        name: len(layer.bias)
        for name, layer in backbone.module.named_modules()
        if (isinstance(layer, normalising) or sizes(layer)) and layer.bias is not None
        if layer is not output and "pooler" not in name.split(".")
    }
    if not found:
        kind = type(backbone.module).__name__
        raise SettingError(f"{kind} has no biases that could be tuned; tune a prompt, a prefix or LoRA")
    return found
