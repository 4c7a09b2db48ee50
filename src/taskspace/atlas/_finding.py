"""Which space, which embedding: from what a caller names to the one that is meant, or a sentence saying why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from taskspace.atlas._values import Entry
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import AtlasError, SettingError, SpaceMismatch, UnknownName, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from taskspace.atlas._store import View
    from taskspace.atlas._stored import SpaceRow

    Place: TypeAlias = Path | str


def fitting(rows: Sequence[SpaceRow], selector: SpaceId | str | None) -> list[SpaceRow]:
    """The spaces that a selector may mean; a learner's name goes before the start of a fingerprint."""
    if selector is None:
        return list(rows)
    if isinstance(selector, SpaceId):
        return [row for row in rows if row.identity == selector]
    named = [row for row in rows if row.identity.learner == selector]
    return named or [row for row in rows if selector and row.fingerprint.startswith(selector)]


def chosen_spaces(view: View, path: Place, selector: SpaceId | str | None) -> list[SpaceRow]:
    """Every space, or the one named."""
    return view.spaces() if selector is None else [one_space(view, path, selector)]


def one_space(view: View, path: Place, selector: SpaceId | str | None) -> SpaceRow:
    """The only space that fits; raises :class:`SettingError` listing them when several or none do."""
    rows = view.spaces()
    if not rows:
        raise AtlasError(f"{path} is empty; embed something into it first")
    fit = fitting(rows, selector)
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise SettingError(
            f"{len(fit)} spaces fit, so say which by the start of its fingerprint (--learner): {_listed(fit)}"
        )
    label = selector if isinstance(selector, SpaceId) else repr(selector)
    raise SettingError(f"no space of {path} fits {label}; there is {_listed(rows)}")


def text_space(view: View, path: Place, selector: SpaceId | str | None) -> SpaceRow:
    """As :func:`one_space`, among those that something can be embedded into by its texts."""
    fit = [row for row in fitting(view.spaces(), selector) if row.identity.reads_texts]
    row = fit[0] if len(fit) == 1 else one_space(view, path, selector)
    if not row.identity.reads_texts:
        raise SettingError(
            f"the space {row.identity} of {path} compares weights and reads no texts; embed data into a space of its"
            " own first"
        )
    return row


def locate(view: View, path: Place, selector: SpaceId | str | None, *names: str) -> list[SpaceRow]:
    """The space of the one embedding of each name."""
    places = chosen_spaces(view, path, selector)
    holding = view.holding(names)
    return [
        _only(view, path, name, [row for row in places if row.fingerprint in holding[name]], places) for name in names
    ]


def _only(view: View, path: Place, name: str, found: Sequence[SpaceRow], places: Sequence[SpaceRow]) -> SpaceRow:
    if not found:
        known = {known for row in places for known in view.names(row)}
        raise UnknownName(f"there is no {name!r} in {path}{did_you_mean(name, known)}")
    if len(found) > 1:
        raise SettingError(
            f"{name!r} stands in {len(found)} spaces, so say which with space= (--learner): {_listed(found)}"
        )
    return found[0]


def load(view: View, space: SpaceRow, name: str) -> TaskEmbedding:
    """The embedding of that name, which must be there."""
    found = view.record(space, name)
    provenance = json.loads(found.provenance)
    return TaskEmbedding(name, found.kind, space.identity, found.vector, space.blocks, found.content, provenance)


def entry_of(view: View, space: SpaceRow, name: str) -> Entry:
    """What is stored under that name, which must be there, besides its numbers."""
    found = view.record(space, name)
    about = json.loads(found.provenance)
    return Entry(name, found.kind, space.fingerprint, found.content, found.added, about, len(found.vector))


def target_in(
    view: View, path: Place, target: str | TaskEmbedding, selector: SpaceId | str | None
) -> tuple[TaskEmbedding, SpaceRow]:
    """The embedding to rank for and its space as stored; raises :class:`SpaceMismatch` when it lives elsewhere."""
    if isinstance(target, str):
        (row,) = locate(view, path, selector, target)
        return load(view, row, target), row
    places = {row.identity: row for row in chosen_spaces(view, path, selector)}
    row = places.get(target.space)
    if row is None:
        if len(places) == 1:
            target.space.require_same(next(iter(places)))
        raise SpaceMismatch(f"{target.name!r} lives in no space of {path} ({target.space}); embed it in one of them")
    return target, row


def _listed(rows: Sequence[SpaceRow]) -> str:
    return ", ".join(f"{row.fingerprint[:12]} ({row.identity})" for row in rows)
