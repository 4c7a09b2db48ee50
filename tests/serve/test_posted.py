"""Rows from the network become the task that the same rows in a file are, or a sentence."""

from __future__ import annotations

import json

import pytest

from taskspace.errors import DataError
from taskspace.serve.limits import Limits
from taskspace.serve.posted import task_of
from taskspace.serve.problems import Problem
from taskspace.task import Task


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


ROWS = {
    "classes": [{"text": "a film", "label": "good"}, {"text": "b film", "label": "bad"}, {"text": "c", "label": None}],
    "codes": [{"sentence": "a", "label": 0}, {"sentence": "b", "label": 1}],
    "pairs": [{"premise": "a", "hypothesis": "b", "label": "same"}, {"premise": "c", "hypothesis": "d", "label": "no"}],
    "numbers": [{"text": "a", "score": 0.25}, {"text": "b", "score": 0.5}],
    "surrogate": [{"text": "half \ud800", "label": "x"}, {"text": "whole", "label": "y"}],
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n"], ids=["lf", "crlf", "blank-lines"])
def test_the_same_task_as_from_a_file(tmp_path, rows, ends):
    body = lines(rows).replace(b"\n", ends.encode())
    (tmp_path / "rows.jsonl").write_bytes(body)
    expected = Task.from_file(tmp_path / "rows.jsonl")
    task = task_of(body, "mine", Limits())
    assert task.fingerprint == expected.fingerprint
    assert task.name == "mine"
    assert (task.inputs, task.label_names) == (expected.inputs, expected.label_names)
    assert task_of(b"\xef\xbb\xbf" + body, "mine", Limits()).fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no rows"),
        (b"\n \n", "no rows"),
        (b"[1, 2]", "line 1: not a JSON object"),
        (b'{"text": "a", "label": "x"}\n\nnot json', "line 3: not valid JSON"),
        (b'{"text": "\xff", "label": "x"}', "line 1: not valid JSON in UTF-8"),
        ('{"text": "a", "label": "x"}'.encode("utf-16"), "line 1: not valid JSON in UTF-8"),
        (b"[" * 100_000, "line 1: not valid JSON"),
        (b'{"text": ' + b"1" * 5000 + b"}", "line 1: not valid JSON"),
        (b'{"text": "a"}', "label"),
        (b'{"nothing": "a", "label": "x"}', "usual name for texts"),
        (b'{"text": "a", "label": "x"}\n{"text": "  ", "label": "y"}', "row 2: there is no text in 'text'"),
        (b'{"text": "a", "label": "x"}\n{"label": "y"}', "row 2: there is no text in 'text'"),
        (b'{"text": ["a"], "label": "x"}', "holds a list where a text was expected"),
        (b'{"text": "a", "label": {"b": 1}}', "where one label per row was expected"),
    ],
)
def test_what_is_no_task(body, says, recwarn):
    with pytest.raises(DataError, match=says) as raised:
        task_of(body, "mine", Limits())
    assert "\n" not in str(raised.value)
    assert "Path" not in str(raised.value)
    assert len(recwarn) == 0


def test_more_than_may_be_sent():
    rows = [{"text": f"text {i}", "label": i % 2} for i in range(5)]
    assert len(task_of(lines(rows), "mine", Limits(rows=5))) == 5
    with pytest.raises(Problem, match="5 rows are more than the 4") as raised:
        task_of(lines(rows), "mine", Limits(rows=4))
    assert raised.value.status == 413
    long = lines([{"text": "a", "text_pair": "b" * 11, "label": 1}, {"text": "c", "text_pair": "d", "label": 0}])
    assert len(task_of(long, "mine", Limits(text=11))) == 2
    with pytest.raises(Problem, match="11 characters, more than the 10") as raised:
        task_of(long, "mine", Limits(text=10))
    assert raised.value.status == 413
