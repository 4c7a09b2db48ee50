"""What a search for duplicates tells, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from taskspace.atlas.duplicates._background import Background
    from taskspace.embedding import Kind

Strength: TypeAlias = Literal["content", "vector", "similarity"]
"""What joins a pair, strongest first: the same rows, equal vectors, or a similarity beyond the threshold."""

STRENGTHS: tuple[Strength, ...] = ("content", "vector", "similarity")

_SHOWN = 20
"""Pairs outside the groups that a printed list names."""


@dataclass(frozen=True)
class Evidence:
    """One sentence on a pair; ``supports`` is False where it speaks against a copy, None where it only tells."""

    what: str
    says: str
    supports: bool | None


@dataclass(frozen=True)
class Pair:
    """Two entries of one kind; ``similarity`` is the cosine, averaged over blocks."""

    first: str
    second: str
    kind: Kind
    similarity: float
    strength: Strength
    evidence: tuple[Evidence, ...]

    def __str__(self) -> str:
        return "; ".join(f"but {one.says}" if one.supports is False else one.says for one in self.evidence)


@dataclass(frozen=True)
class Group:
    """Entries of which each is close to each: ``pairs`` hold every other one with the ``representative``.

    The representative is the entry to keep: the one with most measured transfers, then most rows, then the oldest.
    ``least`` is the lowest similarity between any two of the group, None where nothing but their content was compared.
    """

    kind: Kind
    representative: str
    pairs: tuple[Pair, ...]
    least: float | None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the representative first."""
        return (self.representative, *(pair.second for pair in self.pairs))


@dataclass(frozen=True)
class Searched:
    """How one kind was searched: ``threshold`` is None where only certain evidence counted, and ``how`` says why."""

    kind: Kind
    entries: int
    threshold: float | None
    how: str
    background: Background | None = None


@dataclass(frozen=True)
class Duplicates:
    """``groups`` of the same task; ``apart`` are pairs as near as these that fit no group as a whole, nearest first."""

    space: str
    learner: str
    searched: tuple[Searched, ...]
    groups: tuple[Group, ...]
    apart: tuple[Pair, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def spare(self) -> tuple[str, ...]:
        """Names that stand for a task which a representative stands for already."""
        return tuple(pair.second for group in self.groups for pair in group.pairs)

    def __str__(self) -> str:
        lines = [self._head(), *(line for group in self.groups for line in _told(group))]
        if self.apart:
            lines.append("as near, but not to a whole group:")
            lines += [f"  {p.first} and {p.second}: {p}" for p in self.apart[:_SHOWN]]
            lines += [f"  and {len(self.apart) - _SHOWN} more (--json has all)"] * (len(self.apart) > _SHOWN)
        lines += [f"threshold among {one.entries} of kind {one.kind}: {_threshold(one)}" for one in self.searched]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _head(self) -> str:
        if not self.groups:
            return "no duplicates found"
        count = f"{len(self.groups)} {'task stands' if len(self.groups) == 1 else 'tasks stand'}"
        return f"{count} here under several names; {len(self.spare)} of the names could go"

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes."""
        groups = [{"kind": g.kind, "representative": g.representative, "names": g.names, "least": g.least,
                   "pairs": [asdict(pair) for pair in g.pairs]} for g in self.groups]  # fmt: skip
        return {
            "space": self.space, "learner": self.learner, "searched": [asdict(one) for one in self.searched],
            "groups": groups, "apart": [asdict(pair) for pair in self.apart], "notes": list(self.notes),
        }  # fmt: skip


def _told(group: Group) -> list[str]:
    marks = {"content": "=", "vector": "=", "similarity": "~"}
    wide = max(len(pair.second) for pair in group.pairs)
    lines = [f"  {marks[pair.strength]} {pair.second:<{wide}}  {pair}" for pair in group.pairs]
    return [f"{group.representative} ({group.kind})", *lines]


def _threshold(one: Searched) -> str:
    return one.how if one.threshold is None else f"{one.threshold:.4f}, {one.how}"
