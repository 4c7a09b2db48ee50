"""CPU seconds of a process by what they went into; in a module of its own, so that workers can import it."""

from __future__ import annotations

import json
import os
import resource
import time
from contextlib import contextmanager
from pathlib import Path

from taskspace import Atlas, Space, Task
from taskspace.scale._desk import Desk
from taskspace.surrogates import Surrogate, _surrogate


class Clock:
    """CPU seconds so far by what they were for, and the file in which they are noted."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{os.getpid()}.json"
        self.spent: dict[str, float] = {}
        self.running = ["other"]
        self.since = time.process_time()

    @contextmanager
    def on(self, what: str):
        self._turn()
        self.running.append(what)
        try:
            yield
        finally:
            self._turn()
            self.running.pop()

    def _turn(self) -> None:
        now = time.process_time()
        self.spent[self.running[-1]] = self.spent.get(self.running[-1], 0.0) + now - self.since
        self.since = now

    def note(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.file.write_text(json.dumps(self.spent | {"all": time.process_time(), "peak_mb": peak}))


_clocks: list[Clock] = []


def clocked(folder: Path) -> Clock:
    """This process's clock; the first call winds up the functions that are timed.

    ``model`` is importing torch and loading the base model, once per process; ``groundwork`` the pool's features and
    what the learner fits to them, once per run.
    """
    if not _clocks:
        _clocks.append(Clock(folder))
        for place, name, what in (
            (Surrogate, "features", "features"), (Space, "groundwork", "groundwork"), (Space, "embed_many", "learn"),
            (Space, "prepare", "prepare"), (Atlas, "add", "write"), (Desk, "judge", "write"),
            (_surrogate, "require", "model"), (_surrogate, "read_weights", "model"),
            (_surrogate, "read_tokenizer", "model"),
        ):  # fmt: skip
            setattr(place, name, _timed(_clocks[0], getattr(place, name), what))
    return _clocks[0]


def _timed(clock: Clock, function, what: str):
    def run(*args, **kwargs):
        pool = what == "features" and "groundwork" in clock.running
        with clock.on("groundwork" if pool else what):
            made = function(*args, **kwargs)
        if what in ("learn", "groundwork"):
            clock.note()
        return made

    return run


def loaded(clocks: str, file: str) -> Task:
    """What a source does: in whatever process, the clock starts with its first."""
    with clocked(Path(clocks)).on("load"):
        return Task.from_file(file)
