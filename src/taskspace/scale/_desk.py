"""Decides what is embedded and what becomes of it; nobody else writes to the atlas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

from taskspace.errors import DataError
from taskspace.scale._outcomes import Outcome, Status

if TYPE_CHECKING:
    from taskspace.atlas import Atlas
    from taskspace.embedding import Kind, SpaceId, TaskEmbedding
    from taskspace.scale._outcomes import Card, Source


@final
class Desk:
    """Judges the sources one after the other, in the order in which they were given."""

    def __init__(self, space: SpaceId, atlas: Atlas) -> None:
        self._space = space
        self._atlas = atlas
        self._given: dict[str, str] = {}
        self._held: dict[str, tuple[Kind, str] | None] = {}

    def judge(self, source: Source, card: Card) -> Outcome | None:
        """What is there of a source whose turn has come, or nothing where it is to be embedded.

        Raises :class:`DataError` for a name that is taken.
        """
        first = self._given.setdefault(card.name, source.origin)
        if first != source.origin:
            raise DataError(
                f"{source.origin} is called {card.name!r} like {first}; give it another name (--name) and embed it"
                " alone"
            )
        return self.foresee(source, card)

    def foresee(self, source: Source, card: Card) -> Outcome | None:
        """What :meth:`judge` would say if nothing came before this source; raises as it does."""
        if card.name in self._atlas.names_of(card.content, card.kind, space=self._space):
            return Outcome(source.origin, "kept", card.name)
        held_kind, held_origin = self._holds(card.name) or (card.kind, "")
        if held_kind != card.kind:
            raise DataError(
                f"there is already a {held_kind} named {card.name!r}; give this {card.kind} another name (--name) or"
                " remove that one"
            )
        if held_origin not in ("", source.origin):
            raise DataError(
                f"{card.name!r} was embedded from {held_origin}, and {source.origin} says something else; give it"
                " another name (--name) or remove that one"
            )
        return None

    def keep(self, source: Source, made: TaskEmbedding) -> Outcome:
        """Commit what was made of a source."""
        same = self._atlas.names_of(made.content, made.kind, space=self._space)
        about = {**made.provenance, "origin": source.origin}
        if same:  # the content is known under another name: keep both, and say so
            about["same_content_as"] = same[0]
        embedding = replace(made, provenance=about)
        held = self._holds(made.name)
        self._atlas.add(embedding)
        status: Status = "replaced" if held else "embedded"
        self._held[made.name] = (made.kind, source.origin)
        return Outcome(source.origin, status, made.name, embedding)

    def _holds(self, name: str) -> tuple[Kind, str] | None:
        """Kind and origin of what has that name; asked once, since nobody else writes."""
        if name not in self._held:
            entry = self._atlas.find(name, space=self._space)
            self._held[name] = None if entry is None else (entry.kind, str(entry.provenance.get("origin", "")))
        return self._held[name]
