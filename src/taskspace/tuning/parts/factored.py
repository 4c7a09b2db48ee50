"""MPT: one prompt for all tasks, and for each task a matrix of rank one that it is multiplied with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from taskspace.tuning.parts._rows import (
    Arrays,
    Floats,
    Rows,
    Seeds,
    copied,
    drawn,
    fitting,
    vocabulary_rows,
)

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor


class Factored(Rows):
    """K prompts P_k = P* ∘ (u_k v_kᵀ) with one P* that all rows train (Wang et al. 2023, MPT).

    That is the stage of the source tasks, ``prompt`` float32[m, d]; given one for each row, float32[K, m, d], every
    row trains its own, as target tasks do.

    A row's state: its ``u`` float32[m] and ``v`` float32[d], its ``prompt`` float32[m, d], and ``tokens``
    float32[m, d], the product.  ``rate`` is the learning rate of u and v over that of P*: the paper says that
    target tasks are tuned at two speeds; 1 is plain.
    """

    def __init__(self, backbone: Frozen, prompt: Floats, factors: Arrays, *, rate: float = 1.0) -> None:
        own = np.ndim(prompt) == 3
        prompt = fitting(prompt if own else np.asarray(prompt)[None], (None, None, backbone.width), "prompt")
        u = fitting(factors.get("u"), (len(prompt) if own else None, prompt.shape[1]), "u")
        v = fitting(factors.get("v"), (len(u), backbone.width), "v")
        mine: dict[str, Floats] = {"prompt": prompt} if own else {}
        ours: dict[str, Floats] = {} if own else {"prompt": prompt}
        super().__init__({"u": u, "v": v, **mine}, backbone.device, shared=ours, rates={"u": rate, "v": rate})

    @classmethod
    def start(
        cls,
        backbone: Frozen,
        rows: int,
        length: int = 100,
        *,
        prompt: Floats | None = None,
        noise: float = 0.02,
        rate: float = 1.0,
        seed: Seeds = 0,
    ) -> Factored:
        """From ``prompt``, or embeddings of drawn tokens (of the first seed, if there are many), and u, v near 1.

        1 + N(0, ``noise``²) is ours: the paper leaves it open, and factors drawn about 0 make prompts that are
        thousands of times shorter than any embedding.
        """
        if prompt is None:
            first = seed[0] if isinstance(seed, Sequence) else seed
            prompt = vocabulary_rows(backbone, length, np.random.default_rng(first))
        tall, wide = prompt.shape

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            near = (1 + noise * rng.standard_normal(tall + wide)).astype(np.float32)
            return {"u": near[:tall], "v": near[tall:]}

        return cls(backbone, prompt, drawn(rows, seed, draw), rate=rate)

    def prompts(self) -> Floats:
        """float32[K, m, d]: every row's prompt as a plain one."""
        return copied(self._prompts(slice(None)))

    def state(self, row: int) -> dict[str, Floats]:
        return super().state(row) | {"tokens": copied(self._prompts(slice(row, row + 1))[0])}

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return self._prompts(owners).to(embeds.dtype), embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return nullcontext()

    def _prompts(self, rows: Tensor | slice) -> Tensor:
        u, v = self.parameters["u"][rows], self.parameters["v"][rows]
        prompt = self.shared["prompt"] if self.shared else self.parameters["prompt"][rows]
        return prompt * u[:, :, None] * v[:, None, :]
