"""How much is left, worked out by hand."""

from __future__ import annotations

import pytest

from taskspace.bench.transfer import Cell, Plan, Records, Run
from taskspace.bench.transfer.progress import Costs, Progress, shown, time_left
from taskspace.tuning.fine_tuning import FineTuning

PLAN = Plan(
    sources=("a", "b"),
    targets=("t", "u"),
    seeds=(0,),
    shots=10,
    source_rows=100,
    test_rows=40,
    on_source=FineTuning(epochs=2),
    on_target=FineTuning(epochs=4),
)
"""A run passes 3 · 10 · 4 + 40 = 160 rows, the tuning of a source 3 · 100 · 2 = 600."""


def run(source, target, seconds):
    return Run(Cell(source, target, 0), "accuracy", 0.5, seconds)


def test_costs_by_hand():
    assert Costs.seen(PLAN, [], {}) is None
    by_runs = Costs.seen(PLAN, [run("none", "t", 8.0), run("a", "t", 12.0), run("none", "u", 4.0)], {})
    assert by_runs == Costs({"t": 10.0, "u": 4.0}, 8.0, 8.0 * 600 / 160)
    assert by_runs.of([Cell("b", "t", 0), Cell("b", "u", 0), Cell("b", "new", 0)], 2) == 10 + 4 + 8 + 2 * 30
    by_tunings = Costs.seen(PLAN, [], {"a": 60.0})
    assert by_tunings == Costs({}, pytest.approx(16.0), 60.0)


def test_time_left_by_hand():
    assert time_left(left=100, whole=100, elapsed=3, workers=4) == 25  # nothing done yet
    assert time_left(left=100, whole=300, elapsed=50, workers=4) == 25  # two thirds took 50 s
    assert time_left(left=0, whole=300, elapsed=50, workers=4) == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than a minute"), (59.9, "less than a minute"), (60, "about 1 min"), (5341, "about 90 min"),
     (7199, "about 120 min"), (9000, "about 2.5 h")],
)  # fmt: skip
def test_times_as_people_say_them(seconds, said):
    assert shown(seconds) == said


def test_a_measurement_from_its_beginning_to_its_end(tmp_path):
    """Sources still to tune are in the estimate, each once; a tuning costs 600/160 of a run until one was timed."""
    records, told, now = Records(tmp_path / "runs.db", {}), [], [0.0]
    cells = list(PLAN.cells())  # none, a and b on t and on u
    progress = Progress(PLAN, records, cells, ["a", "b", "c"], told.append, clock=lambda: now[0])
    progress.begin(6)
    now[0] = 16.0
    records.add(run("none", "t", 16.0))
    progress.look()
    records.add_tuning("a", 100, 44.0)
    now[0] = 60.0
    progress.look()
    progress.look()
    for row, at in ((run("none", "u", 16.0), 76), (run("a", "t", 16.0), 92), (run("a", "u", 16.0), 108)):
        records.add(row)
        now[0] = at
        progress.look()
    records.add_tuning("b", 100, 44.0)
    records.add(run("b", "t", 16.0))
    now[0] = 168.0
    progress.look()
    records.add(run("b", "u", 16.0))
    progress.look()
    assert told == [
        "6 runs",
        "1 of 6: none to t, seed 0: 0.500; about 4 min left",  # 5 runs and 2 tunings of 60 s: 200 s
        "a is tuned, 44 s",
        "2 of 6: none to u, seed 0: 0.500; about 2 min left",  # 4 runs and a tuning of 44 s: 108 s
        "3 of 6: a to t, seed 0: 0.500; about 2 min left",
        "4 of 6: a to u, seed 0: 0.500; about 2 min left",  # 76 s
        "b is tuned, 44 s",
        "5 of 6: b to t, seed 0: 0.500; less than a minute left",
        "6 of 6: b to u, seed 0: 0.500",
    ]


def test_what_was_measured_before_foretells_the_rest(tmp_path):
    records, told = Records(tmp_path / "runs.db", {}), []
    cells = list(PLAN.cells())
    for row in (run("none", "t", 300.0), run("none", "u", 300.0)):
        records.add(row)
    records.add_tuning("a", 100, 100.0)
    Progress(PLAN, records, cells[2:], ["b"], told.append, workers=2).begin(6)
    assert told == ["6 runs, 2 of them done; about 11 min left"]  # 4 runs and a tuning, 1300 s, on two workers
