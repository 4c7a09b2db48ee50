"""From one atlas into another, whatever engines they have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.atlas.engines import open_store
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from taskspace.atlas._store import Store, View
    from taskspace.atlas._stored import SpaceRow
    from taskspace.atlas._values import Transfer
    from taskspace.embedding import Kind

_AT_ONCE = 1 << 26
"""Bytes of vectors that are moved at once."""

_ROWS_AT_ONCE = 10_000
"""As many rows at most, where vectors are short."""


@dataclass(frozen=True)
class Copied:
    """How many embeddings, pools and measured transfers were written, and how many embeddings were there before."""

    embeddings: int
    there: int
    pools: int
    transfers: int


def copy_atlas(
    source: str | Path, target: str | Path, *, told: Callable[[int, int], object] = lambda done, of: None
) -> Copied:
    """Bring into ``target`` all that ``source`` has and it lacks: spaces, pools, embeddings, measured transfers.

    Everything keeps the time at which it was added or noted.  ``target`` is made if it is not there.  An embedding of
    the same space, name, kind and content counts as there; options of a space are kept where it has some.  Embeddings
    are written some at a time, ``told`` how many of how many are done: a copy that was stopped goes on when it is
    asked for again.

    Raises :class:`AtlasError` before anything is written when a name stands for something else in ``target``.
    """
    come_from = open_store(source, create=False)
    try:
        into = open_store(target, create=True)
        try:
            return _copy(come_from, into, told)
        finally:
            into.close()
    finally:
        come_from.close()


def _copy(source: Store, target: Store, told: Callable[[int, int], object]) -> Copied:
    with source.reading() as view:
        spaces = view.spaces()
        lacking = {space.fingerprint: _lacking(view, space, target) for space in spaces}
        pools = _copy_spaces(view, spaces, target)
        total = sum(map(len, lacking.values()))
        done = 0
        for space in spaces:
            for count in _copy_embeddings(view, space, lacking[space.fingerprint], target):
                done += count
                told(done, total)
        return Copied(done, view.count() - total, pools, _copy_transfers(view, target))


def _lacking(view: View, space: SpaceRow, target: Store) -> set[str]:
    """The names that the target does not have; refuses those that stand for something else there."""
    with target.reading() as theirs:
        there = next((row for row in theirs.spaces() if row.identity == space.identity), None)
        held = {} if there is None else _contents(theirs, there)
    given = _contents(view, space)
    clashes = sorted(name for name, what in given.items() if held.get(name, what) != what)
    if clashes:
        shown = ", ".join(map(repr, clashes[:5])) + (f" and {len(clashes) - 5} more" if len(clashes) > 5 else "")
        raise AtlasError(
            f"in {target.path} these names of the space {space.fingerprint[:12]} stand for something else, so nothing"
            f" was copied: {shown}; rename or remove them in one of the two"
        )
    if given and held and there is not None and there.blocks != space.blocks:
        raise AtlasError(
            f"the space {space.fingerprint[:12]} has vectors of {there.dims} numbers in {len(there.blocks)} blocks in"
            f" {target.path}, not of {space.dims} in {len(space.blocks)}, and nothing was copied; embed it again there"
        )
    return given.keys() - held.keys()


def _contents(view: View, space: SpaceRow) -> Mapping[str, tuple[Kind, str]]:
    return {row.name: (row.kind, row.content) for row in view.rows(space)}


def _copy_spaces(view: View, spaces: list[SpaceRow], target: Store) -> int:
    """Spaces in their order, with their pools; how many pools were new."""
    pools = {space.identity.pool: view.packed_pool(space.identity.pool) for space in spaces}
    with target.writing() as change:
        new = {name: rows for name, rows in pools.items() if rows is not None and change.packed_pool(name) is None}
        for fingerprint, packed in new.items():
            change.put_pool(fingerprint, packed)
        for space in spaces:
            row = change.put_space(space.identity)
            if space.options and not row.options:
                change.set_options(row, space.options)
    return len(new)


def _copy_embeddings(view: View, space: SpaceRow, lacking: set[str], target: Store) -> Iterator[int]:
    """A commit at a time: how many embeddings it brought."""
    size = max(1, min(_ROWS_AT_ONCE, _AT_ONCE // (4 * max(space.dims, 1))))
    for records in view.records(space, size):
        new = [record for record in records if record.name in lacking]
        if not new:
            continue
        with target.writing() as change:
            row = change.put_space(space.identity)
            if change.kinds(row, [record.name for record in new]):
                raise AtlasError(f"{target.path} was written to while it was copied into; copy again for the rest")
            change.put(row, space.blocks, new)
        yield len(new)


def _copy_transfers(view: View, target: Store) -> int:
    """Those that the target lacks, as often as it lacks them; all at once."""
    with target.writing() as change:
        there = Counter(change.transfers())
        new: list[Transfer] = []
        for transfer in view.transfers():
            if there[transfer]:
                there[transfer] -= 1
            else:
                new.append(transfer)
        if new:
            change.note(new)
    return len(new)
