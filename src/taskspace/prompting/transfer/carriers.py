"""Carriers: methods that tune something else than one plain prompt on the new task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.prompting.transfer._sources import Sources
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.parts._head import Head
    from taskspace.tuning.parts._part import Part


def attempt(backbone: Backbone, sources: Sequence[Sources], outputs: Sequence[int], seed: int) -> tuple[Part, None]:
    """A mixture of frozen source prompts, attended to anew for each text, beside a tuned one (Asai et al. 2022).

    All rows of one bank share their sources; each starts from its own init.
    """
    from taskspace.tuning.parts import Mixture

    frozen = _one_set(sources)
    inits = np.stack([each.init.tokens for each in sources])
    arrays = Mixture.start(backbone, frozen, len(sources), tokens=inits[0], seed=seed)
    for row, init in enumerate(inits):
        arrays.load(row, arrays.state(row) | {"tokens": init})
    return arrays, None


def mpt(backbone: Backbone, sources: Sequence[Sources], outputs: Sequence[int], seed: int) -> tuple[Part, None]:
    """MPT's second stage: from P* and the mean of the sources' factors, both tuned (Wang et al. 2023)."""
    from taskspace.tuning.parts import Factored

    stages = [each.multitask for each in sources]
    known = [stage for stage in stages if stage is not None]
    if len(known) < len(stages):
        raise PromptError("method 'mpt' got no multitask prompt; make one with multitask_prompt(...) first")
    prompts = np.stack([stage.prompt for stage in known])
    factors = {"u": np.stack([stage.u.mean(0) for stage in known]), "v": np.stack([stage.v.mean(0) for stage in known])}
    return Factored(backbone, prompts, factors), None


def dept(backbone: Backbone, sources: Sequence[Sources], outputs: Sequence[int], seed: int) -> tuple[Part, None]:
    """A shorter prompt and a low-rank update of the text's embeddings (Shi and Lipani 2024, DePT).

    As many parameters as the plain prompt has: the first 60 % of the init's tokens, and a rank that pays for the rest.
    """
    from taskspace.tuning.parts import Decomposed

    length, width = sources[0].init.tokens.shape
    short = max(1, round(0.6 * length))
    rank = max(1, (length - short) * width // (PLACES + width))
    part = Decomposed.start(backbone, len(sources), short, rank=rank, max_length=PLACES, seed=seed)
    for row, each in enumerate(sources):
        part.load(row, part.state(row) | {"tokens": each.init.tokens[:short]})
    return part, None


PLACES = 256
"""Tokens of a text that DePT's update can reach."""


def ptuning2(backbone: Backbone, sources: Sequence[Sources], outputs: Sequence[int], seed: int) -> tuple[Part, Head]:
    """Keys and values in front of every layer, and a trained head instead of label words (Liu et al. 2022).

    There is no init to start from: row k draws its own, by ``seed + k``.
    """
    from taskspace.tuning.parts import Head, Prefixes

    seeds = [seed + row for row in range(len(sources))]
    part = Prefixes.start(backbone, len(sources), sources[0].init.length, seed=seeds)
    return part, Head(len(sources), outputs, backbone.features, seed=seed, device=backbone.device)


CARRIERS: dict[str, Callable[[Backbone, Sequence[Sources], Sequence[int], int], tuple[Any, Any]]] = {
    "attempt": attempt,
    "mpt": mpt,
    "dept": dept,
    "ptuning2": ptuning2,
}


def _one_set(sources: Sequence[Sources]) -> Any:
    """float32[S, m, d]: the source prompts, which must be the same for all rows."""
    sets = [tuple(prompt.fingerprint for prompt in each.require_prompts("attempt", 2)) for each in sources]
    if len(set(sets)) > 1:
        raise PromptError("the rows of one ATTEMPT bank have different sources; make one bank for each set of sources")
    return np.stack([prompt.tokens for prompt in sources[0].prompts])
