"""Heads: a linear layer per bank row, for classes that have no words and for numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.tuning.parts._rows import Arrays, Floats, Rows, Seeds, at_least_one, drawn, torch_module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.parts._part import Tensor


class Head(Rows):
    """K linear layers on features [n, d]; row k has ``outputs[k]`` classes or numbers.

    ``weight`` float32[K, C, d] and ``bias`` float32[K, C] are as large as the largest, C; a row's state has its own
    outputs only.  Weights start from N(0, 0.02²), as in BERT, biases from 0.
    """

    def __init__(self, rows: int, outputs: Sequence[int], width: int, *, seed: Seeds = 0, device: str = "cpu") -> None:
        if len(outputs) != rows:
            raise SettingError(f"there are {len(outputs)} numbers of outputs for {rows} rows; give one for each row")
        at_least_one(rows=rows, width=width, outputs=min(outputs, default=1))
        most = max(outputs)

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            weight = 0.02 * rng.standard_normal((most, width))
            return {"weight": weight.astype(np.float32), "bias": np.zeros(most, np.float32)}

        super().__init__(drawn(rows, seed, draw), device)
        self.outputs = tuple(outputs)
        # Which of the C outputs are a row's own: bool[K, C].
        self._own: Tensor = torch_module().tensor(
            [[place < count for place in range(most)] for count in outputs], device=device
        )

    def __call__(self, features: Tensor, owners: Tensor) -> Tensor:
        """float32[n, C], -inf past the classes of a row's owner."""
        weight, bias = self.parameters["weight"][owners], self.parameters["bias"][owners]
        scores = (weight @ features.float()[:, :, None]).squeeze(2) + bias
        return scores.masked_fill(~self._own[owners], -float("inf"))

    def state(self, row: int) -> dict[str, Floats]:
        return {name: array[: self.outputs[row]] for name, array in super().state(row).items()}

    def load(self, row: int, state: Arrays) -> None:
        missing = max(self.outputs) - self.outputs[row]
        padded = {name: np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) for name, array in state.items()}
        super().load(row, padded)
