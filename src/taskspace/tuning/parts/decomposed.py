"""DePT: a short prompt and a low-rank update of the text's own embeddings."""

from __future__ import annotations

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
    drawn,
    fitting,
    uniform,
    vocabulary_rows,
)

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor


class Decomposed(Rows):
    """K short prompts with E'(x) = E(x) + s·A[:L]·B, s = 8/√r (Shi and Lipani 2024, DePT).

    A row's state: ``tokens`` float32[m, d], ``A`` float32[max_length, r], ``B`` float32[r, d].  A goes by the
    token's place in the text, so that a text of L tokens uses its first L rows (the authors pad to max_length
    instead).  The default is as large as a prompt of 100 tokens on a backbone 768 wide.

    The paper searches two learning rates for every task (0.3 to 0.5 for the prompt, 1e-4 to 5e-1 for A and B) and
    fixes no ratio; ``rate``, that of A and B over the prompt's, is 1/300 by default (ours).
    """

    def __init__(self, backbone: Frozen, arrays: Arrays, *, rate: float = 1 / 300) -> None:
        tokens = fitting(arrays.get("tokens"), (None, None, backbone.width), "tokens")
        left = fitting(arrays.get("A"), (len(tokens), None, None), "A")
        right = fitting(arrays.get("B"), (len(tokens), left.shape[2], backbone.width), "B")
        self.scale = 8 / left.shape[2] ** 0.5
        super().__init__({"tokens": tokens, "A": left, "B": right}, backbone.device, rates={"A": rate, "B": rate})

    @classmethod
    def start(
        cls,
        backbone: Frozen,
        rows: int,
        length: int = 60,
        *,
        rank: int = 30,
        max_length: int = 256,
        rate: float = 1 / 300,
        seed: Seeds = 0,
    ) -> Decomposed:
        """From embeddings of drawn tokens, A uniform, and B zero: the text is read as it is."""
        at_least_one(rank=rank, max_length=max_length)

        def draw(rng: np.random.Generator) -> dict[str, Floats]:
            return {
                "tokens": vocabulary_rows(backbone, length, rng),
                "A": uniform(rng, max_length, rank, inputs=rank).astype(np.float32),
                "B": np.zeros((rank, backbone.width), np.float32),
            }

        return cls(backbone, drawn(rows, seed, draw), rate=rate)

    @property
    def settings(self) -> dict[str, Any]:
        return super().settings | {"scale": self.scale}

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        places, tokens = self.parameters["A"].shape[1], embeds.shape[1]
        if tokens > places:
            raise SettingError(f"a text has {tokens} tokens and A has {places} places; say max_length={tokens} or more")
        update = self.parameters["A"][owners][:, :tokens] @ self.parameters["B"][owners]
        return self.parameters["tokens"][owners].to(embeds.dtype), embeds + (self.scale * update).to(embeds.dtype)

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return nullcontext()
