"""Prefixes: tuned keys and values in front of the text, in every layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.tuning._whole import require_whole
from taskspace.tuning.parts._attention import prefixed, self_attentions
from taskspace.tuning.parts._layers import forget_nothing
from taskspace.tuning.parts._rows import (
    Arrays,
    Floats,
    Rows,
    Seeds,
    at_least_one,
    copied,
    drawn,
    fitting,
    repeated,
    torch_module,
    uniform,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from taskspace.tuning.parts._part import Frozen, Tensor


class Prefixes(Rows):
    """K prefixes of m tokens, float32[K, m, L·2·d_kv] (Li and Liang 2021; Liu et al. 2022, P-tuning v2).

    Along the last axis stand the keys and the values of the first self-attention, then those of the second, as in
    peft; L counts all self-attentions, those of an encoder before those of a decoder (cross-attention has none).
    d_kv is heads times width per head of the keys, which grouped heads make smaller than d.

    Every token sees the whole prefix.  The papers leave positions open, and published code moves the text on by m
    places; here the text stays at its own (a backbone may move it: positions are the backbone's to say), keys are
    not rotated, and T5's bias towards a prefix is 0.

    A row's state is ``keys_values`` float32[m, L·2·d_kv].  Behind a projection (P-tuning v2's two layers with a
    tanh between, here one per row) what is tuned are ``tokens``, ``down.*`` and ``up.*``; they stand in the state
    beside the table that they make, and it is they that :meth:`load` wants back.
    """

    def __init__(self, backbone: Frozen, keys_values: Floats | Arrays) -> None:
        self._layers = self_attentions(backbone.module)
        if len(set(self._layers.values())) > 1:
            raise SettingError("keys are not equally wide in all layers of this backbone; tune a prompt or LoRA on it")
        if isinstance(keys_values, np.ndarray):
            keys_values = {"keys_values": keys_values}
        width = 2 * sum(self._layers.values())
        fit = _projection if "tokens" in keys_values else _table
        super().__init__(fit(keys_values, width), backbone.device)

    @classmethod
    def start(
        cls,
        backbone: Frozen,
        rows: int,
        length: int = 20,
        *,
        projection: int = 0,
        spread: float = 1.0,
        seed: Seeds = 0,
    ) -> Prefixes:
        """From N(0, ``spread``²), 1 as in P-tuning v2's code; ``projection``: width of its hidden layer, 0 for none.

        Behind a projection the tokens start from N(0, ``spread``²), as wide as the backbone, and the layers as
        linear layers do.
        """
        at_least_one(length=length)
        require_whole(0, projection=projection)
        table, tokens = 2 * sum(self_attentions(backbone.module).values()), backbone.width

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            if not projection:
                arrays = {"keys_values": spread * rng.standard_normal((length, table))}
            else:
                arrays = {
                    "tokens": spread * rng.standard_normal((length, tokens)),
                    "down.weight": uniform(rng, projection, tokens, inputs=tokens),
                    "down.bias": uniform(rng, projection, inputs=tokens),
                    "up.weight": uniform(rng, table, projection, inputs=projection),
                    "up.bias": uniform(rng, table, inputs=projection),
                }
            return {name: array.astype(np.float32) for name, array in arrays.items()}

        return cls(backbone, drawn(rows, seed, draw))

    @classmethod
    def repeat(cls, backbone: Frozen, keys_values: Floats, rows: int) -> Prefixes:
        """K rows that all start from the one prefix float32[m, L·2·d_kv]."""
        return cls(backbone, repeated(keys_values, rows))

    def state(self, row: int) -> dict[str, Floats]:
        return super().state(row) | {"keys_values": copied(self._tables(slice(row, row + 1))[0])}

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return embeds[:, :0], embeds

    @contextmanager
    def inside(self, backbone: Frozen, owners: Tensor) -> Generator[None]:
        forget_nothing(backbone)
        present, places = owners.unique(return_inverse=True)
        layers = self._tables(present)[places].unflatten(2, (len(self._layers), 2, -1))
        pairs = {name: layers[:, :, i].unbind(2) for i, name in enumerate(self._layers)}
        with prefixed(backbone.module, pairs):
            yield

    def _tables(self, rows: Tensor | slice) -> Tensor:
        own = {name: tensor[rows] for name, tensor in self.parameters.items()}
        if "keys_values" in own:
            return own["keys_values"]
        hidden = own["tokens"] @ own["down.weight"].transpose(1, 2) + own["down.bias"][:, None]
        return torch_module().tanh(hidden) @ own["up.weight"].transpose(1, 2) + own["up.bias"][:, None]


def _table(arrays: Arrays, width: int) -> Arrays:
    return {"keys_values": fitting(arrays.get("keys_values"), (None, None, width), "keys_values")}


def _projection(arrays: Arrays, width: int) -> Arrays:
    tokens = fitting(arrays["tokens"], (None, None, None), "tokens")
    rows, _, inputs = tokens.shape
    down = fitting(arrays.get("down.weight"), (rows, None, inputs), "down.weight")
    hidden = down.shape[1]
    shapes = {"down.bias": (hidden,), "up.weight": (width, hidden), "up.bias": (width,)}
    rest = {name: fitting(arrays.get(name), (rows, *shape), name) for name, shape in shapes.items()}
    return {"tokens": tokens, "down.weight": down, **rest}
