"""Divergences of term distributions: which words, and pairs of words, two corpora use and how often.

The views and the divergences of *Divergence-Based Domain Transferability for Zero-Shot Classification*; the settings
are ours.  Lower is nearer, 0 is the same distribution.  With q the target's and p the source's distribution, ``kl``
and ``renyi`` are of the target against the source: terms of the target that the source lacks weigh most.  The other
ones are symmetric.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences.samples import canonical_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BUCKETS = 2**16
EPSILON = 0.01
"""Occurrences added to every term of the two corpora where a zero would make the divergence infinite."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class Terms:
    """How often each term occurs in a corpus: ``counts`` float64[buckets], a term's bucket being its hash.

    Raises :class:`DataError` when there is nothing to make a distribution of.
    """

    counts: NDArray[np.float64]

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=np.float64)
        if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any() or not counts.any():
            raise DataError(f"counts of shape {counts.shape} are no distribution; count texts that have words")
        counts.setflags(write=False)
        object.__setattr__(self, "counts", counts)


def terms_of(texts: Iterable[str], *, buckets: int = BUCKETS) -> Terms:
    """Count the lower-case words of ``texts`` and the pairs of neighbours inside each text.

    The hash is CRC-32, the same in every process.  A corpus of some thousand texts has more terms than buckets, and
    those that share one count as one: more buckets keep them apart, and both corpora need as many.

    Raises :class:`DataError` when no text has a word, :class:`SettingError` for fewer than 2 buckets.
    """
    if buckets < 2:
        raise SettingError(f"buckets is {buckets}; take 2 at least, {BUCKETS} is usual")
    given = canonical_texts(texts)
    found: Counter[str] = Counter()
    for text in given:
        words = _WORD.findall(text.lower())
        found.update(words)
        found.update(f"{left} {right}" for left, right in pairwise(words))
    if not found:
        raise DataError(f"none of {len(given)} texts has a word; give texts with words")
    places = [crc32(term.encode("utf-8", "surrogatepass")) % buckets for term in found]
    weights = np.array(list(found.values()), dtype=np.float64)
    return Terms(np.bincount(places, weights, minlength=buckets).astype(np.float64))


def kl(target: Terms, source: Terms, *, epsilon: float = EPSILON) -> float:
    """Kullback-Leibler divergence Σ q log(q / p) of the target against the source, in nats; smoothed."""
    q, p = _smoothed(target, source, epsilon)
    return _positive(float(q @ np.log(q / p)))


def renyi(target: Terms, source: Terms, *, alpha: float = 0.99, epsilon: float = EPSILON) -> float:
    """Rényi divergence log(Σ q^α p^(1-α)) / (α - 1) of the target against the source, in nats; smoothed.

    Near ``alpha`` 1 it is the Kullback-Leibler divergence, at 1/2 twice the Bhattacharyya distance.
    Raises :class:`SettingError` for an alpha outside 0 < alpha <= 1.
    """
    if not 0 < alpha <= 1:
        raise SettingError(f"alpha is {alpha:g}; take more than 0 and at most 1, which is KL")
    if alpha == 1:
        return kl(target, source, epsilon=epsilon)
    q, p = _smoothed(target, source, epsilon)
    # Σ q^α p^(1-α) - 1, small near alpha 1, without cancellation.
    short = float(q @ np.expm1((1 - alpha) * np.log(p / q)))
    return _positive(math.log1p(short) / (alpha - 1))


def bhattacharyya(target: Terms, source: Terms, *, epsilon: float = EPSILON) -> float:
    """-log Σ √(q p), in nats; smoothed."""
    return _positive(-math.log1p(-_squared_hellinger(*_smoothed(target, source, epsilon))))


def jensen_shannon(target: Terms, source: Terms) -> float:
    """Jensen-Shannon divergence in bits: 0 to 1, which is no term in common.  Its root is a metric."""
    q, p = _distributions(target, source)
    middle = (q + p) / 2
    both = (_surprise(q, middle) + _surprise(p, middle)) / 2
    return min(_positive(both), 1.0)


def hellinger(target: Terms, source: Terms) -> float:
    """√(½ Σ (√q - √p)²), a metric: 0 to 1, which is no term in common."""
    return min(math.sqrt(_squared_hellinger(*_distributions(target, source))), 1.0)


def term_cosine(target: Terms, source: Terms) -> float:
    """1 minus the cosine of the counts: 0 to 1, which is no term in common."""
    q, p = _distributions(target, source)
    gap = q / np.linalg.norm(q) - p / np.linalg.norm(p)
    return min(float(gap @ gap) / 2, 1.0)


def vocabulary_overlap(target: Terms, source: Terms) -> float:
    """1 minus the share of terms that both have among those that either has (Jaccard): 0 to 1."""
    q, p = _distributions(target, source)
    return 1 - float(np.mean((q > 0) & (p > 0)))


def _distributions(target: Terms, source: Terms, epsilon: float = 0.0) -> tuple[NDArray[np.float64], ...]:
    """Two distributions over the terms that either corpus has."""
    sizes = len(target.counts), len(source.counts)
    if sizes[0] != sizes[1]:
        raise DataError(f"terms in {sizes[0]} and in {sizes[1]} buckets do not compare; count both alike")
    shared = (target.counts > 0) | (source.counts > 0)
    counts = [terms.counts[shared] + epsilon for terms in (target, source)]
    return tuple(each / each.sum() for each in counts)


def _smoothed(target: Terms, source: Terms, epsilon: float) -> tuple[NDArray[np.float64], ...]:
    if not 0 < epsilon < np.inf:
        raise SettingError(f"epsilon is {epsilon:g}; take a positive number such as {EPSILON}")
    return _distributions(target, source, epsilon)


def _squared_hellinger(q: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    gap = np.sqrt(q) - np.sqrt(p)
    return float(gap @ gap) / 2


def _surprise(q: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    """Σ q log2(q / p) over q > 0, in bits."""
    there = q > 0
    return float(q[there] @ np.log2(q[there] / p[there]))


def _positive(value: float) -> float:
    """What rounding made negative is 0, and -0.0 too."""
    return max(value, 0.0) + 0.0
