"""What is pulled beside what is here: what is new, what is the same, and what would take another one's name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taskspace.atlas.sharing import shared_options
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from taskspace.atlas import Transfer
    from taskspace.atlas._store import Change, View
    from taskspace.atlas._stored import Record
    from taskspace.embedding import Kind
    from taskspace.hub._manifest import SpacePart


@dataclass(frozen=True, eq=False)
class Plan:
    """What to take of a space: ``new`` names, and ``changed`` ones that stand for something else here."""

    part: SpacePart
    new: frozenset[str]
    changed: frozenset[str]
    held: int

    @property
    def taken(self) -> frozenset[str]:
        return self.new | self.changed


def plan_for(view: View, part: SpacePart, offered: Mapping[str, tuple[Kind, str]], path: Path | str) -> Plan:
    """Compare by kind and content; what has both the same stays as it is here, to the bit.

    Raises :class:`AtlasError` when the vectors here have other blocks: then one of the two is not of this space.
    """
    space = next((row for row in view.spaces() if row.identity == part.identity), None)
    here = {} if space is None else {row.name: (row.kind, row.content) for row in view.rows(space)}
    if space is not None and here and offered and space.blocks != part.blocks:
        raise AtlasError(
            f"the vectors of {part.file.path} have other blocks than those that {path} has of that space; pull into"
            " another atlas"
        )
    both = offered.keys() & here.keys()
    changed = frozenset(name for name in both if here[name] != offered[name])
    return Plan(part, frozenset(offered.keys() - both), changed, len(both) - len(changed))


def require_no_clash(plans: Sequence[Plan], path: Path | str, repo: str) -> None:
    """Raise :class:`AtlasError` naming what stands for something else here."""
    names = [name for plan in plans for name in sorted(plan.changed)]
    if names:
        shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise AtlasError(
            f"{path} and {repo} mean different things by {shown}, and nothing was written; pull into another atlas,"
            " rename yours, or take theirs with --replace"
        )


def keep_spaces(change: Change, parts: Sequence[SpacePart], packed: Mapping[str, bytes]) -> int:
    """Remember the spaces, with what is not known of them here; how many of the ``packed`` pools are new."""
    new = {fingerprint: rows for fingerprint, rows in packed.items() if change.packed_pool(fingerprint) is None}
    for fingerprint, rows in new.items():
        change.put_pool(fingerprint, rows)
    for part in parts:
        space, options = change.put_space(part.identity), shared_options(part.options)
        if options and not space.options:
            change.set_options(space, options)
    return len(new)


def store_batch(change: Change, plan: Plan, records: Sequence[Record], path: Path | str) -> None:
    """Store some embeddings, those that they take the place of taken out."""
    space = change.put_space(plan.part.identity)
    there = change.kinds(space, [record.name for record in records])
    if there.keys() & plan.new:
        raise AtlasError(f"{path} was written to meanwhile; pull again for the rest")
    change.remove(space, list(there))
    change.put(space, plan.part.blocks, records)


def note_missing(change: Change, transfers: Sequence[Transfer]) -> int:
    """Note each measurement as often as it was made there and is not known here; how many are new."""
    left = Counter(map(_run, change.transfers()))
    new: list[Transfer] = []
    for transfer in transfers:
        run = _run(transfer)
        if left[run]:
            left[run] -= 1
        else:
            new.append(transfer)
    if new:
        change.note(new)
    return len(new)


def _run(transfer: Transfer) -> Transfer:
    """What was measured, whenever it was noted."""
    return replace(transfer, noted="")
