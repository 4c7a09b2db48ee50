"""Signals that compare the target's texts with each source's: the nearer, the higher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from taskspace.errors import DataError
from taskspace.ranking.divergences import DIVERGENCES, terms_of
from taskspace.ranking.divergences.samples import canonical_texts, clouds, thinned_texts
from taskspace.ranking.signals._models import per_source
from taskspace.ranking.signals._signal import Signal
from taskspace.ranking.signals.question import stated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.ranking.divergences import Divergence, Terms
    from taskspace.ranking.signals.question import Corpus, Question, Source

_ROWS = 1000
"""Texts compared at most: more rows than that change little."""
_FEWEST = 100
"""Texts below which a source is not compared, if the target has as many: else one tiny source would blur all others."""


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
        size, view = _common_size(target, question.sources), _VIEWS[divergence.of]
        mine = view(target, size, question.seed)

        def nearness(source: Source) -> float | None:
            if source.corpus is None or len(source.corpus.task) < size:
                return None
            return -divergence.function(mine, view(source.corpus, size, question.seed))

        return per_source(question, nearness, "no source has texts that compare; give their data, or another signal")

    return read


def _common_size(target: Corpus, sources: Sequence[Source]) -> int:
    """Rows that are drawn from the target and from every source alike: as many as the smallest corpus has.

    A divergence of samples grows as they shrink, so sizes that differ would order sources by size.  A source with fewer
    rows than the target and than :data:`_FEWEST` does not count here, and is not compared.
    """
    rows = [len(source.corpus.task) for source in sources if source.corpus is not None]
    if not rows:
        raise DataError(f"none of {len(sources)} sources has texts to compare; give their data, or another signal")
    least = min(_FEWEST, len(target.task))
    enough = [count for count in rows if count >= least]
    if not enough:
        raise DataError(f"no source has {least} texts, the largest {max(rows)}; give more of them, or another signal")
    return min(_ROWS, len(target.task), *enough)


def _texts(corpus: Corpus, size: int, seed: int) -> list[str]:
    return thinned_texts(canonical_texts(corpus.texts), size, seed)


def _features(corpus: Corpus, size: int, seed: int) -> NDArray[np.float64]:
    return clouds(corpus.features, corpus.features[:1], size, seed)[0]


_COUNTED: WeakKeyDictionary[Corpus, tuple[tuple[int, int], Terms]] = WeakKeyDictionary()
"""The last count of each corpus, by size and seed: seven divergences read the same one."""


def _terms(corpus: Corpus, size: int, seed: int) -> Terms:
    drawn, counted = _COUNTED.get(corpus, (None, None))
    if counted is None or drawn != (size, seed):
        counted = terms_of(_texts(corpus, size, seed))
        _COUNTED[corpus] = (size, seed), counted
    return counted


_VIEWS: Mapping[str, Callable[[Corpus, int, int], Any]] = {"texts": _texts, "terms": _terms, "features": _features}
"""What a divergence sees of a corpus: so many of its rows, by seed."""
