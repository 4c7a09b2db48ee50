"""The seam: what a labeler is, and how the pool is put to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import numpy as np

from taskspace.errors import LabelerError, SettingError, TaskspaceError, did_you_mean
from taskspace.labelers._answers import checked, to_answers
from taskspace.labelers._origin import labeler_origin
from taskspace.labelers._rows import rows_of
from taskspace.labels import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from taskspace.task import Inputs, Pool

Reads: TypeAlias = Literal["texts", "pairs", "both"]
LabelerKind: TypeAlias = Literal["model", "prompt", "adapter"]

_READS = ("texts", "pairs", "both")
_ROWS_READ = {"texts": "single texts", "pairs": "text pairs"}

T = TypeVar("T")


@runtime_checkable
class Labeler(Protocol):
    """Anything that answers texts with class probabilities, labels or numbers.

    ``reads`` says which rows of a pool it is given: single texts, pairs, or all.  ``fingerprint`` is
    the same in every process as long as the answers are.  ``provenance`` holds plain JSON values.
    ``answer`` gives one row per row of ``inputs``.

    A labeler that has to see the pool first, or can show how far it is, also has
    :meth:`SeesPool.for_pool`.
    """

    @property
    def name(self) -> str: ...
    @property
    def reads(self) -> Reads: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def kind(self) -> LabelerKind: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    def answer(self, inputs: Inputs) -> Answers: ...


@runtime_checkable
class SeesPool(Protocol):
    """Optional for a labeler: :func:`ask` calls this first and puts the pool to what comes back."""

    def for_pool(self, pool: Pool, *, progress: bool) -> Labeler: ...


def ask(labeler: Labeler, pool: Pool, *, progress: bool = False) -> tuple[Inputs, Answers]:
    """Put the part of the pool that the labeler reads to it; give that part and its answers, checked.

    Raises :class:`LabelerError` when the pool has no such rows, or the answers are not one row of
    class probabilities (or one number) per text.
    """
    if not isinstance(labeler, Labeler):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise LabelerError(
            f"a {type(labeler).__name__} is not a labeler; "
            f"wrap it with taskspace.labelers.from_callable or from_sklearn"
        )
    if isinstance(labeler, SeesPool):
        labeler = cast("SeesPool", labeler).for_pool(pool, progress=progress)
    who = labeler_origin(labeler.name)
    inputs = part_of(pool, labeler.reads, str(who))
    given: Any = running(lambda: labeler.answer(inputs), f"{who} failed on the pool's {len(inputs)} rows")
    if isinstance(given, Answers):
        return inputs, checked(given, len(inputs), who)
    return inputs, to_answers(rows_of(given, len(inputs), str(who)), who)


def part_of(pool: Pool, reads: Reads, who: str) -> Inputs:
    """The rows of the pool that something reads, in pool order."""
    if reads not in _READS:
        raise LabelerError(f"{who} reads {reads!r}, which is not one of 'texts', 'pairs', 'both'")
    if reads == "both":
        return pool.inputs
    wanted = pool.inputs.is_pair == (reads == "pairs")
    if not wanted.any():
        raise LabelerError(
            f"{who} reads {_ROWS_READ[reads]}, but the pool's {len(pool)} rows hold none; "
            f"add some to the pool, or say what else it reads"
        )
    return pool.inputs.take(np.flatnonzero(wanted))


def running(call: Callable[[], T], failed: str) -> T:
    """Run code that is not ours; what it raises becomes a :class:`LabelerError` that opens with ``failed``."""
    try:
        return call()
    except TaskspaceError:
        raise
    except (Exception, SystemExit) as error:  # sys.exit would end the run of all other labelers too
        raise LabelerError(f"{failed} with {first_line(error)}; mend it, then run again") from error


def first_line(error: BaseException) -> str:
    """Type and first line of somebody else's error, at most 200 characters."""
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
    return (said if len(said) <= 200 else f"{said[:199]}…").rstrip(".;")


def require_name(name: str) -> str:
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"labeler name {name!r} is empty; give it a name to be found by")
    return name


def require_reads(reads: str) -> Reads:
    if reads not in _READS:
        raise SettingError(f"a labeler cannot read {reads!r}{did_you_mean(str(reads), _READS)}")
    return reads
