"""The table of measures, and what each needs to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import PromptError, SettingError, did_you_mean
from taskspace.prompting.likeness import _experience as experience
from taskspace.prompting.likeness import _tokens as tokens
from taskspace.prompting.likeness import _vectors as vectors
from taskspace.prompting.likeness._query import query
from taskspace.ranking.fusion import fuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from taskspace.prompting.likeness._query import Query, Rule

Need: TypeAlias = Literal["company", "length", "prior", "transfers"]
"""All sources at once, and two at least; prompts of one length; a worth per source; measured transfers."""

_DECIMALS = 12
"""Sums of the same numbers may differ beyond these with the order of adding; what agrees to here is a tie."""


@dataclass(frozen=True)
class Measure:
    """How sources are scored for a target, higher is preferred; ``source`` says whose it is."""

    rule: Rule
    about: str
    source: str = "ours"
    needs: tuple[Need, ...] = ()

    def __call__(
        self,
        target: ArrayLike,
        sources: Sequence[ArrayLike],
        *,
        names: Sequence[str] | None = None,
        prior: ArrayLike | None = None,
        known: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Scores float64[n] of ``sources``, each float32[m_s, d], for ``target`` float32[m, d].

        ``prior`` and ``known`` as :class:`Query` has them.  Raises :class:`PromptError` for prompts of another width,
        of another length where the measure needs one, and where something needed is missing.
        """
        asked = query(target, sources, names=names, prior=prior, known=known)
        for need in self.needs:
            _REQUIRE[need](asked)
        if not len(asked):
            return np.zeros(0)
        return np.round(self.rule(asked), _DECIMALS) + 0.0


def measure_named(name: str | Measure) -> Measure:
    """The measure of that name, or :class:`SettingError`; a measure is its own name."""
    if isinstance(name, Measure):
        return name
    if name not in MEASURES:
        raise SettingError(f"there is no measure {name!r}{did_you_mean(name, MEASURES)}")
    return MEASURES[name]


def _require_company(asked: Query) -> None:
    if len(asked) < 2:
        raise PromptError(
            f"the measure looks at all sources together and there {'is 1' if len(asked) else 'are none'}; "
            "give two at least, or take 'pooled'"
        )


def _require_length(asked: Query) -> None:
    for name, source in zip(asked.names, asked.sources, strict=True):
        if len(source) != len(asked.target):
            raise PromptError(
                f"{name} has {len(source)} tokens and the target {len(asked.target)}, "
                "and the measure goes token by token; take one that pools, such as 'pooled'"
            )


def _require_prior(asked: Query) -> None:
    if asked.prior is None:
        raise PromptError("the measure needs what each source is worth elsewhere; give a prior or measured transfers")


def _require_transfers(asked: Query) -> None:
    if asked.known is None:
        raise PromptError("the measure needs how sources did on other tasks; give measured transfers")


_REQUIRE: Mapping[Need, Callable[[Query], None]] = {
    "company": _require_company,
    "length": _require_length,
    "prior": _require_prior,
    "transfers": _require_transfers,
}


def _fused(asked: Query) -> NDArray[np.float64]:
    """Reciprocal ranks of three readings: the mean token, the nearest tokens, the directions taken."""
    parts = (vectors.pooled_cosine, _second_moment, tokens.pairwise(tokens.best_matches))
    return fuse(np.round(np.stack([part(asked) for part in parts], axis=1), _DECIMALS), "rrf")


_second_moment = tokens.pairwise(tokens.second_moment)
_VU, _LIN = "Vu et al. 2022 (SPoT)", "Lin et al. 2024"

MEASURES: Mapping[str, Measure] = {
    "pooled": Measure(vectors.pooled_cosine, "cosine of the mean tokens", _VU),
    "pooled_rows": Measure(
        partial(vectors.pooled_cosine, pool=vectors.mean_direction), "cosine of the mean of tokens brought to length 1"
    ),
    "max_pool": Measure(
        partial(vectors.pooled_cosine, pool=vectors.largest_entries), "cosine of the largest entries over tokens"
    ),
    "euclidean": Measure(vectors.negative_distance, "minus the distance of the mean tokens"),
    "norm_difference": Measure(vectors.norm_difference, "minus the difference of the log norms: no direction"),
    "source_norm": Measure(vectors.source_norm, "norm of the source: target-blind"),
    "all_pairs": Measure(tokens.pairwise(tokens.all_pairs), "mean cosine over all token pairs", _VU),
    "max": Measure(
        tokens.pairwise(tokens.best_matches), "mean over target tokens of the best source token's cosine", _LIN
    ),
    "matched": Measure(
        tokens.pairwise(tokens.matched), "mean cosine under the best one-to-one match of tokens", needs=("length",)
    ),
    "flat": Measure(tokens.pairwise(tokens.flat), "cosine over all entries, token by token", "TPV's code", ("length",)),
    "cka": Measure(
        tokens.pairwise(tokens.cka), "linear CKA, tokens as examples", "Kornblith et al. 2019", ("length",)
    ),
    "second_moment": Measure(_second_moment, "cosine of the second moments of tokens brought to length 1"),
    "subspace": Measure(tokens.pairwise(tokens.subspace), "overlap of the 10 leading directions"),
    "centred": Measure(vectors.centred_cosine, "pooled, at length 1, less the mean over prompts", needs=("company",)),
    "centred_raw": Measure(
        partial(vectors.in_company, change=vectors.centred, scale=np.asarray),
        "pooled, less the mean over prompts", needs=("company",),
    ),
    "scaled": Measure(
        partial(vectors.in_company, change=vectors.scaled),
        "pooled, each coordinate brought to one root mean square over prompts",
        "Timkey and van Schijndel 2021", ("company",),
    ),
    "without_top": Measure(
        partial(vectors.in_company, change=vectors.without_top), "pooled, less the first principal direction",
        "Mu and Viswanath 2018", ("company",),
    ),
    "top_components": Measure(
        partial(vectors.in_company, change=vectors.top_components),
        "pooled, on the principal directions that hold nine tenths of the energy", needs=("company",),
    ),
    "hubness": Measure(
        vectors.hubness_corrected, "pooled, less the likeness to the ten nearest (CSLS)", "Conneau et al. 2018",
        ("company",),
    ),
    "fused": Measure(_fused, "reciprocal ranks of pooled, max and second_moment", needs=("company",)),
    "prior": Measure(experience.prior_alone, "mean worth of the source elsewhere: target-blind", needs=("prior",)),
    "pooled_and_prior": Measure(
        experience.with_prior(vectors.pooled_cosine), "three parts pooled, one part prior", needs=("prior",)
    ),
    "pooled_and_neighbours": Measure(
        experience.with_neighbours(vectors.pooled_cosine), "pooled and neighbours in equal parts", needs=("transfers",)
    ),
    "neighbours": Measure(
        experience.neighbours(vectors.pooled_cosine), "worth for the tasks whose prompts are alike (pooled)",
        needs=("transfers",),
    ),
    "neighbours_centred": Measure(
        experience.neighbours(vectors.centred_cosine), "worth for the tasks whose prompts are alike (centred)",
        needs=("transfers", "company"),
    ),
    "neighbours_second_moment": Measure(
        experience.neighbours(_second_moment), "worth for the tasks whose prompts are alike (second_moment)",
        needs=("transfers",),
    ),
}  # fmt: skip
"""Every way to score source prompts for a target prompt, by name."""
