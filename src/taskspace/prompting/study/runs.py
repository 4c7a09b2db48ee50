"""The record of a study: one JSON line per finished run, so that a killed study goes on where it stood."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Part: TypeAlias = Literal["sources", "mixed", "pairs", "shots"]

PARTS: tuple[Part, ...] = ("sources", "mixed", "pairs", "shots")
NAME = "runs.jsonl"

Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One score, and all that says where it belongs.

    ========= ============================ ================================== =================================
    part      what was scored on ``task``  ``method``                         also set
    ========= ============================ ================================== =================================
    sources   its own prompt               "tuned"; "start": the init, as is  ``init``
    mixed     P0' + scale · its vector     "tuned"                            ``foreign``: the id of P0'
    pairs     P0 + scale · (both vectors)  "tpv", or another combiner         ``other``: the second task, ``scale``
    shots     a start tuned on k examples  a name of ``transfer.METHODS``     ``shots``; ``other``: the source
                                                                              task of method "single"
    ========= ============================ ================================== =================================

    ``score`` is in the metric's own units, higher is better.  ``split`` is "test" or "validation" (a λ and a best
    single source are chosen on validation).  ``extra`` holds what else is worth keeping: steps, norms, seconds.

    Raises :class:`DataError` for a score that is not a number and for a part that lacks what it needs.
    """

    part: Part
    task: str
    metric: str
    score: float
    split: str = "test"
    method: str = "tuned"
    init: int = 0
    foreign: int | None = None
    other: str | None = None
    scale: float = 1.0
    shots: int | None = None
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    def __post_init__(self) -> None:
        for name, kind, optional in _KINDS:
            value = getattr(self, name)
            if not (isinstance(value, kind) and not isinstance(value, bool)) and not (optional and value is None):
                raise DataError(f"a run's {name} is {value!r}; give {_WORDS[kind]}")
        if self.part not in PARTS:
            raise DataError(f"a run's part is {self.part!r}; give one of {', '.join(PARTS)}")
        for name in ("score", "scale"):
            if not isfinite(getattr(self, name)):
                raise DataError(f"the {name} of a run on {self.task!r} is {getattr(self, name)}; give a finite number")
        needed = {"mixed": "foreign", "pairs": "other", "shots": "shots"}.get(self.part)
        if needed and getattr(self, needed) is None:
            raise DataError(f"a run of part {self.part!r} on {self.task!r} has no {needed!r}; give it")

    @property
    def key(self) -> Key:
        """What tells one run from another: everything but its score and ``extra``."""
        return tuple(round(getattr(self, name), 9) if name == "scale" else getattr(self, name) for name in _KEY)

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values; numpy's numbers become plain ones."""
        whole = {name: _plain(getattr(self, name)) for name in (each.name for each in fields(self))}
        return {**whole, "extra": {name: _plain(value) for name, value in self.extra.items()}}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Run:
        """A run from :meth:`to_dict`'s form; a field it does not know, or lacks, is a :class:`DataError`."""
        known = {each.name for each in fields(cls)}
        if odd := sorted(set(said) - known):
            raise DataError(f"a run has the unknown field {odd[0]!r}; it may have {', '.join(sorted(known))}")
        if missing := [name for name in ("part", "task", "metric", "score") if name not in said]:
            raise DataError(f"a run has no {missing[0]!r}; give it")
        return cls(**said)


_KINDS: tuple[tuple[str, type, bool], ...] = (
    ("part", str, False), ("task", str, False), ("metric", str, False), ("score", Real, False),
    ("split", str, False), ("method", str, False), ("init", Integral, False), ("foreign", Integral, True),
    ("other", str, True), ("scale", Real, False), ("shots", Integral, True), ("seed", Integral, False),
    ("extra", dict, False),
)  # fmt: skip
_WORDS: dict[type, str] = {str: "a string", Real: "a number", Integral: "a whole number", dict: "a dictionary"}
_KEY = tuple(name for name, _, _ in _KINDS if name not in ("score", "extra"))


def append(path: Path, *runs: Run) -> None:
    """Add finished runs, a line each, in one write, and see them onto the disk.  One writer at a time.

    A half line that a killed writer left is cut off first, so that it does not spoil the new ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(run.to_dict(), ensure_ascii=False).encode() + b"\n" for run in runs)
    with path.open("a+b") as file:
        file.seek(0)
        if tail := _tail(file.read()):
            if _parsed(tail) is None:
                file.truncate(file.seek(0, os.SEEK_END) - len(tail))
            else:
                lines = b"\n" + lines
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def read_runs(path: Path) -> tuple[Run, ...]:
    """Every finished run in order; of two with one key the later replaces the earlier.

    A last line without its end is a run that did not finish, and is passed over.  No file: no runs.

    Raises :class:`DataError` for any other line that is not a run.
    """
    if not path.exists():
        return ()
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give a file of runs") from error
    tail = _tail(raw)
    lines = raw[: len(raw) - len(tail)].split(b"\n") + ([tail] if _parsed(tail) is not None else [])
    runs = [_run(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]
    return tuple({run.key: run for run in runs}.values())


def of_main_metric(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs whose metric is that of their task's first run: a table must not average two metrics."""
    runs = tuple(runs)
    metric = {run.task: run.metric for run in reversed(runs)}
    return tuple(run for run in runs if run.metric == metric[run.task])


def _tail(raw: bytes) -> bytes:
    """What stands after the last line's end."""
    return raw[raw.rfind(b"\n") + 1 :]


def _parsed(line: bytes) -> Any:
    """The JSON value of a line, ``None`` where it is not one."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _run(line: bytes, path: Path, number: int) -> Run:
    said = _parsed(line)
    mend = f"line {number} of {path} is not a finished run"
    if not isinstance(said, dict):
        raise DataError(f"{mend} but {line[:40].decode(errors='replace')!r}; delete that line to have it run again")
    try:
        return Run.from_dict(said)
    except DataError as error:
        why = str(error).partition(";")[0]
        raise DataError(f"{mend} ({why}); delete that line to have it run again") from error


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's own number."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value
