"""A signal: one number per source, read off before anything is tried."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from taskspace.ranking.signals.question import Question

Need: TypeAlias = Literal[
    "embeddings", "target texts", "target labels", "source texts", "source model", "source map", "transfers",
    "language model", "nothing",
]  # fmt: skip
Passes: TypeAlias = Literal["none", "target once", "target per source", "both per source"]


@dataclass(frozen=True)
class Signal:
    """``read`` gives float64[n], higher is better, NaN for a source of which it cannot tell.

    ``needs`` is what has to be known, ``passes`` which texts go through a model for it when no features are kept.
    ``read`` raises :class:`DataError` when it can tell of no source at all, naming what it lacks.  ``usual`` is what it
    counts in an answer, against gains in standard deviations, as long as no measured transfer says otherwise.
    """

    name: str
    about: str
    needs: tuple[Need, ...]
    passes: Passes
    read: Callable[[Question], NDArray[np.float64]]
    usual: float = 0.1


@dataclass(frozen=True, eq=False)
class Reading:
    """What a signal said: ``scores`` float64[n] and the ``seconds`` it took with features at hand."""

    signal: Signal
    scores: NDArray[np.float64]
    seconds: float

    @property
    def name(self) -> str:
        return self.signal.name

    @property
    def tells(self) -> bool:
        """Whether it orders anything: at least two sources, and not all alike."""
        known = self.scores[~np.isnan(self.scores)]
        return len(known) > 1 and float(np.ptp(known)) > 0


def take(signal: Signal, question: Question) -> Reading:
    """Read one signal and the clock; infinities count as unknown."""
    began = time.perf_counter()
    scores = np.asarray(signal.read(question), dtype=np.float64)
    seconds = time.perf_counter() - began
    return Reading(signal, np.where(np.isfinite(scores), scores, np.nan), seconds)
