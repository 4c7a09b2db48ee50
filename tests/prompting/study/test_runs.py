"""The record: what was appended is read back, whatever happened to the writer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError
from taskspace.prompting.study import Run, append, read_runs
from taskspace.prompting.study.runs import of_main_metric

names = st.text(min_size=1, max_size=8)
ids = st.integers(0, 10**6)
scores = st.floats(allow_nan=False, allow_infinity=False)
runs = st.builds(
    Run, part=st.just("shots"), task=names, metric=names, score=scores, split=names, method=names, init=ids,
    foreign=st.none() | ids, other=st.none() | names, scale=scores, shots=ids, seed=ids,
    extra=st.dictionaries(names, scores | ids | names | st.none(), max_size=3),
)  # fmt: skip


def run(**fields):
    return Run(**({"part": "sources", "task": "sst2", "metric": "accuracy", "score": 0.5} | fields))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "runs.jsonl"


@given(runs)
def test_a_run_survives_json(one):
    assert Run.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_runs_are_read_in_the_order_they_were_appended(path):
    written = [run(init=i, score=i / 7, extra={"steps": i}) for i in range(5)]
    for each in written:
        append(path, each)
    assert read_runs(path) == tuple(written)
    assert len(path.read_text().splitlines()) == 5


def test_no_file_is_no_runs(path):
    assert read_runs(path) == ()


def test_numbers_of_numpy_are_written_as_plain_ones(path):
    append(path, run(score=np.float32(0.25), init=np.int64(3), extra={"norm": np.float32(2), "on": True, "n": None}))
    said = json.loads(path.read_text())
    assert (said["score"], said["init"], said["extra"]) == (0.25, 3, {"norm": 2.0, "on": True, "n": None})


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_half_written_last_line_is_passed_over(path, cut):
    append(path, run(init=0))
    append(path, run(init=1))
    path.write_bytes(path.read_bytes()[: -1 - cut])
    assert read_runs(path) == (run(init=0),)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_and_the_next_run_is_not_spoilt_by_it(path, cut):
    for i in range(2):
        append(path, run(init=i))
    path.write_bytes(path.read_bytes()[: -1 - cut])
    append(path, run(init=2))
    assert read_runs(path) == (run(init=0), run(init=2))


def test_a_last_run_that_only_lacks_its_newline_is_kept(path):
    append(path, run(init=0))
    path.write_bytes(path.read_bytes()[:-1])
    assert read_runs(path) == (run(init=0),)
    append(path, run(init=1))
    assert read_runs(path) == (run(init=0), run(init=1))


def test_a_character_cut_in_two_is_passed_over(path):
    append(path, run(task="naïve"))
    path.write_bytes(path.read_bytes()[: path.read_bytes().index("ï".encode()) + 1])
    assert read_runs(path) == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"half a li", "'half a li'"),
        (b"[1, 2]", "'[1, 2]'"),
        (b'{"part": "sources"}', "has no 'task'"),
        (b'{"part": "sources", "task": "a", "metric": "f1", "score": 1, "colour": 2}', "unknown field 'colour'"),
        (b'{"part": "sources", "task": "a", "metric": "f1", "score": NaN}', "is nan"),
        (b'{"part": "sources", "task": "a", "metric": "f1", "score": "high"}', "score is 'high'"),
    ],
)
def test_a_spoilt_line_in_the_middle_is_refused_by_its_number(path, line, why):
    append(path, run(init=0))
    path.write_bytes(path.read_bytes() + line + b"\n")
    append(path, run(init=1))
    with pytest.raises(DataError, match="line 2 of ") as caught:
        read_runs(path)
    assert why in str(caught.value)
    assert str(caught.value).endswith("; delete that line to have it run again")
    assert str(caught.value).count(";") == 1


def test_a_folder_in_its_place_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_runs(tmp_path)


def test_of_two_runs_with_one_key_the_later_counts(path):
    append(path, run(score=0.1))
    append(path, run(score=0.9))
    assert [each.score for each in read_runs(path)] == [0.9]


def test_the_key_leaves_out_the_score_and_nothing_else():
    one = run(part="pairs", other="mnli", scale=0.1 + 0.2)
    assert one.key == replace(one, score=0.7, extra={"steps": 3}, scale=0.3).key
    for other in (
        {"task": "b"}, {"metric": "f1"}, {"split": "validation"}, {"method": "ties"}, {"init": 1}, {"foreign": 1},
        {"other": "qnli"}, {"scale": 0.35}, {"shots": 5}, {"seed": 1}, {"part": "sources"},
    ):  # fmt: skip
        assert replace(one, **other).key != one.key, other
    assert hash(one) == hash(replace(one, extra={"steps": 3}))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"part": "other"}, "part is 'other'"),
        ({"score": float("nan")}, "score of a run on 'sst2' is nan"),
        ({"score": True}, "score is True"),
        ({"init": 1.5}, "init is 1.5"),
        ({"scale": float("inf")}, "scale of a run on 'sst2' is inf"),
        ({"part": "mixed"}, "has no 'foreign'"),
        ({"part": "pairs"}, "has no 'other'"),
        ({"part": "shots"}, "has no 'shots'"),
    ],
)
def test_a_run_that_cannot_be_is_refused(fields, why):
    with pytest.raises(DataError, match=why):
        run(**fields)


def test_two_metrics_of_one_task_are_never_averaged():
    kept = of_main_metric(
        [run(), run(metric="f1"), run(task="stsb", metric="pearson"), run(init=1), run(init=1, metric="f1")]
    )
    assert [(each.task, each.metric, each.init) for each in kept] == [
        ("sst2", "accuracy", 0), ("stsb", "pearson", 0), ("sst2", "accuracy", 1),
    ]  # fmt: skip
