"""What a language model is asked, in tokens: a context, and strings that might follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Query:
    """``context`` token ids, and for each continuation its own; ids of special tokens are in place already.

    For an encoder-decoder the context goes to the encoder and the continuations to the decoder.
    """

    context: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Scored:
    """Log-probabilities in nats, summed over tokens: ``continuations`` float64[k], each given the context.

    ``context`` is that of the context's own tokens after the first (which nothing predicts), over
    ``context_tokens`` of them; ``None`` where it was not asked for, or cannot be had.
    """

    continuations: NDArray[np.float64]
    context: float | None = None
    context_tokens: int = 0
