"""The table of divergences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking.divergences import clouds, compression, distances, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

View: TypeAlias = Literal["texts", "terms", "features"]
"""A list of strings; :class:`Terms`, counted once per corpus; a table float[n, d], one row per text."""


@dataclass(frozen=True)
class Divergence:
    """How far a source is from a target: LOWER is nearer, 0 or about 0 is the same corpus.

    ``function`` takes the target's view, then the source's, of the kind that ``of`` says.  Where ``symmetric``, the
    two may change places.
    """

    name: str
    about: str
    of: View
    function: Callable[..., float]
    symmetric: bool = True

    def __call__(self, target: Any, source: Any, **settings: Any) -> float:
        return self.function(target, source, **settings)


def divergence_named(name: str) -> Divergence:
    """The divergence of that name, or :class:`SettingError`."""
    if name not in DIVERGENCES:
        raise SettingError(f"there is no divergence {name!r}{did_you_mean(name, DIVERGENCES)}")
    return DIVERGENCES[name]


_ALL = (
    Divergence("kl", "Kullback-Leibler, target against source; nats, 0 to ∞", "terms", terms.kl, symmetric=False),
    Divergence("renyi", "Rényi of order 0.99, target against source; nats, 0 to ∞", "terms", terms.renyi, False),
    Divergence("jensen_shannon", "Jensen-Shannon; bits, 0 to 1", "terms", terms.jensen_shannon),
    Divergence("bhattacharyya", "Bhattacharyya; nats, 0 to ∞", "terms", terms.bhattacharyya),
    Divergence("hellinger", "Hellinger; 0 to 1", "terms", terms.hellinger),
    Divergence("term_cosine", "1 - cosine of the counts; 0 to 1", "terms", terms.term_cosine),
    Divergence("vocabulary_overlap", "1 - Jaccard of the terms that occur; 0 to 1", "terms", terms.vocabulary_overlap),
    Divergence("frechet", "Fréchet, of Gaussians with the same moments; 0 to ∞", "features", clouds.frechet),
    Divergence("mmd", "squared MMD, unbiased, Gaussian kernel; about 0 to 2", "features", distances.mmd),
    Divergence("energy", "energy distance; 0 to ∞", "features", distances.energy),
    Divergence(
        "sliced_wasserstein", "1-Wasserstein, mean over 200 directions; 0 to ∞", "features", clouds.sliced_wasserstein
    ),
    Divergence("coral", "squared difference of the covariances; 0 to ∞", "features", clouds.coral),
    Divergence("proxy_a", "how well a line tells the two apart; 0 to 2", "features", clouds.proxy_a),
    Divergence("gzip", "compression distance (NCD) of pieces; about 0 to 1", "texts", compression.corpus_distance),
)

DIVERGENCES: Mapping[str, Divergence] = {divergence.name: divergence for divergence in _ALL}
"""Every divergence of two corpora, by name.  Lower is nearer in all of them."""
