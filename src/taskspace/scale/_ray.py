"""Workers that are actors of a Ray cluster, on this machine or on many."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, final

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.scale._crew import plan_for, thread_variables
from taskspace.scale._foreman import Foreman
from taskspace.scale._processes import require_counts, said_threads
from taskspace.scale._worker import Lost, Reply, Worker, perform

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from taskspace.scale._desk import Desk
    from taskspace.scale._outcomes import Outcome, Source
    from taskspace.scale._worker import Plan
    from taskspace.space import Space

_CARRIED = ("TASKSPACE_HOME", "HF_HUB_OFFLINE")
"""What the driver's environment says of these holds for the workers too; for all else, their machine's does."""


@final
@dataclass(frozen=True)
class Ray:
    """``workers`` actors of ``threads`` threads each, on the cluster at ``address``.

    By default there are as many as the cluster has GPUs, else as it has cores for; ``threads`` is what
    ``OMP_NUM_THREADS`` says, else 1.  More workers than GPUs share them evenly.

    A process that is connected to a cluster stays there.  Else, without ``address``, it is that of ``RAY_ADDRESS``,
    or one that is started on this machine and ended with the run.
    """

    workers: int | None = None
    address: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        require_counts(workers=self.workers, threads=self.threads)

    def run(self, space: Space, sources: Iterable[Source], desk: Desk) -> Iterator[Outcome]:
        ray = require("ray", extra="ray", why="the Ray runner")
        plan = plan_for(space)
        with _connected(ray, self.address), contextlib.closing(self._crew(ray, plan)) as crew:
            yield from Foreman(space, desk, crew).run(sources)

    def _crew(self, ray: Any, plan: Plan) -> _Crew:
        threads = self.threads or said_threads() or 1
        size, gpus = shares(ray.cluster_resources(), self.workers, threads)
        require_room(ray.nodes(), threads, gpus)
        options = {
            "num_cpus": threads,
            "num_gpus": gpus,
            "max_restarts": 0,  # a fresh one is hired, which knows what it has yet to do
            "runtime_env": {"env_vars": thread_variables(threads) | _carried()},
        }
        return _Crew(ray, plan, size, options)


def shares(there: Mapping[str, float], workers: int | None, threads: int) -> tuple[int, float]:
    """How many workers, and how much of a GPU each has, so that as many as were asked for fit."""
    gpus = int(there.get("GPU", 0))
    size = workers or gpus or max(1, int(there.get("CPU", 1)) // threads)
    return size, 1 / ceil(size / gpus) if gpus else 0.0


def require_room(nodes: Iterable[Mapping[str, Any]], threads: int, gpus: float) -> None:
    """Raise :class:`SettingError` where no machine of the cluster can ever take a worker, as Ray would wait for one."""
    there = [node["Resources"] for node in nodes if node["Alive"]]
    fitting = [each for each in there if each.get("GPU", 0) >= gpus]
    most = int(max((each.get("CPU", 0) for each in fitting), default=0))
    if threads > most:
        kind = "machine with a GPU" if gpus else "machine"
        raise SettingError(
            f"a worker of {threads} threads fits no {kind} of the Ray cluster, of which the largest has {most} cores;"
            " give it fewer (OMP_NUM_THREADS), or add such a machine"
        )


def _carried() -> dict[str, str]:
    return {name: os.environ[name] for name in _CARRIED if name in os.environ}


@contextlib.contextmanager
def _connected(ray: Any, address: str | None) -> Generator[None]:
    """A connection that is there already is used and left as it is."""
    if ray.is_initialized():
        yield
        return
    local = address is None and "RAY_ADDRESS" not in os.environ
    more: dict[str, Any] = {"address": "local", "include_dashboard": False} if local else {"address": address}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(**more, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        told = str(error).strip().partition("\n")[0].rstrip(".")
        raise SettingError(f"there is no Ray cluster to work on ({told}); start one, or check --address") from error
    try:
        yield
    finally:
        ray.shutdown()


class _Actor:
    """A worker on a cluster."""

    def __init__(self, plan: Plan) -> None:
        self._worker = Worker(plan)

    def start(self) -> Reply:
        return Reply()

    def perform(self, verb: str, *given: Any) -> Reply | Lost:
        return perform(self._worker, verb, given)


@final
class _Crew:
    """Requests are futures; what is shared lies once in each machine's object store, where actors read it in place."""

    def __init__(self, ray: Any, plan: Plan, size: int, options: dict[str, Any]) -> None:
        self.size = size
        self._ray = ray
        self._plan = ray.put(plan)
        self._actor = ray.remote(_Actor).options(**options)
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}
        self._answered: list[Any] = []
        self._hired = 0

    def pack(self, source: Source) -> bytes:
        """With Ray's own pickling, which takes closures along."""
        return self._ray.cloudpickle.dumps(source.load)

    def hire(self) -> int:
        self._hired += 1
        actor = self._actors[self._hired] = self._actor.remote(self._plan)
        self._asked[actor.start.remote()] = self._hired
        return self._hired

    def ask(self, worker: int, verb: str, *given: Any) -> None:
        self._asked[self._actors[worker].perform.remote(verb, *given)] = worker

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def answer(self) -> tuple[int, Reply | Lost]:
        if not self._answered:
            asked = list(self._asked)
            self._ray.wait(asked, num_returns=1)
            self._answered, _ = self._ray.wait(asked, num_returns=len(asked), timeout=0)
        done = self._answered.pop()
        worker = self._asked.pop(done)
        try:
            return worker, self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            return worker, Lost(_ending(self._ray, error))

    def let_go(self, worker: int) -> None:
        self._ray.kill(self._actors.pop(worker))

    def close(self) -> None:
        for worker in list(self._actors):
            self.let_go(worker)
        self._asked.clear()


def _ending(ray: Any, error: Exception) -> str:
    kinds = ray.exceptions
    if isinstance(error, kinds.OutOfMemoryError):
        return "ran out of memory"
    if isinstance(error, kinds.RayActorError):
        return "were killed, or lost their machine,"
    return f"failed ({type(error).__name__})"
