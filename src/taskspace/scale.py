"""Many embeddings into one atlas: what is there is skipped, what fails is told, what is done is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from taskspace.errors import AtlasError, DataError, TaskspaceError
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from taskspace.atlas import Atlas
    from taskspace.embedding import Kind, SpaceId, TaskEmbedding
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

    Raises :class:`AtlasError` when the atlas itself can no longer be written.
    """
    given: dict[str, str] = {}
    for source in sources:
        try:
            yield _embed_one(space, source, atlas, given)
        except AtlasError:
            raise
        except TaskspaceError as error:
            yield Outcome(source.origin, "failed", problem=str(error))


def _embed_one(space: Space, source: Source, atlas: Atlas, given: dict[str, str]) -> Outcome:
    what = source.load()
    name = what.name
    if given.setdefault(name, source.origin) != source.origin:
        raise DataError(
            f"{source.origin} is called {name!r} like {given[name]}; give it another name and embed it alone"
        )
    kind: Kind = "dataset" if isinstance(what, Task) else what.kind
    same = atlas.names_of(what.fingerprint, kind, space=space.identity)
    if name in same:
        return Outcome(source.origin, "kept", name)
    embedding = space.embed(what)
    if same:  # the content is known under another name: keep both, and say so
        embedding = replace(embedding, provenance={**embedding.provenance, "same_content_as": same[0]})
    status: Status = "replaced" if _stands(atlas, name, space.identity) else "embedded"
    atlas.add(embedding)
    return Outcome(source.origin, status, name, embedding)


def _stands(atlas: Atlas, name: str, space: SpaceId) -> bool:
    return name in atlas and any(entry.name == name for entry in atlas.entries(space=space))
