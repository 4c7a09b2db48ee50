"""Several processes that measure one plan together, each its share of the sources.

They speak through the records: what a process has finished stands there, whatever becomes of the process.
"""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.bench.transfer.progress import Progress
from taskspace.bench.transfer.running import TABLE, begun, measure_transfers, missing
from taskspace.bench.transfer.table import write_csv
from taskspace.bench.transfer.weights import untuned
from taskspace.errors import SettingError, TaskspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from taskspace.bench.transfer.plan import Plan
    from taskspace.bench.transfer.rows import Data
    from taskspace.surrogates import Surrogate

_EVERY = 0.5
"""Seconds between two looks at the records."""

_SIGNALLED = 128
"""Exit codes above it tell of a signal that was caught."""


@dataclass(frozen=True, eq=False)
class _Worker:
    """A process, what it is called, and a pipe on which it says why it gave up."""

    name: str
    process: BaseProcess
    said: Any  # a class of its own on each platform

    def fate(self) -> str:
        """How it ended, in a sentence; empty where it did all it had to."""
        code = self.process.exitcode
        if not code:
            return ""
        if code < 0 or code > _SIGNALLED:
            return f"{self.name} was ended by {_signal(-code if code < 0 else code - _SIGNALLED)}"
        with contextlib.suppress(EOFError):
            return f"{self.name} gave up: {self.said.recv()}"
        return f"{self.name} broke off with exit code {code}"


def measure_together(
    plan: Plan,
    data: Data,
    surrogate: Surrogate,
    folder: Path,
    *,
    workers: int,
    threads: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """As :func:`measure_transfers`, in ``workers`` processes of ``threads`` threads; gives what befell those that died.

    ``tell`` hears of each run and of each process that dies; the others go on, and the next call does what is left.
    """
    if workers < 1 or threads < 1:
        raise SettingError(f"{workers} workers of {threads} threads cannot work; give at least 1 of each")
    workers = min(workers, 1 + len(plan.sources))  # a source is one process's alone
    records = begun(plan, data, surrogate, folder)
    everything = list(plan.cells())
    cells = missing(records, everything)
    progress = Progress(plan, records, cells, untuned(folder, plan.sources), tell, workers=workers)
    progress.begin(len(everything))
    try:
        with _started(workers if cells else 0, (plan, data, _unloaded(surrogate), folder, threads)) as team:
            return _watched(team, progress, tell)
    finally:  # also of a measurement that is stopped
        write_csv(folder / TABLE, records.runs())


def _watched(team: Sequence[_Worker], progress: Progress, tell: Callable[[str], None]) -> list[str]:
    """Until the last has ended: what befell those that did not end well."""
    befell: list[str] = []
    running = list(team)
    while running:
        wait([worker.process.sentinel for worker in running], timeout=_EVERY)
        ended = [worker for worker in running if not worker.process.is_alive()]
        progress.look()
        for worker in ended:
            worker.process.join()
            why = worker.fate()
            if why:
                befell.append(why)
                tell(why)
        running = [worker for worker in running if worker not in ended]
    return befell


def _unloaded(surrogate: Surrogate) -> Surrogate:
    """The same without its weights, which each process reads for itself."""
    light = copy.copy(surrogate)
    for name in ("module", "_weights", "tokenizer"):
        vars(light).pop(name, None)
    return light


@contextlib.contextmanager
def _started(count: int, job: tuple[Any, ...]) -> Generator[list[_Worker]]:
    """Processes at work; those that still are when the block ends are told to stop, and waited for."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit threads and open files
    team: list[_Worker] = []
    try:
        with _deaf():
            for part in range(count):
                hear, say = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(*job, (part, count), say), daemon=True)
                process.start()
                say.close()  # the process has its own end
                team.append(_Worker(f"worker {part + 1} of {count}", process, hear))
        yield team
    finally:
        for worker in team:
            worker.process.terminate()
        for worker in team:
            worker.process.join()
            worker.said.close()


@contextlib.contextmanager
def _deaf() -> Generator[None]:
    """Processes started here do not hear Ctrl-C, which goes to the whole group: the first process stops them."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(
    plan: Plan,
    data: Data,
    surrogate: Surrogate,
    folder: Path,
    threads: int,
    share: tuple[int, int],
    say: Any,
) -> None:
    """A process's own share."""
    signal.signal(
        signal.SIGTERM, lambda number, _: _leave(_SIGNALLED + number)
    )  # so that half-written files are removed
    try:
        require("torch", extra="embed", why="fine-tuning").set_num_threads(threads)
        measure_transfers(plan, data, surrogate, folder, share=share, tell=_unless_orphaned)
    except TaskspaceError as error:
        say.send(str(error))
        _leave(2)


def _unless_orphaned(_: str) -> None:
    """Stop where the process that watches over this one is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        _leave(1)


def _leave(code: int) -> None:
    raise SystemExit(code)


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
