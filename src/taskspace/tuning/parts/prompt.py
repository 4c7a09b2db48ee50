"""Soft prompts: tuned tokens in front of the text."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from taskspace.tuning.parts._rows import Floats, Rows, Seeds, drawn, fitting, repeated, vocabulary_rows

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor


class Prompts(Rows):
    """K prompts of m tokens, float32[K, m, d] (Lester et al. 2021); a row's state is ``tokens`` float32[m, d]."""

    def __init__(self, backbone: Frozen, tokens: Floats) -> None:
        super().__init__({"tokens": fitting(tokens, (None, None, backbone.width), "tokens")}, backbone.device)

    @classmethod
    def start(cls, backbone: Frozen, rows: int, length: int = 100, *, seed: Seeds = 0) -> Prompts:
        """From embeddings of tokens drawn among the first 5,000 ids."""
        draws = drawn(rows, seed, lambda rng: {"tokens": vocabulary_rows(backbone, length, rng)})
        return cls(backbone, draws["tokens"])

    @classmethod
    def repeat(cls, backbone: Frozen, tokens: Floats, rows: int) -> Prompts:
        """K rows that all start from the one prompt float32[m, d]."""
        return cls(backbone, repeated(tokens, rows))

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return self.parameters["tokens"][owners].to(embeds.dtype), embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return nullcontext()
