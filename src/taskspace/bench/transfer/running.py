"""Run what a plan has and a record has not."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, final

from taskspace.bench.transfer.plan import NO_TRANSFER, Cell, Plan
from taskspace.bench.transfer.progress import Progress
from taskspace.bench.transfer.records import Records, Run
from taskspace.bench.transfer.rows import contents, metric_of, require_measurable, rows_for_test, source_rows
from taskspace.bench.transfer.table import write_csv
from taskspace.bench.transfer.weights import keep_source, require_made, tuned_source, untuned
from taskspace.labels import Classes, Numbers
from taskspace.tuning.fine_tuning import FineTuned, fine_tune
from taskspace.tuning.metrics import metric_named
from taskspace.tuning.splits import Splits, k_shot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.bench.transfer.rows import Data
    from taskspace.surrogates import Surrogate
    from taskspace.task import Task

DATABASE, TABLE = "runs.db", "transfers.csv"


def measure_transfers(
    plan: Plan,
    data: Data,
    surrogate: Surrogate,
    folder: Path,
    *,
    share: tuple[int, int] = (0, 1),
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Measure every transfer of the plan that ``folder`` does not hold yet; gives back its CSV.

    ``data`` has the rows of each task by name; a source may be :class:`Distilled`.  Runs go to ``runs.db`` as they end,
    so that a stopped measurement goes on where it was; the tuned sources are kept in ``models``.  ``share=(i, n)`` does
    the i-th of n parts, from 0, for one process of several; a part has whole sources.  ``tell`` hears a line per run,
    with what is left of the time.

    Raises :class:`DataError` where the folder holds runs under other settings or from other rows, and for tasks that
    cannot be learned or tested.
    """
    records = begun(plan, data, surrogate, folder)
    mine = plan.share(*share)
    cells = missing(records, mine)
    bench = _Bench(plan, data, surrogate, folder, records)
    progress = Progress(plan, records, cells, untuned(folder, plan.sources), tell)
    progress.begin(len(mine))
    try:
        for cell in cells:
            bench.prepare(cell)
            progress.look()
            records.add(bench.run(cell))
            progress.look()
    finally:  # also of a measurement that is stopped
        table = write_csv(folder / TABLE, records.runs())
    return table


def begun(plan: Plan, data: Data, surrogate: Surrogate, folder: Path) -> Records:
    """The records in the folder, after checking that the plan can be measured and belongs there."""
    require_measurable(plan, data)
    return Records(folder / DATABASE, plan.settings(surrogate.fingerprint), contents(plan, data))


def missing(records: Records, cells: Iterable[Cell]) -> list[Cell]:
    """Those that have not been run."""
    done = {run.cell for run in records.runs()}
    return [cell for cell in cells if cell not in done]


@final
class _Bench:
    """The model, the rows, and the source that was used last."""

    def __init__(self, plan: Plan, data: Data, surrogate: Surrogate, folder: Path, records: Records) -> None:
        self._plan = plan
        self._data = data
        self._surrogate = surrogate
        self._folder = folder
        self._records = records
        self._last: tuple[str, Mapping[str, NDArray[np.float32]] | None] = NO_TRANSFER, None

    def prepare(self, cell: Cell) -> None:
        """Have the source's weights at hand, tuned now if need be."""
        name = cell.source
        if self._last[0] != name:
            self._last = name, None if name == NO_TRANSFER else self._source(name)

    def run(self, cell: Cell) -> Run:
        """The run from the source that was prepared."""
        began = time.perf_counter()
        rows = self._data[cell.target]
        assert isinstance(rows, Splits)  # noqa: S101  # looked at before
        train, test = k_shot(rows.train, self._plan.shots, cell.seed), rows_for_test(rows, self._plan.test_rows)
        tuned = fine_tune(self._surrogate, train, self._plan.on_target, seed=cell.seed, start=self._last[1])
        metric = metric_of(self._plan.metric, test).name
        return Run(cell, metric, score_of(tuned, test, metric), time.perf_counter() - began)

    def _source(self, name: str) -> Mapping[str, NDArray[np.float32]]:
        rows = self._data[name]
        made = {
            "model": self._surrogate.fingerprint,
            "from": rows.train.fingerprint if isinstance(rows, Splits) else rows.fingerprint,
            "rows": self._plan.source_rows,
            "how": asdict(self._plan.on_source),
        }
        require_made(self._folder, name, made)
        known = tuned_source(self._folder, name)
        if known is not None:
            return known
        began = time.perf_counter()
        taught = source_rows(rows, self._plan.source_rows)
        state = fine_tune(self._surrogate, taught, self._plan.on_source, seed=0).state()
        keep_source(self._folder, name, state, made)
        self._records.add_tuning(name, len(taught), time.perf_counter() - began)
        return state


def score_of(tuned: FineTuned, test: Task, metric: str) -> float:
    """The metric of the most likely classes, or of the numbers, on a task's rows."""
    labels, said = test.stated_labels, tuned.logits(test)
    if isinstance(labels, Numbers):
        return metric_named(metric)(labels.values.tolist(), said[:, 0].tolist())
    assert isinstance(labels, Classes)  # noqa: S101  # looked at before
    return metric_named(metric)(labels.codes.tolist(), said.argmax(axis=1).tolist(), classes=range(len(labels.names)))
