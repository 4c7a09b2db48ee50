"""Many embeddings into one atlas: what is there is skipped, what fails is told, what is done is kept."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import numpy as np

from taskspace.errors import AtlasError, DataError, TaskspaceError, TaskspaceWarning
from taskspace.labels import Classes
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from taskspace.atlas import Atlas
    from taskspace.embedding import Kind, TaskEmbedding
    from taskspace.labelers import Labeler
    from taskspace.space import Prepared, Space

Status: TypeAlias = Literal["embedded", "replaced", "kept", "failed"]


@dataclass(frozen=True)
class Source:
    """Something to embed: ``load`` reads it when its turn comes; ``origin`` is what the user called it."""

    origin: str
    load: Callable[[], Task | Labeler]


@dataclass(frozen=True)
class Outcome:
    """What became of a source.

    ``embedded`` new; ``replaced`` an older one of that name; ``kept`` since the same content is there;
    ``failed`` with the sentence in ``problem``.
    """

    origin: str
    status: Status
    name: str = ""
    embedding: TaskEmbedding | None = None
    problem: str = ""


def embed_all(space: Space, sources: Iterable[Source], atlas: Atlas) -> Iterator[Outcome]:
    """Embed one source after the other and commit each at once; a source that fails does not stop the rest.

    Where the learner learns several tasks at once, so many are loaded, embedded together and then committed: a run
    that is stopped loses these at most, and one that is started again skips what is in the atlas.

    Warns of classes with a single row.  Raises :class:`AtlasError` when the atlas itself can no longer be written.
    """
    desk = _Desk(space, atlas)
    for source in sources:
        try:
            what = source.load()
            if desk.awaits(what):  # what is decided of this one hangs on what becomes of that
                yield from desk.clear()
            desk.take(source, what)
        except AtlasError:
            raise
        except TaskspaceError as error:
            desk.refuse(source, error)
        if desk.waiting in (0, space.at_once):
            yield from desk.clear()
    yield from desk.clear()


@dataclass(frozen=True, eq=False)
class _Admitted:
    """A source that has been read and answered, and waits to be embedded."""

    source: Source
    ready: Prepared


@final
class _Desk:
    """Decides what is embedded, in which order, and what becomes of it."""

    def __init__(self, space: Space, atlas: Atlas) -> None:
        here = [entry for entry in atlas.entries() if entry.space == space.identity.fingerprint]
        self._space = space
        self._atlas = atlas
        self._given: dict[str, str] = {}
        self._held: dict[str, tuple[Kind, str]] = {e.name: (e.kind, str(e.provenance.get("origin", ""))) for e in here}
        self._queue: list[_Admitted | Outcome] = []

    @property
    def waiting(self) -> int:
        """How many are still to be embedded."""
        return sum(isinstance(each, _Admitted) for each in self._queue)

    def awaits(self, what: Task | Labeler) -> bool:
        """Whether something of that name or content waits."""
        ready = [each.ready for each in self._queue if isinstance(each, _Admitted)]
        return any(one.name == what.name or one.content == what.fingerprint for one in ready)

    def refuse(self, source: Source, error: TaskspaceError) -> None:
        self._queue.append(_failed(source, error))

    def take(self, source: Source, what: Task | Labeler) -> None:
        """Put it in the queue, or what is there of it; raises :class:`DataError` for a name that is taken."""
        kind: Kind = "dataset" if isinstance(what, Task) else what.kind
        self._require_free(source, what.name, kind)
        if what.name in self._atlas.names_of(what.fingerprint, kind, space=self._space.identity):
            self._queue.append(Outcome(source.origin, "kept", what.name))
            return
        self._require_own(source, what.name, kind)
        if isinstance(what, Task) and self._space.learner.needs_labels:
            _warn_of_lone_rows(what)
        self._queue.append(_Admitted(source, self._space.prepare(what)))

    def clear(self) -> Iterator[Outcome]:
        """Embed what waits, commit it one by one, and tell of everything in the order in which it came."""
        queue, self._queue = self._queue, []
        made = iter(self._embedded([each.ready for each in queue if isinstance(each, _Admitted)]))
        for each in queue:
            yield each if isinstance(each, Outcome) else self._kept(each.source, next(made))

    def _embedded(self, waiting: list[Prepared]) -> Sequence[TaskEmbedding | TaskspaceError]:
        """All together; one by one where something fails, so that it alone does."""
        try:
            return self._space.embed_many(waiting)
        except TaskspaceError as error:
            return [error] if len(waiting) == 1 else [made for each in waiting for made in self._embedded([each])]

    def _kept(self, source: Source, made: TaskEmbedding | TaskspaceError) -> Outcome:
        if isinstance(made, TaskspaceError):
            return _failed(source, made)
        same = self._atlas.names_of(made.content, made.kind, space=self._space.identity)
        about = {**made.provenance, "origin": source.origin}
        if same:  # the content is known under another name: keep both, and say so
            about["same_content_as"] = same[0]
        embedding = replace(made, provenance=about)
        self._atlas.add(embedding)
        status: Status = "replaced" if made.name in self._held else "embedded"
        self._held[made.name] = (made.kind, source.origin)
        return Outcome(source.origin, status, made.name, embedding)

    def _require_free(self, source: Source, name: str, kind: Kind) -> None:
        first = self._given.setdefault(name, source.origin)
        if first != source.origin:
            raise DataError(
                f"{source.origin} is called {name!r} like {first}; give it another name (--name) and embed it alone"
            )
        held_kind, _ = self._held.get(name, (kind, ""))
        if held_kind != kind:
            raise DataError(
                f"there is already a {held_kind} named {name!r}; give this {kind} another name (--name) or remove"
                " that one"
            )

    def _require_own(self, source: Source, name: str, kind: Kind) -> None:
        _, held_origin = self._held.get(name, (kind, source.origin))
        if held_origin not in ("", source.origin):
            raise DataError(
                f"{name!r} was embedded from {held_origin}, and {source.origin} says something else; give it another"
                " name (--name) or remove that one"
            )


def _failed(source: Source, error: TaskspaceError) -> Outcome:
    logging.getLogger(__name__).debug("%s failed", source.origin, exc_info=error)
    return Outcome(source.origin, "failed", problem=str(error))


def _warn_of_lone_rows(task: Task) -> None:
    """What is known of a class from one row is mostly what that row happens to say."""
    labels = task.stated_labels
    if not isinstance(labels, Classes):
        return
    counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names))
    lone = [labels.names[code] for code in np.flatnonzero(counts == 1)]
    if lone:
        named = ", ".join(map(repr, lone[:3])) + (", …" if len(lone) > 3 else "")
        warnings.warn(
            f"{len(lone)} of {np.count_nonzero(counts)} classes of {task.name!r} have one row only ({named});"
            " little can be learned of them",
            TaskspaceWarning,
            stacklevel=3,
        )
