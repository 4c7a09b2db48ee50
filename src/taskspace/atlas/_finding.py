"""Which space, which embedding: from what a caller names to the one that is meant, or a sentence saying why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.atlas._rows import SpaceRow, all_spaces, find, load
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import AtlasError, SettingError, SpaceMismatch, UnknownName, did_you_mean

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path


def fitting(rows: Sequence[SpaceRow], selector: SpaceId | str | None) -> list[SpaceRow]:
    """The spaces that a selector may mean; a learner's name goes before the start of a fingerprint."""
    if selector is None:
        return list(rows)
    if isinstance(selector, SpaceId):
        return [row for row in rows if row.identity == selector]
    named = [row for row in rows if row.identity.learner == selector]
    return named or [row for row in rows if selector and row.identity.fingerprint.startswith(selector)]


def chosen_spaces(connection: sqlite3.Connection, path: Path, selector: SpaceId | str | None) -> list[SpaceRow]:
    """Every space, or the one named."""
    return all_spaces(connection) if selector is None else [one_space(connection, path, selector)]


def one_space(connection: sqlite3.Connection, path: Path, selector: SpaceId | str | None) -> SpaceRow:
    """The only space that fits; raises :class:`SettingError` listing them when several or none do."""
    rows = all_spaces(connection)
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


def locate(
    connection: sqlite3.Connection, path: Path, name: str, selector: SpaceId | str | None
) -> tuple[int, SpaceRow]:
    """The key and space of the one embedding of that name."""
    places = {row.id: row for row in chosen_spaces(connection, path, selector)}
    found = [(key, places[place]) for key, place in find(connection, name) if place in places]
    if not found:
        raise UnknownName(f"there is no {name!r} in {path}{did_you_mean(name, _names(connection, places))}")
    if len(found) > 1:
        held = _listed([row for _, row in found])
        raise SettingError(f"{name!r} stands in {len(found)} spaces, so say which with space= (--learner): {held}")
    return found[0]


def target_in(
    connection: sqlite3.Connection, path: Path, target: str | TaskEmbedding, selector: SpaceId | str | None
) -> tuple[TaskEmbedding, SpaceRow]:
    """The embedding to rank for and its space as stored; raises :class:`SpaceMismatch` when it lives elsewhere."""
    if isinstance(target, str):
        key, row = locate(connection, path, target, selector)
        return load(connection, key, row), row
    places = {row.identity: row for row in chosen_spaces(connection, path, selector)}
    row = places.get(target.space)
    if row is None:
        if len(places) == 1:
            target.space.require_same(next(iter(places)))
        raise SpaceMismatch(f"{target.name!r} lives in no space of {path} ({target.space}); embed it in one of them")
    return target, row


def _names(connection: sqlite3.Connection, places: dict[int, SpaceRow]) -> set[str]:
    return {name for name, place in connection.execute("SELECT name, space FROM embeddings") if place in places}


def _listed(rows: Sequence[SpaceRow]) -> str:
    return ", ".join(f"{row.identity.fingerprint[:12]} ({row.identity})" for row in rows)
