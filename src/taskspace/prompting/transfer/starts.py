"""Starts: methods whose whole work is to say which prompt a new task is tuned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.soft.combine import average, ties, total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.prompting.soft import PromptVector
    from taskspace.prompting.transfer._sources import Sources


def random(sources: Sources, scale: float) -> SoftPrompt:
    """The init as it is: prompt tuning without transfer."""
    return sources.init


def single(sources: Sources, scale: float) -> SoftPrompt:
    """The prompt of one source task (Vu et al. 2022, SPoT); which one is the caller's choice, so one must be given."""
    first, *others = sources.require_prompts("single")
    if others:
        names = ", ".join(prompt.name for prompt in [first, *others][:4])
        raise PromptError(f"method 'single' got several source prompts ({names}); give the one to start from")
    return first


def spot(sources: Sources, scale: float) -> SoftPrompt:
    """One prompt tuned on the mixture of the source tasks (Vu et al. 2022, SPoT)."""
    if sources.mixture is None:
        raise PromptError("method 'spot' got no prompt tuned on the sources' mixture; give one, or use 'retrieved'")
    return sources.mixture


def tpv(sources: Sources, scale: float) -> SoftPrompt:
    """The init plus ``scale`` times the sum of the sources' vectors (Task Prompt Vectors, section 3)."""
    return total(_vectors("tpv", sources)).apply(sources.init, scale)


def averaged(sources: Sources, scale: float) -> SoftPrompt:
    """The init plus ``scale`` times the mean of the sources' vectors."""
    return average(_vectors("average", sources)).apply(sources.init, scale)


def elected(sources: Sources, scale: float) -> SoftPrompt:
    """The init plus ``scale`` times the TIES merge of the sources' vectors (Yadav et al. 2023)."""
    return ties(_vectors("ties", sources)).apply(sources.init, scale)


STARTS: dict[str, Callable[[Sources, float], SoftPrompt]] = {
    "random": random,
    "single": single,
    "spot": spot,
    "tpv": tpv,
    "average": averaged,
    "ties": elected,
}


def retrieved(target: SoftPrompt, prompts: Sequence[SoftPrompt], k: int = 1) -> SoftPrompt:
    """SPoT's retrieval: the mean of the ``k`` source prompts most like ``target``, weighted by their likeness.

    ``target`` is a prompt tuned on the new task for a few steps; likeness is the cosine of the mean tokens, and what
    points away counts nothing (Vu et al. 2022, section 5; the weights as we read them).
    """
    from taskspace.prompting.likeness import rank_prompts

    if not 1 <= k <= len(prompts):
        raise PromptError(f"k={k} of {len(prompts)} source prompts cannot be taken; give k between 1 and their number")
    hits = list(rank_prompts(target, prompts, measure="pooled"))[:k]
    if len(hits) < k:
        raise PromptError(f"{len(hits)} of the source prompts are not the target's own, fewer than k={k}; give more")
    known = {prompt.fingerprint: prompt for prompt in prompts}
    chosen = [known[hit.content] for hit in hits]
    if k == 1:
        return chosen[0]
    weights = np.maximum([hit.score for hit in hits], 0.0)
    shares = weights / weights.sum() if weights.any() else np.full(k, 1 / k)
    tokens = np.einsum("k,kmd->md", shares, np.stack([prompt.tokens for prompt in chosen]).astype(np.float64))
    tasks = tuple(dict.fromkeys(task for prompt in chosen for task in prompt.tasks))
    made = {"retrieved": {prompt.name: float(share) for prompt, share in zip(chosen, shares, strict=True)}}
    return SoftPrompt(tokens.astype(np.float32), chosen[0].backbone, target.name, tasks=tasks, provenance=made)


def _vectors(method: str, sources: Sources) -> list[PromptVector]:
    return [prompt.vector for prompt in sources.require_prompts(method)]
