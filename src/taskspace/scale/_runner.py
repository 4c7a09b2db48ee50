"""Where the work of a run is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from taskspace.errors import SettingError, did_you_mean
from taskspace.scale._local import Local
from taskspace.scale._processes import Processes
from taskspace.scale._ray import Ray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from taskspace.scale._desk import Desk
    from taskspace.scale._outcomes import Outcome, Source
    from taskspace.space import Space

RUNNERS = ("local", "processes", "ray")


class Runner(Protocol):
    """A way to get through many sources."""

    def run(self, space: Space, sources: Iterable[Source], desk: Desk) -> Iterator[Outcome]:
        """Tell what becomes of each, in their order; the desk decides and writes."""
        ...


def runner_named(name: str, *, workers: int | None = None, address: str | None = None) -> Runner:
    """The runner called ``local``, ``processes`` or ``ray``; raises :class:`SettingError` for what it does not take."""
    if name not in RUNNERS:
        raise SettingError(f"runner {name!r} is not known{did_you_mean(name, RUNNERS)}")
    if address is not None and name != "ray":
        raise SettingError(f"runner {name!r} has no cluster; leave --address out, or say --runner ray")
    if name == "ray":
        return Ray(workers, address)
    if name == "processes":
        return Processes(workers)
    if workers is not None:
        raise SettingError("the local runner works in this process; leave --workers out, or say --runner processes")
    return Local()
