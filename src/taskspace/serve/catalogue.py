"""What stands in a space, by name: read once per generation, so that no request parses what it does not show."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

from taskspace.atlas.nearest import Neighbours
from taskspace.embedding import SpaceId
from taskspace.errors import SettingError
from taskspace.serve.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.atlas import Atlas, Matrix
    from taskspace.ranking import Candidate


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The rows of one generation of a space by name; ``folded`` are their names without case, in the same order.

    ``place`` is where a name stands in the matrix.
    """

    identity: SpaceId
    matrix: Matrix
    rows: Sequence[Candidate]
    folded: Sequence[str]
    place: Mapping[str, int]
    kinds: Mapping[str, int]

    @classmethod
    def of(cls, identity: SpaceId, matrix: Matrix) -> Catalogue:
        rows = sorted(matrix.rows, key=lambda row: row.name)
        return cls(
            identity=identity,
            matrix=matrix,
            rows=rows,
            folded=[row.name.casefold() for row in rows],
            place={row.name: i for i, row in enumerate(matrix.rows)},
            kinds=Counter(row.kind for row in rows),
        )

    def __contains__(self, name: str) -> bool:
        return name in self.place

    def __getitem__(self, name: str) -> Candidate:
        return self.matrix.rows[self.place[name]]

    @property
    def space(self) -> str:
        """The fingerprint of the space."""
        return self.identity.fingerprint

    @cached_property
    def neighbours(self) -> Neighbours:
        """The same rows, to find what is near."""
        return Neighbours.of(self.identity, self.matrix)

    def chosen(self, kind: str | None, part: str | None) -> Sequence[Candidate]:
        """The rows of that kind whose name holds that part, whatever its case."""
        rows = self.rows
        if part is not None:
            wanted = part.casefold()
            rows = [rows[i] for i, name in enumerate(self.folded) if wanted in name]
        return rows if kind is None else [row for row in rows if row.kind == kind]


@final
class Catalogues:
    """The newest catalogue of each space."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._held: dict[SpaceId, Catalogue] = {}
        self._lock = threading.Lock()

    def of(self, selector: SpaceId | str | None) -> Catalogue:
        """Of the one space that is meant; raises a :class:`Problem` where it is not one."""
        identity = self._meant(selector)
        matrix = self._atlas.matrix(identity)
        with self._lock:
            held = self._held.get(identity)
            if held is None or held.matrix.generation != matrix.generation:
                held = self._held[identity] = Catalogue.of(identity, matrix)
            return held

    def _meant(self, selector: SpaceId | str | None) -> SpaceId:
        """As :meth:`Atlas.space_id`, whose sentences tell in which folder a base model lies."""
        if isinstance(selector, SpaceId):
            return selector
        spaces = self._atlas.spaces()
        if not spaces:
            raise Problem(404, "EmptyAtlas", "nothing is stored here yet; embed something into the atlas first")
        try:
            return self._atlas.space_id(selector)
        except SettingError:
            listed = ", ".join(f"{space.fingerprint[:12]} ({space.learner})" for space in spaces)
            if any(selector in (None, space.learner) or space.fingerprint.startswith(selector) for space in spaces):
                sentence = f"several spaces fit; say with space= which is meant: {listed}"
                raise Problem(409, "SeveralSpaces", sentence) from None
            sentence = f"there is no space {selector!r}; say with space= which is meant: {listed}"
            raise Problem(404, "UnknownSpace", sentence) from None

    def all(self, selector: str | None = None) -> list[Catalogue]:
        """Of the one space that is meant, or of all."""
        if selector is not None:
            return [self.of(selector)]
        return [self.of(space) for space in self._atlas.spaces()]
