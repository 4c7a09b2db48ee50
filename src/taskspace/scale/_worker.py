"""What is done away from the driver: one source at a time, with the base model loaded once."""

from __future__ import annotations

import contextlib
import os
import pickle
import traceback
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import AtlasError, DataError, TaskspaceError, TaskspaceWarning
from taskspace.scale._lone_rows import warn_of_lone_rows
from taskspace.scale._outcomes import card_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from taskspace.embedding import SpaceId, TaskEmbedding
    from taskspace.labelers import Labeler
    from taskspace.scale._outcomes import Card
    from taskspace.space import Groundwork, Space
    from taskspace.task import Task


@dataclass(frozen=True)
class Plan:
    """What every worker is told: the space as bytes, what it must turn out to be, and the folder to work in."""

    space: bytes
    identity: SpaceId
    folder: str


@dataclass(frozen=True, eq=False)
class Reply:
    """What came of one request.

    ``problem`` is what the user can mend and ``bug`` what ends the run, as in one process; ``notes`` are warnings
    meant for the user.
    """

    value: Any = None
    problem: TaskspaceError | None = None
    bug: Exception | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lost:
    """What comes instead of a reply where a worker is of no more use; ``why`` ends "three workers …"."""

    why: str


@final
class Worker:
    """Reads a source, and learns from it when told to.

    Reading comes apart from learning because the driver decides in between: of what is in the atlas already, no
    model is loaded.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        with contextlib.suppress(OSError):  # another machine need not have that folder
            os.chdir(plan.folder)

    def read(self, packed: bytes, origin: str) -> Card:
        """Load a source and keep what it is."""
        try:
            load = pickle.loads(packed)  # noqa: S301  # bytes that our own driver wrote
        except Exception as error:  # a module or file that is not on this machine raises anything
            raise DataError(
                f"{origin} cannot be opened by a worker ({type(error).__name__}: {error}); put what it needs where the"
                " workers find it, or use the local runner (--runner local)"
            ) from error
        self._what: Task | Labeler = load()
        return card_of(self._what)

    def open(self) -> None:
        """Find the base model; it is loaded when it is first needed."""
        self._space: Space = pickle.loads(self._plan.space)  # noqa: S301  # as above
        self._plan.identity.require_same(self._space.identity)

    def prepare(self) -> Groundwork:
        """Compute what all workers share."""
        work = self._space.groundwork()
        self.build_on(work)
        return work

    def build_on(self, work: Groundwork) -> None:
        self._space.build_on(work)

    def learn(self) -> TaskEmbedding:
        """Embed what was read last.  The pool stays here: the driver has it."""
        if self._space.learner.needs_labels:
            warn_of_lone_rows(self._what)
        return replace(self._space.embed(self._what), pool=None)


def perform(worker: Worker, verb: str, given: tuple[Any, ...]) -> Reply | Lost:
    """Do it, and tell of whatever comes of it."""
    with _noted() as notes:
        try:
            value = getattr(worker, verb)(*given)
        except Exception as error:
            if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
                return Lost("ran out of memory")
            copy = _portable(error)
            if isinstance(copy, TaskspaceError) and not isinstance(copy, AtlasError) and verb != "open":
                return Reply(problem=copy, notes=tuple(notes))
            return Reply(bug=copy, notes=tuple(notes))
    return Reply(value, notes=tuple(notes))


@contextlib.contextmanager
def _noted() -> Generator[list[str]]:
    """Our own warnings in a list, those of others as Python shows them."""
    notes: list[str] = []
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, TaskspaceWarning):
                notes.append(str(message))
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = show
        warnings.simplefilter("always", TaskspaceWarning)
        yield notes


def _portable(error: Exception) -> Exception:
    """The error with the worker's traceback as a note, or one like it where it cannot be pickled."""
    told = "".join(traceback.format_exception(error)).rstrip()
    plain = TaskspaceError(str(error)) if isinstance(error, TaskspaceError) else RuntimeError(repr(error))
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # bytes of our own
    except Exception:  # somebody else's class may raise anything
        copy = plain
    if str(copy) != str(error):
        copy = plain
    copy.add_note(f"In a worker:\n{told}")
    return copy
