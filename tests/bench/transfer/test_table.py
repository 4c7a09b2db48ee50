"""The CSV and the summaries, checked by hand."""

from __future__ import annotations

import pytest

from taskspace.bench.transfer import Cell, Run, Summary, summaries, write_csv
from taskspace.bench.transfer.table import as_text


def run(source, target, seed, score, metric="accuracy", seconds=1.25):
    return Run(Cell(source, target, seed), metric, score, seconds)


RUNS = [
    run("none", "t", 0, 0.5),
    run("none", "t", 1, 0.7),
    run("a", "t", 0, 0.6),
    run("a", "t", 1, 0.6),
    run("b", "t", 0, 2 / 3),
    run("b", "u", 0, 0.25, "spearman"),
    run("none", "u", 0, 0.5, "spearman"),
    run("c", "u", 1, 0.9, "spearman"),
]


def test_the_table_by_hand(tmp_path):
    path = write_csv(tmp_path / "transfers.csv", RUNS[:6])
    assert path.read_text().splitlines() == [
        "source,target,seed,metric,score,baseline,seconds",
        "none,t,0,accuracy,0.5,0.5,1.2",
        "none,t,1,accuracy,0.7,0.7,1.2",
        "a,t,0,accuracy,0.6,0.5,1.2",
        "a,t,1,accuracy,0.6,0.7,1.2",
        "b,t,0,accuracy,0.666667,0.5,1.2",
        "b,u,0,spearman,0.25,,1.2",  # the baseline is not there yet
    ]


def test_an_older_table_stays_until_the_new_one_is_whole(tmp_path):
    path = write_csv(tmp_path / "transfers.csv", RUNS[:1])
    before = path.read_text()

    def broken():
        yield RUNS[0]
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_csv(path, broken())
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["transfers.csv"]


def test_summaries_by_hand():
    """a gains .1 and loses .1; b gains .167 with the one seed it has; u has a baseline for seed 0 alone."""
    first, second = summaries(RUNS)
    assert first == Summary("t", "accuracy", pytest.approx(0.6), "b", pytest.approx(2 / 3 - 0.5), 1, 2)
    assert second == Summary("u", "spearman", 0.5, "b", -0.25, 0, 1)
    assert summaries(RUNS[:2]) == []


def test_the_report_lines_up():
    lines = as_text(summaries(RUNS)).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["t", "accuracy", "0.600", "b", "+0.167", "1", "of", "2"],
        ["u", "spearman", "0.500", "b", "-0.250", "0", "of", "1"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("gain", "+0.167", "-0.250"), strict=True)}) == 1
