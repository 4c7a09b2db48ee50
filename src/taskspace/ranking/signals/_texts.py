"""Signals that compare the target's texts with each source's: the nearer, the higher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.divergences import DIVERGENCES, equal_rows, equal_samples, terms_of
from taskspace.ranking.signals._signal import Signal
from taskspace.ranking.signals.question import stated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from taskspace.ranking.divergences import Divergence
    from taskspace.ranking.signals.question import Corpus, Question

_ROWS = 1000
"""Texts compared at most: divergences are biased by size, and more rows than that change little."""


def text_signals() -> list[Signal]:
    """Minus each divergence between the two corpora."""
    return [
        Signal(name, f"minus {d.about}", ("target texts", "source texts"), _PASSES[d.of], _reader(d))
        for name, d in DIVERGENCES.items()
    ]


_PASSES: dict[str, Any] = {"texts": "none", "terms": "none", "features": "target once"}


def _reader(divergence: Divergence) -> Callable[[Question], NDArray[np.float64]]:
    def read(question: Question) -> NDArray[np.float64]:
        target = stated(question.corpus, f"the texts of {question.target!r}")
        corpora = [source.corpus for source in question.sources]
        if all(corpus is None for corpus in corpora):
            raise DataError(f"none of {len(corpora)} sources has texts to compare; give their data, or another signal")
        sees = _seen_by(divergence)
        mine = [np.nan if c is None else -divergence.function(*sees(target, c, question.seed)) for c in corpora]
        return np.array(mine)

    return read


def _seen_by(divergence: Divergence) -> Callable[[Corpus, Corpus, int], Sequence[Any]]:
    """What of two corpora this divergence compares, as many rows of each."""
    if divergence.of == "features":
        return lambda a, b, seed: equal_rows(a.features, b.features, _ROWS, seed)
    if divergence.of == "terms":
        return lambda a, b, seed: [terms_of(texts) for texts in equal_samples(a.texts, b.texts, _ROWS, seed)]
    return lambda a, b, seed: equal_samples(a.texts, b.texts, _ROWS, seed)
