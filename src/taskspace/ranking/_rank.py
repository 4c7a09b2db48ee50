"""Order candidates by nearness to a target; the one ordering that memory and the atlas share."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from taskspace.errors import SettingError
from taskspace.ranking._ranking import Hit, Ranking
from taskspace.ranking.fusion import fusion_named
from taskspace.ranking.similarity import block_cosines, centre_of, centred_cosines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.embedding import Kind, TaskEmbedding

_DECIMALS = 12
"""Sums of the same numbers may differ beyond these with the order of adding; what agrees to here is a tie."""

_MEANINGS = {
    "response": "cosine (linear CKA of the answer functions)",
    "fisher": "cosine of the Fisher diagonals",
    "text": "cosine of the mean text features",
    "tuned": "cosine of what tuning changed",
}


class Candidate(Protocol):
    """What ordering needs to know of an embedding besides its cosines."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def content(self) -> str: ...
    @property
    def informative(self) -> bool: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...


def rank(
    target: TaskEmbedding,
    candidates: Iterable[TaskEmbedding],
    *,
    k: int | None = None,
    fusion: str = "mean",
    include_self: bool = False,
    centre: bool = False,
) -> Ranking:
    """Order ``candidates`` by cosine with ``target``, the components combined by ``fusion`` ("mean" or "rrf").

    With ``centre`` the mean of the candidates that say something is taken off all vectors first: what all tasks have
    in common no longer counts.

    The target itself (same kind, and same content or name) is left out unless ``include_self``; what
    says nothing scores 0 and stands last; ties go by name.  The ranking's notes tell each of these.

    Raises :class:`SpaceMismatch` when a candidate lives elsewhere, :class:`SettingError` for an unknown
    fusion or a ``k`` below 1.
    """
    chosen = list(candidates)
    for candidate in chosen:
        target.space.require_same(candidate.space)
    if centre and chosen:
        vectors, telling = np.stack([c.vector for c in chosen]), np.array([c.informative for c in chosen])
        cosines = centred_cosines(target.vector, vectors, target.blocks, centre_of(vectors, telling))
        return order(target, chosen, cosines, k=k, fusion=fusion, include_self=include_self, centred=int(telling.sum()))
    rows = [block_cosines(target.vector, candidate.vector[None], target.blocks) for candidate in chosen]
    cosines = np.concatenate(rows) if rows else np.zeros((0, len(target.blocks)))
    return order(target, chosen, cosines, k=k, fusion=fusion, include_self=include_self)


def order(
    target: TaskEmbedding,
    candidates: Sequence[Candidate],
    cosines: NDArray[np.float64],
    *,
    k: int | None = None,
    fusion: str = "mean",
    include_self: bool = False,
    centred: int = 0,
) -> Ranking:
    """The ranking for ``cosines`` float64[n, b], one row per candidate; see :func:`rank`.

    ``centred`` says of how many embeddings the mean was taken off first.
    """
    if k is not None and k < 1:
        raise SettingError(f"k is {k}; ask for at least 1 candidate")
    combine = fusion_named(fusion)
    itself = [is_target(candidate, target) for candidate in candidates]
    kept = [i for i, same in enumerate(itself) if include_self or not same]
    telling = [i for i in kept if candidates[i].informative]
    silent = sorted((i for i in kept if not candidates[i].informative), key=lambda i: candidates[i].name)
    scores = np.round(combine(np.round(cosines[telling], _DECIMALS)), _DECIMALS) + 0.0
    scored = dict(zip(telling, scores.tolist(), strict=True))
    telling.sort(key=lambda i: (-scored[i], not itself[i], candidates[i].name, candidates[i].kind))
    shown = (telling + silent)[:k]
    notes = [
        *_note_target(target),
        *notes_on_itself([candidates[i].name for i, same in enumerate(itself) if same and not include_self]),
        *_note_silent([candidates[i].name for i in silent]),
        *_note_ties([(scored[i], candidates[i].name) for i in telling], len(shown)),
        *_note_few(centred),
    ]
    learner = target.space.learner
    hits = tuple(_hit(candidates[i], scored.get(i, 0.0), place, learner) for place, i in enumerate(shown, 1))
    return Ranking(target.name, hits, _measure(target, fusion, centred), tuple(notes))


def is_target(candidate: Candidate, target: TaskEmbedding) -> bool:
    """Whether the candidate is the target itself, by kind and by name or content."""
    same = candidate.content == target.content or candidate.name == target.name
    return same and candidate.kind == target.kind


def _hit(candidate: Candidate, score: float, place: int, learner: str) -> Hit:
    """The one signal is the likeness itself."""
    said = {learner: score}
    return Hit(
        candidate.name, candidate.kind, score, candidate.provenance, candidate.content, place, signals=said, parts=said
    )


def _measure(target: TaskEmbedding, fusion: str, centred: int) -> str:
    learner = target.space.learner
    what = _MEANINGS.get(learner, _MEANINGS.get(learner.partition(":")[0], "cosine"))
    if centred:
        what = f"{what}, centred over {centred} embeddings"
    parts = len(target.blocks)
    if fusion == "rrf":
        what = f"sum of 1 / (60 + rank) over {parts} {'component' if parts == 1 else 'components'}, ranked by {what}"
    elif parts > 1:
        what = f"{what}, mean over {parts} components"
    return f"{what}; uncalibrated: an order, not a predicted gain"


def _note_target(target: TaskEmbedding) -> list[str]:
    return [] if target.informative else [f"{target.name!r} itself says nothing, so this order means nothing"]


def notes_on_itself(names: list[str]) -> list[str]:
    """What was left out since it is the target."""
    return [f"left out as the target itself: {listed(names)}"] if names else []


def _note_silent(names: list[str]) -> list[str]:
    return [f"say nothing, so they score 0 and stand last: {listed(names)}"] if names else []


def _note_ties(ordered: list[tuple[float, str]], shown: int) -> list[str]:
    """A note per tie that touches what is shown, or that the cut goes through."""
    notes: list[str] = []
    place = 0
    for score, group in groupby(ordered, key=lambda pair: pair[0]):
        if place >= shown:
            break
        names = [name for _, name in group]
        if len(names) > 1:
            notes.append(f"tie at {score:.4f}, ordered by name: {listed(names)}")
        place += len(names)
    return notes if len(notes) <= 3 else [*notes[:3], f"{len(notes) - 3} more ties, ordered by name"]


def _note_few(centred: int) -> list[str]:
    """The mean of a few is mostly themselves: of two, each is the other's opposite."""
    return [f"centred over {centred} embeddings only; their own mean is mostly themselves"] if 0 < centred < 5 else []


def listed(names: list[str]) -> str:
    """The first five, and how many more."""
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
