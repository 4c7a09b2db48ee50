"""How far a measurement is and how long it will take, told from its records alone.

So it does not matter which of several processes did what, nor whether one of them died.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, final

from taskspace.bench.transfer.plan import NO_TRANSFER, Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from taskspace.bench.transfer.plan import Plan
    from taskspace.bench.transfer.records import Records, Run
    from taskspace.tuning.fine_tuning import FineTuning

_BACKWARD = 2
"""A backward pass costs about two forward ones."""


@dataclass(frozen=True)
class Costs:
    """Seconds that one process needs: for a run on each target so far, for any run, and to tune a source."""

    by_target: Mapping[str, float]
    run: float
    tuning: float

    @classmethod
    def seen(cls, plan: Plan, runs: Iterable[Run], tunings: Mapping[str, float]) -> Costs | None:
        """Means of what was measured; what was not is judged by the passes it takes.  None where nothing was."""
        found: dict[str, list[float]] = defaultdict(list)
        for run in runs:
            found[run.cell.target].append(run.seconds)
        ratio = _passes(plan.on_source, plan.source_rows) / (_passes(plan.on_target, plan.shots) + plan.test_rows)
        tuning = fmean(tunings.values()) if tunings else None
        if found:
            usual = fmean(seconds for each in found.values() for seconds in each)
        elif tuning is not None:
            usual = tuning / ratio
        else:
            return None
        by_target = {target: fmean(each) for target, each in found.items()}
        return cls(by_target, usual, usual * ratio if tuning is None else tuning)

    def of(self, cells: Iterable[Cell], tunings: int) -> float:
        """Seconds of work in these runs, and in so many sources still to tune."""
        return sum(self.by_target.get(cell.target, self.run) for cell in cells) + tunings * self.tuning


@final
class Progress:
    """Tells each run of ``cells`` once, with an estimate of the time left to all of them.

    ``untuned`` are the sources among them that have to be tuned first; ``workers`` processes share the work.
    """

    def __init__(
        self,
        plan: Plan,
        records: Records,
        cells: Sequence[Cell],
        untuned: Iterable[str],
        tell: Callable[[str], None],
        *,
        workers: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._plan = plan
        self._records = records
        self._cells = cells
        self._untuned = {*untuned} & {cell.source for cell in cells} - {NO_TRANSFER}
        self._waiting = dict.fromkeys(cells)
        self._to_tune = set(self._untuned)
        self._before = records.tunings()
        self._tell = tell
        self._workers = workers
        self._clock = clock
        self._began = clock()

    def begin(self, total: int) -> None:
        """Say what there is to do, out of so many runs."""
        if self._cells:
            done = f", {total - len(self._cells)} of them done" if total > len(self._cells) else ""
            self._tell(f"{total} runs{done}{self._left(self._records.runs(), self._records.tunings())}")

    def look(self) -> None:
        """Tell what has come since."""
        runs, tunings = self._records.runs(), self._records.tunings()
        for source in sorted(self._to_tune & tunings.keys()):
            if tunings[source] != self._before.get(source):
                self._to_tune.remove(source)
                self._tell(f"{source} is tuned, {tunings[source]:.0f} s")
        for run in runs:
            if run.cell in self._waiting:
                del self._waiting[run.cell]
                self._to_tune.discard(run.cell.source)
                count = len(self._cells) - len(self._waiting)
                said = f"{count} of {len(self._cells)}: {run.cell.source} to {run.cell.target}, seed {run.cell.seed}: "
                self._tell(f"{said}{run.score:.3f}{self._left(runs, tunings)}")

    def _left(self, runs: Sequence[Run], tunings: Mapping[str, float]) -> str:
        costs = Costs.seen(self._plan, runs, tunings)
        if costs is None or not self._waiting:
            return ""
        left, whole = costs.of(self._waiting, len(self._to_tune)), costs.of(self._cells, len(self._untuned))
        return f"; {shown(time_left(left, whole, self._clock() - self._began, self._workers))} left"


def time_left(left: float, whole: float, elapsed: float, workers: int) -> float:
    """Seconds until ``left`` of ``whole`` seconds of work are done, at the pace seen since the beginning.

    Before anything is done the pace is that of earlier runs, the work divided evenly.
    """
    done = whole - left
    return elapsed * left / done if done > 0 else left / workers


def shown(seconds: float) -> str:
    """``about 90 min``; minutes are rounded up."""
    if seconds < 60:
        return "less than a minute"
    return f"about {math.ceil(seconds / 60)} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


def _passes(how: FineTuning, rows: int) -> int:
    """Rows read, a backward pass counted as :data:`_BACKWARD` forward ones."""
    return (1 + _BACKWARD) * rows * how.epochs
