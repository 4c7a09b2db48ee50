"""Words of the command line as tasks."""

from __future__ import annotations

import json

import pytest

from taskspace.bench.transfer.reading import find_tasks, read_splits
from taskspace.errors import DataError


def write(path, rows, start=0, names=("a", "b")):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": f"text {start + i}", "label": names[i % len(names)]}) for i in range(rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def tasks(tmp_path):
    write(tmp_path / "tasks" / "one" / "train.jsonl", 40)
    write(tmp_path / "tasks" / "one" / "test.jsonl", 30, start=30)  # ten of them also stand in train
    write(tmp_path / "tasks" / "two" / "train.jsonl", 20)
    write(tmp_path / "mine.jsonl", 50)
    return tmp_path / "tasks"


def test_names_and_paths(tasks, monkeypatch):
    monkeypatch.chdir(tasks.parent)
    found = find_tasks(["one", "mine.jsonl", "tasks/two", "two"], tasks)
    assert {name: path.resolve() for name, path in found.items()} == {
        "one": tasks / "one", "mine": tasks.parent / "mine.jsonl", "two": tasks / "two",
    }  # fmt: skip


def test_a_folder_has_its_own_test_rows(tasks):
    rows = read_splits(tasks / "one", "one", test_rows=30)
    assert (len(rows.train), len(rows.test), rows.validation) == (30, 30, None)
    assert not {*rows.train.texts} & {*rows.test.texts}
    fewer = read_splits(tasks / "one", "first", test_rows=6)
    assert sorted(fewer.test.labels.codes.tolist()) == [0, 0, 0, 1, 1, 1]
    assert fewer.train.name == fewer.test.name == "first"


@pytest.mark.parametrize(("where", "rows"), [("tasks/two", 20), ("mine.jsonl", 50)])
def test_of_a_file_a_fifth_is_held_out(tasks, where, rows):
    found = read_splits(tasks.parent / where, "task", test_rows=1000)
    assert (len(found.train), len(found.test)) == (rows * 4 // 5, rows // 5)
    assert {*found.train.texts} | {*found.test.texts} == {f"text {i}" for i in range(rows)}
    again = read_splits(tasks.parent / where, "task", test_rows=1000)
    assert again.test.texts == found.test.texts


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["onne"], "'onne' is neither a task in .* nor a file; did you mean 'one'"),
        (["no/such.csv"], "'no/such.csv' is neither"),
        (["x" * 300], "is neither"),
    ],
)
def test_what_is_not_there(tasks, one_sentence, words, told):
    with pytest.raises(DataError, match=told) as error:
        find_tasks(words, tasks)
    assert one_sentence(error.value)


def test_without_a_folder_words_are_paths(tasks, one_sentence):
    assert find_tasks([str(tasks / "one")], None) == {"one": tasks / "one"}
    with pytest.raises(DataError, match="'one' is not a file; give --data FOLDER, or a path") as error:
        find_tasks(["one"], None)
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="there is no folder"):
        find_tasks(["one"], tasks / "missing")


def test_two_tasks_of_one_name(tasks, one_sentence):
    other = write(tasks.parent / "elsewhere" / "one.jsonl", 5)
    with pytest.raises(DataError, match="are both called 'one'") as error:
        find_tasks(["one", str(other)], tasks)
    assert one_sentence(error.value)
