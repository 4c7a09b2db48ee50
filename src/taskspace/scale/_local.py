"""Everything in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from taskspace.errors import AtlasError, TaskspaceError
from taskspace.scale._lone_rows import warn_of_lone_rows
from taskspace.scale._outcomes import Outcome, card_of, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from taskspace.embedding import TaskEmbedding
    from taskspace.labelers import Labeler
    from taskspace.scale._desk import Desk
    from taskspace.scale._outcomes import Card, Source
    from taskspace.space import Prepared, Space
    from taskspace.task import Task


@final
@dataclass(frozen=True)
class Local:
    """One source after the other, each loaded in its turn.

    Where the learner learns several tasks at once, so many are loaded, embedded together and then committed: a run
    that is stopped loses these at most.
    """

    def run(self, space: Space, sources: Iterable[Source], desk: Desk) -> Iterator[Outcome]:
        queue = _Queue(space, desk)
        for source in sources:
            try:
                what = source.load()
                card = card_of(what)
                if queue.awaits(card):  # what is decided of this one hangs on what becomes of that
                    yield from queue.clear()
                queue.take(source, what, card)
            except AtlasError:
                raise
            except TaskspaceError as error:
                queue.refuse(source, error)
            if queue.waiting in (0, space.at_once):
                yield from queue.clear()
        yield from queue.clear()


@dataclass(frozen=True, eq=False)
class _Admitted:
    """A source that has been read and answered, and waits to be embedded."""

    source: Source
    ready: Prepared


@final
class _Queue:
    """Sources that are embedded together, and what is known already of those between them."""

    def __init__(self, space: Space, desk: Desk) -> None:
        self._space = space
        self._desk = desk
        self._line: list[_Admitted | Outcome] = []

    @property
    def waiting(self) -> int:
        """How many are still to be embedded."""
        return sum(isinstance(each, _Admitted) for each in self._line)

    def awaits(self, card: Card) -> bool:
        """Whether something of that name or content waits."""
        ready = [each.ready for each in self._line if isinstance(each, _Admitted)]
        return any(one.name == card.name or one.content == card.content for one in ready)

    def refuse(self, source: Source, error: TaskspaceError) -> None:
        self._line.append(failed(source, error))

    def take(self, source: Source, what: Task | Labeler, card: Card) -> None:
        """Put it in line, or what is there of it; raises :class:`DataError` for a name that is taken."""
        known = self._desk.judge(source, card)
        if known is not None:
            self._line.append(known)
            return
        if self._space.learner.needs_labels:
            warn_of_lone_rows(what)
        self._line.append(_Admitted(source, self._space.prepare(what)))

    def clear(self) -> Iterator[Outcome]:
        """Embed what waits, commit it one by one, and tell of everything in the order in which it came."""
        line, self._line = self._line, []
        made = iter(self._embedded([each.ready for each in line if isinstance(each, _Admitted)]))
        for each in line:
            yield each if isinstance(each, Outcome) else self._told(each.source, next(made))

    def _told(self, source: Source, made: TaskEmbedding | TaskspaceError) -> Outcome:
        return failed(source, made) if isinstance(made, TaskspaceError) else self._desk.keep(source, made)

    def _embedded(self, waiting: list[Prepared]) -> Sequence[TaskEmbedding | TaskspaceError]:
        """All together; one by one where something fails, so that it alone does."""
        try:
            return self._space.embed_many(waiting)
        except TaskspaceError as error:
            return [error] if len(waiting) == 1 else [made for each in waiting for made in self._embedded([each])]
