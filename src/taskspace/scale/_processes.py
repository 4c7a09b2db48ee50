"""Workers that are processes of this machine."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, final

from tqdm import tqdm

from taskspace.errors import SettingError
from taskspace.scale._crew import plan_for, thread_variables
from taskspace.scale._foreman import Foreman
from taskspace.scale._worker import Lost, Reply, Worker, perform

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from taskspace.scale._desk import Desk
    from taskspace.scale._outcomes import Outcome, Source
    from taskspace.scale._worker import Plan
    from taskspace.space import Space

_PATIENCE = 10.0
"""Seconds in which a process that was told to end has to."""


@final
@dataclass(frozen=True)
class Processes:
    """``workers`` processes (by default one per core) of ``threads`` threads each.

    ``threads`` is by default what ``OMP_NUM_THREADS`` says, else this machine's cores shared among the workers.
    """

    workers: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        require_counts(workers=self.workers, threads=self.threads)

    def run(self, space: Space, sources: Iterable[Source], desk: Desk) -> Iterator[Outcome]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        size = self.workers or cores
        crew = _Crew(plan_for(space), size, self.threads or said_threads() or max(1, cores // size))
        with contextlib.closing(crew):
            yield from Foreman(space, desk, crew).run(sources)


def require_counts(**counts: int | None) -> None:
    """Raise :class:`SettingError` unless each is left out or at least 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise SettingError(f"{name} is {count}; it must be at least 1")


def said_threads() -> int | None:
    """What ``OMP_NUM_THREADS`` says, if it says a number."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else None


@final
class _Crew:
    """Each worker has a pipe of its own: whatever becomes of one, the others are heard."""

    def __init__(self, plan: Plan, size: int, threads: int) -> None:
        self.size = size
        self._plan = plan
        self._variables = thread_variables(threads)
        self._pipes: dict[int, Any] = {}  # of another class on each system
        self._processes: dict[int, SpawnProcess] = {}
        self._hired = 0

    def pack(self, source: Source) -> bytes:
        return pickle.dumps(source.load)

    def hire(self) -> int:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._hired += 1
        process = context.Process(target=_work, args=(theirs, self._plan), name=f"taskspace-{self._hired}", daemon=True)
        with _environment(self._variables), _interrupts_held():
            process.start()
        theirs.close()
        self._pipes[self._hired], self._processes[self._hired] = ours, process
        return self._hired

    def ask(self, worker: int, verb: str, *given: Any) -> None:
        with contextlib.suppress(OSError):  # it is gone, as the next answer will say
            self._pipes[worker].send((verb, given))

    def share(self, value: Any) -> Any:
        return value

    def answer(self) -> tuple[int, Reply | Lost]:
        numbers = {pipe: number for number, pipe in self._pipes.items()}
        ready: Any = wait(list(numbers))[0]
        try:
            return numbers[ready], ready.recv()
        except (EOFError, OSError):  # also in the middle of an answer
            process = self._processes[numbers[ready]]
            process.join(_PATIENCE)
            return numbers[ready], Lost(_ending(process.exitcode))

    def let_go(self, worker: int) -> None:
        self._pipes.pop(worker).close()
        self._end([self._processes.pop(worker)])

    def close(self) -> None:
        for pipe in self._pipes.values():
            pipe.close()
        self._end(list(self._processes.values()))
        self._pipes.clear()
        self._processes.clear()

    @staticmethod
    def _end(processes: list[SpawnProcess]) -> None:
        """Nothing is lost by it: what workers write, they write whole or not at all."""
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _work(pipe: Connection[Any, Any], plan: Plan) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which then ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tqdm.set_lock(threading.RLock())  # its own lock spans processes, and would be told of as lost where one is ended
    worker = Worker(plan)
    pipe.send(Reply())
    with contextlib.suppress(EOFError, OSError):  # the driver is gone
        while True:
            verb, given = pipe.recv()
            pipe.send(perform(worker, verb, given))


def _end_with_parent() -> None:
    """Also in the middle of work: a driver that was killed leaves nothing behind."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _ending(code: int | None) -> str:
    if code is None:
        return "stopped answering"
    return f"were killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Generator[None]:
    """What a process started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_held() -> Generator[None]:
    """A process started meanwhile never sees Ctrl-C, not even while it imports."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
