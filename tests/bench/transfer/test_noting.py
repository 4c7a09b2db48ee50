"""Measured transfers in an atlas."""

from __future__ import annotations

from taskspace.atlas import Atlas
from taskspace.bench.transfer import Cell, Run, note_transfers


def run(source, seed, score, target="t"):
    return Run(Cell(source, target, seed), "accuracy", score, 1.0)


def test_each_transfer_is_noted_once(tmp_path):
    runs = [run("none", 0, 0.5), run("a", 0, 0.625), run("a", 1, 0.75), run("b", 0, 0.25)]
    with Atlas(tmp_path / "my.db") as atlas:
        assert note_transfers(atlas, runs) == 2  # seed 1 has no baseline yet
        assert note_transfers(atlas, runs) == 0
        assert note_transfers(atlas, [*runs, run("none", 1, 0.7)]) == 1
        found = {(t.source, t.target, t.score, t.baseline, t.metric, t.seed) for t in atlas.transfers()}
        assert len(atlas.transfers()) == 3
    assert found == {
        ("a", "t", 0.625, 0.5, "accuracy", 0),
        ("b", "t", 0.25, 0.5, "accuracy", 0),
        ("a", "t", 0.75, 0.7, "accuracy", 1),
    }


def test_another_measurement_of_the_same_stays_beside_it(tmp_path):
    with Atlas(tmp_path / "my.db") as atlas:
        for score in (0.6, 0.7):
            note_transfers(atlas, [run("none", 0, 0.5), run("a", 0, score)])
        assert [t.score for t in atlas.transfers()] == [0.6, 0.7]
