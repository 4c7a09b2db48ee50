"""ATTEMPT: frozen source prompts, mixed anew for each text by a small attention, and a tuned target prompt."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.tuning.parts._rows import (
    Arrays,
    Floats,
    Rows,
    Seeds,
    at_least_one,
    copied,
    drawn,
    fitting,
    torch_module,
    uniform,
    vocabulary_rows,
)

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor


class Mixture(Rows):
    """K mixtures of the same S frozen ``sources`` float32[S, m, d] (Asai et al. 2022, ATTEMPT).

    For a text x of row k with target prompt T_k:  h = LayerNorm(W_up SiLU(W_down maxpool E(x))),
    a = softmax_j(maxpool(P_j) · h / ``temperature``) over the S sources and T_k, and the text is read behind
    Σ_j a_j P_j + T_k.  The maximum is taken over the text's real tokens (the authors take padding in too).

    A row's state: ``tokens`` T_k float32[m, d], ``down`` float32[h, d], ``up`` float32[d, h], and the LayerNorm's
    ``scale`` and ``shift`` float32[d].  The authors can also share one attention among tasks; here each row has its
    own.  Temperature 2087 is e·768, what they ship for backbones 768 wide.  ``rate`` is the attention's learning
    rate over the prompt's (0.1 to 0.3).
    """

    def __init__(
        self, backbone: Frozen, sources: Floats, arrays: Arrays, *, temperature: float = 2087.0, rate: float = 1 / 3
    ) -> None:
        if not 0 < temperature < float("inf"):
            raise SettingError(f"temperature={temperature!r} is not a number above 0; give one")
        width = backbone.width
        sources = fitting(sources, (None, None, width), "sources")
        tokens = fitting(arrays.get("tokens"), (None, sources.shape[1], width), "tokens")
        down = fitting(arrays.get("down"), (len(tokens), None, width), "down")
        shapes = {"up": (width, down.shape[1]), "scale": (width,), "shift": (width,)}
        rest = {name: fitting(arrays.get(name), (len(tokens), *shape), name) for name, shape in shapes.items()}
        rates = dict.fromkeys(("down", *rest), rate)
        super().__init__({"tokens": tokens, "down": down, **rest}, backbone.device, rates=rates)
        self.sources: Tensor = torch_module().tensor(sources, device=backbone.device)
        self.temperature = float(temperature)

    @classmethod
    def start(
        cls,
        backbone: Frozen,
        sources: Floats,
        rows: int,
        *,
        tokens: Floats | None = None,
        hidden: int = 100,
        temperature: float = 2087.0,
        rate: float = 1 / 3,
        seed: Seeds = 0,
    ) -> Mixture:
        """Targets from ``tokens`` float32[m, d], or from embeddings of drawn tokens; attention as in linear layers."""
        at_least_one(hidden=hidden)
        sources = fitting(sources, (None, None, backbone.width), "sources")
        length, width = sources.shape[1:]

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            return {
                "tokens": vocabulary_rows(backbone, length, rng) if tokens is None else tokens,
                "down": uniform(rng, hidden, width, inputs=width).astype(np.float32),
                "up": uniform(rng, width, hidden, inputs=hidden).astype(np.float32),
                "scale": np.ones(width, np.float32),
                "shift": np.zeros(width, np.float32),
            }

        return cls(backbone, sources, drawn(rows, seed, draw), temperature=temperature, rate=rate)

    @property
    def settings(self) -> dict[str, Any]:
        sources = hashlib.sha256(copied(self.sources).tobytes()).hexdigest()
        return super().settings | {"temperature": self.temperature, "sources": sources}

    def attention(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> Tensor:
        """float32[n, S + 1]: the weight of each source, and last of the target prompt itself, for each text."""
        functional = torch_module().nn.functional
        text = embeds.float().masked_fill(mask[:, :, None] == 0, -float("inf")).amax(1)
        down, up, scale, shift = (self.parameters[name][owners] for name in ("down", "up", "scale", "shift"))
        hidden = functional.silu(down @ text[:, :, None])
        query = functional.layer_norm((up @ hidden).squeeze(2), (text.shape[1],)) * scale + shift
        sources = query @ self.sources.amax(1).T
        target = (query * self.parameters["tokens"][owners].amax(1)).sum(1, keepdim=True)
        return functional.softmax(torch_module().cat([sources, target], 1) / self.temperature, 1)

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.attention(embeds, mask, owners)
        mixed = torch_module().einsum("ns,smd->nmd", weights[:, :-1], self.sources)
        target = self.parameters["tokens"][owners] * (1 + weights[:, -1, None, None])
        return (mixed + target).to(embeds.dtype), embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return nullcontext()
