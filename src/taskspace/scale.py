"""Many embeddings into one atlas: what is there is skipped, what fails is told, what is done is kept."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import AtlasError, DataError, TaskspaceError, TaskspaceWarning
from taskspace.labels import Classes
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from taskspace.atlas import Atlas
    from taskspace.embedding import Kind, TaskEmbedding
    from taskspace.labelers import Labeler
    from taskspace.space import Space

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

    Warns of classes with a single row.  Raises :class:`AtlasError` when the atlas itself can no longer be written.
    """
    given: dict[str, str] = {}
    here = [entry for entry in atlas.entries() if entry.space == space.identity.fingerprint]
    held: dict[str, tuple[Kind, str]] = {e.name: (e.kind, str(e.provenance.get("origin", ""))) for e in here}
    for source in sources:
        try:
            yield _embed_one(space, source, atlas, given, held)
        except AtlasError:
            raise
        except TaskspaceError as error:
            logging.getLogger(__name__).debug("%s failed", source.origin, exc_info=error)
            yield Outcome(source.origin, "failed", problem=str(error))


def _embed_one(
    space: Space, source: Source, atlas: Atlas, given: dict[str, str], held: dict[str, tuple[Kind, str]]
) -> Outcome:
    what = source.load()
    name = what.name
    kind: Kind = "dataset" if isinstance(what, Task) else what.kind
    if given.setdefault(name, source.origin) != source.origin:
        raise DataError(
            f"{source.origin} is called {name!r} like {given[name]}; give it another name (--name) and embed it alone"
        )
    held_kind, held_origin = held.get(name, (kind, source.origin))
    if held_kind != kind:
        raise DataError(
            f"there is already a {held_kind} named {name!r}; give this {kind} another name (--name) or remove that one"
        )
    same = atlas.names_of(what.fingerprint, kind, space=space.identity)
    if name in same:
        return Outcome(source.origin, "kept", name)
    if held_origin not in ("", source.origin):
        raise DataError(
            f"{name!r} was embedded from {held_origin}, and {source.origin} says something else; give it another name"
            " (--name) or remove that one"
        )
    if isinstance(what, Task) and space.learner.needs_labels:
        _warn_of_lone_rows(what)
    embedding = space.embed(what)
    about = {**embedding.provenance, "origin": source.origin}
    if same:  # the content is known under another name: keep both, and say so
        about["same_content_as"] = same[0]
    embedding = replace(embedding, provenance=about)
    atlas.add(embedding)
    status: Status = "replaced" if name in held else "embedded"
    held[name] = (kind, source.origin)
    return Outcome(source.origin, status, name, embedding)


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
