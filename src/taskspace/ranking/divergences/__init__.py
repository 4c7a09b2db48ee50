"""How far apart two corpora are, from their texts, their terms or their features, without labels: lower is nearer."""

from __future__ import annotations

from taskspace.ranking.divergences._table import DIVERGENCES, Divergence, View, divergence_named
from taskspace.ranking.divergences.clouds import coral, frechet, proxy_a, sliced_wasserstein
from taskspace.ranking.divergences.compression import alignment, corpus_distance, ncd
from taskspace.ranking.divergences.distances import energy, mmd
from taskspace.ranking.divergences.samples import equal_rows, equal_samples
from taskspace.ranking.divergences.terms import (
    Terms,
    bhattacharyya,
    hellinger,
    jensen_shannon,
    kl,
    renyi,
    term_cosine,
    terms_of,
    vocabulary_overlap,
)

__all__ = [
    "DIVERGENCES",
    "Divergence",
    "Terms",
    "View",
    "alignment",
    "bhattacharyya",
    "coral",
    "corpus_distance",
    "divergence_named",
    "energy",
    "equal_rows",
    "equal_samples",
    "frechet",
    "hellinger",
    "jensen_shannon",
    "kl",
    "mmd",
    "ncd",
    "proxy_a",
    "renyi",
    "sliced_wasserstein",
    "term_cosine",
    "terms_of",
    "vocabulary_overlap",
]
