"""LoRA: a tuned matrix of low rank beside frozen ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import PromptError, SettingError, did_you_mean
from taskspace.tuning.parts._layers import Change, changed, one_each, sizes
from taskspace.tuning.parts._rows import Arrays, Floats, Rows, Seeds, at_least_one, drawn, fitting, uniform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from taskspace.tuning.parts._part import Frozen, Tensor

QUERY_AND_VALUE = (
    "q", "v", "q_proj", "v_proj", "q_lin", "v_lin", "query", "value", "query_proj", "value_proj",
    "c_attn", "qkv_proj", "query_key_value",
)  # fmt: skip
"""What the projections to queries and values are called, or the one to all three where a model has just one."""


class LoRA(Rows):
    """K times y = W x + (α/r)·B A x on the chosen layers (Hu et al. 2021).

    A row's state: for each layer, by its name in ``backbone.module``, ``LAYER.A`` float32[r, in] and ``LAYER.B``
    float32[out, r], which are peft's ``lora_A`` and ``lora_B``.  Without dropout.  Where query, key and value are
    one projection, as in GPT-2, all of it is adapted, as peft does; the paper adapts its q and v.
    """

    def __init__(self, backbone: Frozen, factors: Arrays, *, alpha: float = 16.0) -> None:
        layers = list(dict.fromkeys(name.rpartition(".")[0] for name in factors))
        known = dict(backbone.module.named_modules())
        rows, rank, _ = fitting(next(iter(factors.values()), None), (None, None, None), "A").shape
        shapes: dict[str, tuple[int, ...]] = {}
        for name in layers:
            size = sizes(known[name]) if name in known else None
            if size is None:
                raise PromptError(f"the backbone has no layer {name!r} to adapt; give factors that were tuned on it")
            shapes |= {f"{name}.A": (rows, rank, size[0]), f"{name}.B": (rows, size[1], rank)}
        arrays = {name: fitting(factors.get(name), shape, name) for name, shape in shapes.items()}
        super().__init__(arrays, backbone.device)
        self.scale = alpha / rank
        self._layers = layers

    @classmethod
    def start(
        cls,
        backbone: Frozen,
        rows: int,
        rank: int = 8,
        *,
        alpha: float = 16.0,
        targets: Sequence[str] | None = None,
        seed: Seeds = 0,
    ) -> LoRA:
        """A uniform as in linear layers, as loralib and peft do (the paper says normal), B zero: nothing changes yet.

        ``targets``: ends of layer names, such as ``"q_proj"`` or ``"attn.c_proj"``; by default the projections to
        queries and values, in an encoder-decoder also those of the cross-attention.
        """
        at_least_one(rank=rank)
        adapted = _named(backbone, targets)

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            factors: dict[str, Floats] = {}
            for name, (inputs, outputs) in adapted.items():
                factors[f"{name}.A"] = uniform(rng, rank, inputs, inputs=inputs).astype(np.float32)
                factors[f"{name}.B"] = np.zeros((outputs, rank), np.float32)
            return factors

        return cls(backbone, drawn(rows, seed, draw), alpha=alpha)

    @property
    def settings(self) -> dict[str, Any]:
        return super().settings | {"scale": self.scale}

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return embeds[:, :0], embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return changed(backbone, {name: self._beside(name, owners) for name in self._layers})

    def _beside(self, name: str, owners: Tensor) -> Change:
        first, second = (self.parameters[f"{name}.{factor}"][owners].transpose(1, 2) for factor in "AB")

        def change(x: Tensor, y: Tensor) -> Tensor:
            one_each(x, owners, name)
            flat = x.reshape(len(x), -1, x.shape[-1])
            added = flat @ first.to(x.dtype) @ second.to(x.dtype)
            return y + (self.scale * added).reshape(y.shape).to(y.dtype)

        return change


def _named(backbone: Frozen, targets: Sequence[str] | None) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of the layers whose names end so; :class:`SettingError` for an end that none has."""
    layers = {name: size for name, layer in backbone.module.named_modules() if (size := sizes(layer))}
    found = {end: [n for n in layers if f".{n}".endswith(f".{end}")] for end in targets or QUERY_AND_VALUE}
    ends = {name.rpartition(".")[2] for name in layers}
    for end, names in found.items():
        if targets and not names:
            raise SettingError(f"the backbone has no layer {end!r} to adapt{did_you_mean(end, ends)}")
    chosen = {name for names in found.values() for name in names}
    if not chosen:
        raise SettingError(f"the backbone's queries and values are not known by name{did_you_mean('', ends)}")
    return {name: size for name, size in layers.items() if name in chosen}
