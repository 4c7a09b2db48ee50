"""A ground truth of toy tasks on the microscopic encoder, measured once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from taskspace.bench.transfer import Plan, Records, measure_transfers
from taskspace.tuning.fine_tuning import FineTuning
from taskspace.tuning.splits import split

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(
    sources=("mood", "topic", "echo"),
    targets=("trip", "mood"),
    seeds=(0, 1),
    shots=8,
    source_rows=24,
    test_rows=20,
    on_source=FineTuning(epochs=1, rate=1e-3, head_rate=1e-2, batch=8),
    on_target=FineTuning(epochs=1, rate=1e-2, head_rate=1e-1, batch=4),
)


@pytest.fixture(scope="session")
def plan():
    return PLAN


@pytest.fixture(scope="session")
def data(make_tasks):
    """Splits by name, of five tasks."""
    train, test = make_tasks(rows=40, seed=0), make_tasks(rows=20, seed=1)
    return {name: split(train[name], test[name], seed=0, validation=None, overlap="drop") for name in train}


@dataclass(frozen=True)
class Measured:
    """A measurement: where it lies, and what it told."""

    folder: Path
    told: list[str]

    @property
    def scores(self):
        return {run.cell: run.score for run in Records(self.folder / "runs.db").runs()}


@pytest.fixture(scope="session")
def measure(encoder, data):
    """``measure(folder, plan=PLAN, share=(0, 1), data=…)`` gives what it told."""

    def run(folder, plan=PLAN, share=(0, 1), data=data):
        told = []
        measure_transfers(plan, data, encoder, folder, share=share, tell=told.append)
        return Measured(folder, told)

    return run


@pytest.fixture(scope="session")
def whole(tmp_path_factory, measure):
    """An unbroken measurement; not to be written to."""
    return measure(tmp_path_factory.mktemp("whole"))
