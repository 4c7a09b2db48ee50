"""Workers that are processes: none is left behind, and none loads what it need not."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from taskspace import Space
from taskspace.errors import SettingError, SurrogateError
from taskspace.learners import Learned
from taskspace.scale import Local, Processes, Ray, embed_all, runner_named
from taskspace.scale._ray import require_room, shares
from taskspace.surrogates import load_surrogate

ONE = Processes(workers=1, threads=1)


def gone(process, seconds=30):
    """Whether a process that we may not wait for ends in time."""
    for _ in range(10 * seconds):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").exists() and ") Z " in Path(f"/proc/{process}/stat").read_text():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def run(files, tiny_encoder, mixed_pool):
    """Start ``taskspace embed`` with processes in a session of its own; ended with the test."""
    from taskspace.data import write_pool

    write_pool(mixed_pool, files / "pool.jsonl")
    started = []

    def start(*words):
        options = ["--atlas", "my.db", "--surrogate", str(tiny_encoder), "--pool", "pool.jsonl"]
        process = subprocess.Popen(
            [sys.executable, "-m", "taskspace", "embed", *words, *options], cwd=files, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_call(calls, name):
    """The worker that was asked first."""
    while not calls(name):
        time.sleep(0.1)
    return calls(name)[0]


def test_ctrl_c_ends_the_workers_and_a_rerun_goes_on(run, calls, open_atlas):
    words = ["mood.jsonl", "--labeler", "python:models.py:slow", "--runner", "processes", "--workers", "2"]
    process = run(*words)
    worker = first_call(calls, "slow")
    while "mood" not in open_atlas("my"):
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == ["taskspace: stopped; what was finished is kept, run the same command to go on"]
    assert gone(worker)

    process = run("mood.jsonl", "topic.jsonl", *words[3:])
    printed, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert [line.split()[:2] for line in printed.splitlines()] == [["kept", "mood"], ["embedded", "topic"]]


def test_a_killed_driver_leaves_no_worker(run, calls):
    process = run("mood.jsonl", "--labeler", "python:sleepy.py:none", "--runner", "processes", "--workers", "2")
    worker = first_call(calls, "sleepy")
    process.kill()
    assert gone(worker)


def test_who_stops_listening_ends_the_workers(data, opened, open_atlas):
    atlas = open_atlas("my")
    outcomes = embed_all(opened(), [data(name) for name in ("mood", "topic", "trip")], atlas, ONE)
    assert next(outcomes).name == "mood"
    assert multiprocessing.active_children()
    outcomes.close()
    assert not multiprocessing.active_children()
    assert [entry.name for entry in atlas.entries()] == ["mood"]


def test_what_is_there_is_known_before_a_base_model_is_looked_for(
    data, model, save_encoder, mixed_pool, open_atlas, calls, tmp_path
):
    """Workers read; only where something is new do they open the space, here in vain."""
    folder = save_encoder(tmp_path / "encoder")
    given = [data("mood"), model("length")]
    atlas = open_atlas("my")
    list(embed_all(Space(mixed_pool, surrogate=load_surrogate(folder)), given, atlas))
    asked = len(calls("length"))
    space = Space(mixed_pool, surrogate=load_surrogate(folder))
    assert space.identity
    shutil.rmtree(folder)
    outcomes = embed_all(space, [*given, data("topic")], atlas, ONE)
    assert [next(outcomes).status for _ in given] == ["kept", "kept"]
    assert len(calls("length")) == asked
    with pytest.raises(SurrogateError, match="is neither a local folder nor"):
        next(outcomes)


def test_another_base_model_in_the_same_place_ends_the_run(data, save_encoder, mixed_pool, open_atlas, tmp_path):
    folder = save_encoder(tmp_path / "encoder")
    space = Space(mixed_pool, surrogate=load_surrogate(folder))
    assert space.identity
    save_encoder(folder, seed=1)
    with pytest.raises(Exception, match="which differ in weights"):
        next(embed_all(space, [data("mood")], open_atlas("my"), ONE))


@pytest.mark.parametrize("learner", ["text", "tuned:bitfit"])
def test_learners_that_share_nothing_or_learn_several_at_once(learner, data, model, opened, open_atlas, rows):
    """Several at once share batches, so that alone they differ by rounding."""
    given = [data("mood"), model("length"), data("topic")]
    one, many = open_atlas("one"), open_atlas("many")
    list(embed_all(opened(learner=learner), given, one))
    outcomes = list(embed_all(opened(learner=learner), given, many, ONE))
    assert [outcome.status for outcome in outcomes] == ["embedded"] * 3
    for mine, theirs in zip(rows(many), rows(one), strict=True):
        assert mine[:4] == theirs[:4]
        np.testing.assert_allclose(np.frombuffer(mine[5], "<f4"), np.frombuffer(theirs[5], "<f4"), atol=1e-5)
    if learner == "text":
        assert rows(many) == rows(one)


class Homemade:
    """A learner that holds what no other process can have."""

    name, needs_labels, settings = "homemade", True, {}

    def __init__(self):
        self.opened = Path(__file__).open()  # noqa: SIM115

    def bind(self, ground):
        return lambda evidence: Learned({"all": np.float32([len(evidence)])})


def test_a_learner_that_cannot_travel(mixed_pool, encoder, data, open_atlas):
    learner = Homemade()
    space = Space(mixed_pool, surrogate=encoder, learner=learner)
    with pytest.raises(SettingError, match=r"^learner 'homemade' cannot be sent to a worker \(TypeError: .*; use the"):
        next(embed_all(space, [data("mood")], open_atlas("my"), ONE))
    learner.opened.close()


def test_the_runner_is_named():
    assert runner_named("local") == Local()
    assert runner_named("processes", workers=3) == Processes(3)
    assert runner_named("ray", workers=3, address="auto") == Ray(3, "auto")


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("rai", {}, "runner 'rai' is not known; did you mean 'ray'?"),
        ("local", {"workers": 2}, "leave --workers out"),
        ("processes", {"address": "auto"}, "leave --address out"),
        ("ray", {"workers": 0}, "workers is 0; it must be at least 1"),
    ],
)
def test_a_runner_that_cannot_be(name, more, said):
    with pytest.raises(SettingError) as caught:
        runner_named(name, **more)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("cluster", "workers", "threads", "expected"),
    [
        ({"CPU": 16.0}, None, 1, (16, 0)),
        ({"CPU": 16.0}, None, 4, (4, 0)),
        ({"CPU": 2.0}, None, 4, (1, 0)),
        ({"CPU": 64.0, "GPU": 8.0}, None, 1, (8, 1)),
        ({"CPU": 64.0, "GPU": 8.0}, 4, 1, (4, 1)),
        ({"CPU": 64.0, "GPU": 8.0}, 12, 1, (12, 1 / 2)),
        ({"CPU": 64.0, "GPU": 2.0}, 5, 1, (5, 1 / 3)),
    ],
)
def test_each_worker_of_a_cluster_has_its_share(cluster, workers, threads, expected):
    assert shares(cluster, workers, threads) == expected


def node(alive=True, **resources):
    return {"Alive": alive, "Resources": resources}


@pytest.mark.parametrize(
    ("nodes", "threads", "gpus", "said"),
    [
        ([node(CPU=4.0)], 4, 0.0, None),
        ([node(CPU=1.0), node(CPU=4.0)], 4, 0.0, None),
        ([node(CPU=2.0), node(CPU=2.0)], 4, 0.0, "of 4 threads fits no machine of .* the largest has 2 cores"),
        ([node(CPU=2.0), node(False, CPU=8.0)], 4, 0.0, "the largest has 2 cores"),
        ([node(CPU=8.0), node(CPU=2.0, GPU=1.0)], 4, 1.0, "no machine with a GPU of .* the largest has 2 cores"),
        ([node(CPU=8.0), node(CPU=4.0, GPU=1.0)], 4, 0.5, None),
        ([node(memory=1e9)], 1, 0.0, "the largest has 0 cores"),
    ],
)
def test_ray_waits_for_no_machine_that_is_not_there(nodes, threads, gpus, said):
    if said is None:
        require_room(nodes, threads, gpus)
        return
    with pytest.raises(SettingError, match=said) as caught:
        require_room(nodes, threads, gpus)
    assert str(caught.value).count(";") == 1
