"""Order source prompts for a target prompt."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.likeness._measures import measure_named
from taskspace.prompting.likeness._transfers import by_target, known_transfers, source_prior
from taskspace.prompting.soft import same_backbone
from taskspace.ranking import Hit, Ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.likeness._measures import Measure
    from taskspace.prompting.likeness._transfers import Measured
    from taskspace.prompting.soft import SoftPrompt

Compared: TypeAlias = Literal["prompts", "vectors"]


def rank_prompts(
    target: SoftPrompt,
    sources: Sequence[SoftPrompt],
    *,
    measure: str | Measure = "pooled",
    compare: Compared = "prompts",
    prior: Mapping[str, float] | None = None,
    transfers: Iterable[Measured] | None = None,
) -> Ranking:
    """Order ``sources`` by how well each may start a prompt for the target, as a measure of :data:`MEASURES` has it.

    ``compare="vectors"`` takes what tuning added in place of the prompts.  ``prior`` says by name what a source is
    worth whatever the target, ``transfers`` what was measured so far (under a source's name or that of its
    one task; rows to the target itself and to its tasks are never read); a
    prior that is not given is made of them.  The target itself, by name or content, is left out; ties go by
    name; the notes tell both.

    Raises :class:`SettingError` for an unknown measure and for a prior or transfers that it would not use,
    :class:`PromptError` for prompts of another backbone, width or (measures token by token) length, and for
    vectors of prompts whose init is unknown, and for transfers of which none is of a source.
    """
    chosen = measure_named(measure)
    _require_used(chosen, prior, transfers)
    kept = [s for s in sources if s.name != target.name and s.fingerprint != target.fingerprint]
    for source in kept:
        _require_same_backbone(target, source)
    names = [source.name for source in kept]
    scores = None if transfers is None else _foreign(transfers, target)
    called = names if scores is None else _called(kept, scores)
    worth = None if prior is None else _worth(prior, names)
    if worth is None and scores is not None:
        worth = source_prior(scores, target.name, called)
    known = None if scores is None else known_transfers(scores, target.name, called)
    tables = [_table(prompt, compare) for prompt in (target, *kept)]
    shown = [repr(name) for name in names]
    values = chosen(tables[0], tables[1:], names=shown, prior=worth, known=known).tolist()
    order = sorted(range(len(kept)), key=lambda i: (-values[i], names[i]))
    hits = tuple(_hit(kept[i], values[i], place) for place, i in enumerate(order, 1))
    left_out = sorted({s.name for s in sources} - set(names))
    said = f"{chosen.about}, of {compare}; an order, not a predicted gain"
    return Ranking(target.name, hits, said, _notes(left_out, hits))


def _table(prompt: SoftPrompt, compare: Compared) -> NDArray[np.float32]:
    if compare not in ("prompts", "vectors"):
        raise SettingError(f"compare={compare!r} is not known; say 'prompts' or 'vectors'")
    return prompt.vector.values if compare == "vectors" else prompt.tokens


def _hit(prompt: SoftPrompt, score: float, place: int) -> Hit:
    return Hit(prompt.name, "prompt", score, prompt.provenance, prompt.fingerprint, place)


def _require_used(measure: Measure, prior: Mapping[str, float] | None, transfers: Iterable[Measured] | None) -> None:
    if prior is not None and "prior" not in measure.needs:
        raise SettingError(f"the measure ({measure.about}) uses no prior; leave it out, or take 'pooled_and_prior'")
    if transfers is not None and not {"prior", "transfers"} & set(measure.needs):
        raise SettingError(
            f"the measure ({measure.about}) uses no transfers; leave them out, or take 'pooled_and_neighbours'"
        )


def _require_same_backbone(target: SoftPrompt, source: SoftPrompt) -> None:
    if target.layout != source.layout:
        raise PromptError(
            f"{source.name!r} holds {source.layout} rows and {target.name!r} {target.layout} rows; "
            "compare like with like"
        )
    if not same_backbone(target.backbone, source.backbone):
        of = [prompt.backbone.name if prompt.backbone else "an unknown one" for prompt in (source, target)]
        raise PromptError(
            f"{source.name!r} was tuned on {of[0]} and {target.name!r} on {of[1]}, whose embeddings are not known "
            "to be the same; compare prompts of one backbone only"
        )


def _foreign(transfers: Iterable[Measured], target: SoftPrompt) -> dict[str, dict[str, float]]:
    """Scores by target and source, without those on the target itself, by its name or its tasks."""
    own = {target.name, *target.tasks}
    return by_target(row for row in transfers if row.target not in own)


def _called(sources: Sequence[SoftPrompt], scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What the transfers call each source: its name, else its one task.

    Raises :class:`PromptError` where they know none of them, since all would be worth the same then.
    """
    known = set(scores).union(*scores.values())
    called = [s.tasks[0] if s.name not in known and len(s.tasks) == 1 else s.name for s in sources]
    if called and not known & set(called):
        raise PromptError(
            f"the transfers to other tasks than the target's say nothing of {called[0]!r} or any other source; name the"
            " sources as the transfers do"
        )
    return called


def _worth(prior: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    missing = [name for name in names if name not in prior]
    if missing:
        raise PromptError(f"the prior says nothing of {missing[0]!r}; give one number for each source")
    return np.array([prior[name] for name in names], dtype=np.float64)


def _notes(left_out: Sequence[str], hits: Sequence[Hit]) -> tuple[str, ...]:
    notes = [f"left out as the target itself: {', '.join(map(repr, left_out))}"] if left_out else []
    for score, group in groupby(hits, key=lambda hit: hit.score):
        names = [repr(hit.name) for hit in group]
        if len(names) > 1:
            notes.append(f"tie at {score:.4f}, ordered by name: {', '.join(names)}")
    return tuple(notes)
