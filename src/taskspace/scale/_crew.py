"""The seam between the driver and the places where workers live."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any, Protocol

from taskspace.errors import SettingError
from taskspace.scale._worker import Plan

if TYPE_CHECKING:
    from taskspace.scale._outcomes import Source
    from taskspace.scale._worker import Lost, Reply
    from taskspace.space import Space


class Crew(Protocol):
    """Workers, by number.

    Each is asked one thing at a time, and answers once: a :class:`Reply`, or :class:`Lost` when it is gone.
    """

    @property
    def size(self) -> int:
        """How many there may be at a time."""
        ...

    def pack(self, source: Source) -> bytes:
        """How a source travels; raises whatever pickling raises."""
        ...

    def hire(self) -> int:
        """Start a worker; it answers once when it is there."""
        ...

    def ask(self, worker: int, verb: str, *given: Any) -> None:
        """Have a worker do what :class:`Worker` does under that name."""
        ...

    def share(self, value: Any) -> Any:
        """Something that may be given to any worker, in place of a large value."""
        ...

    def answer(self) -> tuple[int, Reply | Lost]:
        """Wait until any of them answers."""
        ...

    def let_go(self, worker: int) -> None:
        """End a worker, whatever it is doing."""
        ...

    def close(self) -> None:
        """End all of them."""
        ...


def plan_for(space: Space) -> Plan:
    """Raises :class:`SettingError` for a space that cannot leave this process."""
    try:
        packed = pickle.dumps(space)
    except Exception as error:  # pickling what others wrote raises anything
        raise SettingError(
            f"learner {space.learner.name!r} cannot be sent to a worker ({type(error).__name__}: {error}); use the"
            " local runner (--runner local)"
        ) from error
    return Plan(packed, space.identity, os.getcwd())  # noqa: PTH109  # a plain string travels between systems


def thread_variables(threads: int) -> dict[str, str]:
    """What the libraries that compute read when they are first imported.

    Sums are cut by the number of threads, so that the last digits of a number depend on it.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"TOKENIZERS_PARALLELISM": "false"}
