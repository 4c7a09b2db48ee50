"""Many embeddings into one atlas: what is there is skipped, what fails is told, what is done is kept.

A :class:`Runner` says where the work is done: in this process, in several of this machine, or on a Ray cluster.  The
unit of work is one task; the atlas has one writer, and holds the same rows whichever runner filled it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.scale._desk import Desk
from taskspace.scale._local import Local
from taskspace.scale._outcomes import Card, Outcome, Source, Status
from taskspace.scale._processes import Processes
from taskspace.scale._ray import Ray
from taskspace.scale._runner import RUNNERS, Runner, runner_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from taskspace.atlas import Atlas
    from taskspace.space import Space

__all__ = [
    "RUNNERS", "Card", "Desk", "Local", "Outcome", "Processes", "Ray", "Runner", "Source", "Status", "embed_all",
    "runner_named",
]  # fmt: skip


def embed_all(space: Space, sources: Iterable[Source], atlas: Atlas, runner: Runner | None = None) -> Iterator[Outcome]:
    """Embed the sources and commit each at once, in their order; one that fails does not stop the rest.

    A run that is started again skips what is in the atlas.  ``runner`` is :class:`Local` unless said otherwise.

    Warns of classes with a single row.  Raises :class:`AtlasError` when the atlas itself can no longer be written.
    """
    desk = Desk(space.identity, atlas)
    yield from (runner or Local()).run(space, sources, desk)
