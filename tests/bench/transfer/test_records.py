"""The file of runs: what is kept, what is refused, and what an older file leaves open."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing

import pytest

from taskspace.bench.transfer import Cell, Records, Run
from taskspace.errors import DataError

SETTINGS = {"model": "m", "shots": 8, "on_target": {"epochs": 4, "rate": 0.1}}
CONTENTS = {("a", "train"): "1", ("a", "test"): "2"}


def test_runs_come_back_in_order(tmp_path):
    records = Records(tmp_path / "new" / "runs.db", SETTINGS)
    runs = [Run(Cell("b", "t", 1), "accuracy", 0.1, 2.0), Run(Cell("a", "t", 0), "accuracy", 1 / 3, 1.0)]
    for run in runs:
        records.add(run)
    assert Records(records.path).runs() == runs[::-1]
    assert records.settings == SETTINGS


def test_the_first_of_two_runs_of_a_cell_stays(tmp_path):
    records = Records(tmp_path / "runs.db", SETTINGS)
    first = Run(Cell("a", "t", 0), "accuracy", 0.5, 1.0)
    records.add(first)
    records.add(Run(first.cell, "accuracy", 0.9, 2.0))
    assert records.runs() == [first]


def test_many_may_begin_and_write_at_once(tmp_path):
    problems = []

    def work(number):
        try:
            records = Records(tmp_path / "runs.db", SETTINGS, CONTENTS)
            for seed in range(5):
                records.add(Run(Cell(f"s{number}", "t", seed), "accuracy", 0.5, 1.0))
        except Exception as error:  # told below
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(Records(tmp_path / "runs.db").runs()) == 30


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shots": 9}, "made with shots=8, not 9"),
        ({"on_target": {"epochs": 5, "rate": 0.1}}, r"made with on_target\.epochs=4, not 5"),
        ({"model": "n"}, "made with another model, or with texts cut elsewhere"),
    ],
)
def test_other_settings_are_refused(tmp_path, one_sentence, changes, told):
    Records(tmp_path / "runs.db", SETTINGS)
    with pytest.raises(DataError, match=told) as error:
        Records(tmp_path / "runs.db", SETTINGS | changes)
    assert one_sentence(error.value)
    assert Records(tmp_path / "runs.db").settings == SETTINGS


def test_other_rows_are_refused_and_more_tasks_are_not(tmp_path, one_sentence):
    path = tmp_path / "runs.db"
    Records(path, SETTINGS, CONTENTS)
    with pytest.raises(DataError, match="the test rows of 'a' are others") as error:
        Records(path, SETTINGS, {("b", "train"): "9", ("a", "test"): "3"})
    assert one_sentence(error.value)
    Records(path, SETTINGS, {("b", "train"): "8"})  # the refused one left nothing
    Records(path, SETTINGS, CONTENTS | {("c", "answers"): "1"})
    with pytest.raises(DataError, match="the answers of 'c'"):
        Records(path, SETTINGS, {("c", "answers"): "2"})


def test_a_file_made_before_rows_were_noted_goes_on(tmp_path):
    """Its three columns of settings and six of runs are all that it has."""
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE settings (said TEXT NOT NULL)")
        connection.execute(
            "CREATE TABLE runs (source TEXT NOT NULL, target TEXT NOT NULL, seed INTEGER NOT NULL,"
            " metric TEXT NOT NULL, score REAL NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (source, target, seed))"
        )
        connection.execute("INSERT INTO settings VALUES (?)", (json.dumps(SETTINGS, sort_keys=True),))
        connection.execute("INSERT INTO runs VALUES ('a', 't', 0, 'accuracy', 0.5, 20.0)")
    records = Records(path, SETTINGS, CONTENTS)
    assert records.runs() == [Run(Cell("a", "t", 0), "accuracy", 0.5, 20.0)]
    assert records.tunings() == {}
    records.add_tuning("a", 24, 3.5)
    assert Records(path).tunings() == {"a": 3.5}


def test_nothing_to_read(tmp_path, one_sentence):
    with pytest.raises(DataError, match="there are no runs in") as error:
        Records(tmp_path / "runs.db")
    assert one_sentence(error.value)
    assert not (tmp_path / "runs.db").exists()


def test_a_file_that_is_no_database(tmp_path, one_sentence):
    path = tmp_path / "runs.db"
    path.write_text("nothing of the kind " * 100)
    with pytest.raises(DataError, match="cannot be used for runs") as error:
        Records(path, SETTINGS)
    assert one_sentence(error.value)
    assert path.read_text().startswith("nothing")


def test_a_folder_that_is_a_file(tmp_path, one_sentence):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be used for runs") as error:
        Records(tmp_path / "file" / "runs.db", SETTINGS)
    assert one_sentence(error.value)
