"""What goes into a run and what comes out of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from taskspace.embedding import Kind, TaskEmbedding
    from taskspace.errors import TaskspaceError
    from taskspace.labelers import Labeler

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


@dataclass(frozen=True)
class Card:
    """What is known of a source once it is read, and before anything is asked of it or learned from it."""

    name: str
    kind: Kind
    content: str


def card_of(what: Task | Labeler) -> Card:
    return Card(what.name, "dataset" if isinstance(what, Task) else what.kind, what.fingerprint)


def failed(source: Source, error: TaskspaceError) -> Outcome:
    logging.getLogger("taskspace.scale").debug("%s failed", source.origin, exc_info=error)
    return Outcome(source.origin, "failed", problem=str(error))
