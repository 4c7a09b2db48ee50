"""``taskspace bench transfer`` on a microscopic encoder."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from taskspace import Atlas
from taskspace.bench.transfer import Records

USUAL = {
    "--data": "data", "--sources": "mood,topic", "--targets": "trip,mood", "--out": "out", "--model": "model",
    "--shots": "8", "--seeds": "2", "--source-rows": "24", "--test-rows": "16", "--max-length": "16",
    "--epochs": "1", "--source-epochs": "1",
}  # fmt: skip
RUNS = 10
"""Two targets without transfer, three transfers, twice."""

JUDGE = """
PRAISE = {"good", "fine", "great", "lovely", "bright"}

def opinion(texts):
    return [[0.9, 0.1] if PRAISE & {*text.split()} else [0.2, 0.8] for text in texts]

opinion.version = "1"
"""


def words(**changes):
    said = USUAL | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [word for name, value in said.items() if value is not None for word in (name, value)]


@pytest.fixture(scope="session")
def ground(tmp_path_factory, tiny_encoder, make_tasks):
    """Task folders, a model and a pool, in a folder to be copied."""
    place = tmp_path_factory.mktemp("ground")
    shutil.copytree(tiny_encoder, place / "model")
    for split, rows, seed in (("train", 40, 0), ("test", 20, 1)):
        made = make_tasks(rows=rows, seed=seed)
        for name in ("mood", "topic", "trip"):
            task = made[name]
            labels = [task.label_names[code] for code in task.labels.codes]
            lines = [json.dumps({"text": t, "label": label}) for t, label in zip(task.texts, labels, strict=True)]
            (place / "data" / name).mkdir(parents=True, exist_ok=True)
            (place / "data" / name / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    texts = make_tasks(rows=30, seed=2)["mood"].texts
    (place / "pool.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
    (place / "judge.py").write_text(JUDGE, encoding="utf-8")
    return place


@pytest.fixture
def place(ground, folder):
    shutil.copytree(ground, folder, dirs_exist_ok=True)
    return folder


def table(folder):
    with (folder / "transfers.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_transfers_are_measured_noted_and_not_measured_again(taskspace, place):
    said = taskspace("bench", "transfer", *words(atlas="my.db"))
    assert said.code == 0, said.err
    rows = table(place / "out")
    assert len(rows) == RUNS
    assert said.err.splitlines()[0] == f"{RUNS} runs"
    assert f"{RUNS} of {RUNS}: " in said.err
    assert said.err.splitlines()[-2:] == ["6 new transfers in my.db", f"{RUNS} runs in out/transfers.csv"]
    assert [line.split()[0] for line in said.out.splitlines()] == ["target", "mood", "trip"]
    with Atlas("my.db") as atlas:
        noted = {(t.source, t.target, str(t.seed), round(t.score, 5), round(t.baseline, 5)) for t in atlas.transfers()}
    assert noted == {
        (row["source"], row["target"], row["seed"], round(float(row["score"]), 5), round(float(row["baseline"]), 5))
        for row in rows
        if row["source"] != "none"
    }
    before = (place / "out" / "transfers.csv").read_bytes()
    again = taskspace("bench", "transfer", *words(atlas="my.db"), "--json")
    assert again.code == 0
    assert again.err.splitlines() == ["0 new transfers in my.db"]
    assert again.document["runs"] == RUNS
    assert again.document["left"] == 0
    assert {each["target"]: (each["sources"], each["metric"]) for each in again.document["targets"]} == {
        "mood": (1, "accuracy"), "trip": (2, "accuracy"),
    }  # fmt: skip
    assert (place / "out" / "transfers.csv").read_bytes() == before


def test_files_and_black_boxes_are_sources(taskspace, place):
    """A file has a fifth of its rows held out; a labeler is known by what it says of the pool."""
    shutil.copy(place / "data" / "topic" / "train.jsonl", place / "mine.jsonl")
    more = words(sources="mine.jsonl", targets="trip", seeds="1", pool="pool.jsonl")
    judge = "python:judge.py:opinion"
    said = taskspace("bench", "transfer", *more, "--labeler", judge, "--labeler", f"other={judge}")
    assert said.code == 0, said.err
    assert {row["source"] for row in table(place / "out")} == {"none", "mine", "opinion", "other"}
    scores = {row["source"]: row["score"] for row in table(place / "out")}
    assert scores["opinion"] == scores["other"]
    (place / "judge.py").write_text(JUDGE.replace("0.9, 0.1", "0.7, 0.3").replace('"1"', '"2"'))
    changed = taskspace("bench", "transfer", *more, "--labeler", judge)
    assert changed.code == 2
    assert "the answers of 'opinion' are others" in changed.sentence


def test_rows_that_a_source_shares_with_a_test_are_noted(taskspace, place):
    shutil.copy(place / "data" / "trip" / "test.jsonl", place / "leak.jsonl")
    said = taskspace("bench", "transfer", *words(sources="leak.jsonl", targets="trip", seeds="1"))
    assert said.code == 0
    assert "rows on which leak is tuned are test rows of trip; what it does there is flattered" in said.err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sources": "mood,topik"}, "'topik' is neither a task in data nor a file; did you mean 'topic'?"),
        ({"data": "nowhere"}, "there is no folder nowhere"),
        ({"sources": None}, "needs sources, targets and seeds"),
        ({"labeler": "python:judge.py:opinion"}, "--labeler was given alone; give --pool FILE"),
        ({"pool": "pool.jsonl"}, "--pool was given alone; give --labeler SPEC"),
        ({"labeler": "mood=python:judge.py:opinion", "pool": "pool.jsonl"}, "is called 'mood' like another"),
        ({"labeler": "pyton:judge.py:opinion", "pool": "pool.jsonl"}, "unknown kind 'pyton'"),
        ({"shots": "999"}, "fewer than 999 shots"),
        ({"metric": "acc"}, "there is no metric 'acc'"),
        ({"metric": "rouge_l"}, "rouge_l is of texts that a model writes"),
        ({"rate": "0"}, "cannot be run"),
        ({"rate": "1e30", "epochs": "3"}, "lower the learning rate"),
        ({"max_length": "1000"}, "does not fit"),
        ({"device": "abacus"}, "device 'abacus' cannot be used"),
        ({"model": "no/model"}, "no/model"),
        ({"shots": "one"}, "see taskspace bench transfer --help"),
        ({"workers": "0"}, "see taskspace bench transfer --help"),
    ],
)
def test_mistakes_are_one_sentence(taskspace, place, one_sentence, changes, told):
    said = taskspace("bench", "transfer", *words(**({"seeds": "1"} | changes)))
    assert said.code == 2
    assert told in said.sentence
    assert one_sentence(said.sentence)


def test_other_settings_and_other_rows_are_refused(taskspace, place, one_sentence):
    small = words(sources="topic", targets="trip", seeds="1")
    assert taskspace("bench", "transfer", *small).code == 0
    before = (place / "out" / "transfers.csv").read_bytes()
    for changes, told in (({"shots": "10"}, "shots=8, not 10"), ({"max_length": "32"}, "with texts cut elsewhere")):
        refused = taskspace("bench", "transfer", *words(sources="topic", targets="trip", seeds="1", **changes))
        assert refused.code == 2
        assert told in refused.sentence
        assert one_sentence(refused.sentence)
    path = place / "data" / "trip" / "test.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    changed = taskspace("bench", "transfer", *small)
    assert "rows of 'trip' are others" in changed.sentence
    assert (place / "out" / "transfers.csv").read_bytes() == before


def nobody_left(group):
    """Whether the last process of a group ends within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_ctrl_c_stops_all_workers_and_the_same_command_goes_on(place, taskspace):
    """Long runs, so that there is something to stop; the signal goes to the whole group, as a terminal sends it."""
    long = words(epochs="200", targets="trip")
    command = [sys.executable, "-m", "taskspace", "bench", "transfer", *long, "--workers", "2"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    told = []
    for line in running.stderr:
        told.append(line)
        if " of 6: " in line:
            break
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert "Traceback" not in err + "".join(told)
    assert err.splitlines()[-1].endswith("run the same command to go on")
    done = Records(place / "out" / "runs.db").runs()
    assert 0 < len(done) < 6
    assert len(table(place / "out")) == len(done)
    assert nobody_left(running.pid)
    assert not list((place / "out").rglob("*.part*"))


def test_a_worker_that_dies_is_told_and_the_end_is_2(taskspace, place, monkeypatch, one_sentence):
    """What a dead worker leaves is seen in its records: here all of its runs."""
    import taskspace.bench.transfer as bench

    def halved(plan, rows, surrogate, out, *, workers, threads, tell):
        bench.measure_transfers(plan, rows, surrogate, out, share=(0, workers), tell=tell)
        tell("worker 2 of 2 was ended by signal 9 (SIGKILL)")
        return ["worker 2 of 2 was ended by signal 9 (SIGKILL)"]

    monkeypatch.setattr(bench, "measure_together", halved)
    said = taskspace("bench", "transfer", *words(), "--workers", "2", "--json")
    assert said.code == 2
    assert "worker 2 of 2 was ended by signal 9" in said.err
    assert said.document["left"] == RUNS - len(table(place / "out")) > 0
    assert said.sentence.endswith("of 10 runs are left; run the same command again to go on")
    assert one_sentence(said.sentence)
