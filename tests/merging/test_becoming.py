"""A folder under its name when it is whole: killed, stopped, refused, and asked for by two at once."""

from __future__ import annotations

import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import WeightsError
from taskspace.merging import TaskVector

SHAPES = {"a": (37, 11), "b": (5, 3, 2), "c": (64,), "d": (40, 2)}

SCRIPT = """
import sys, time
from taskspace.merging import TaskVector, result
piece = result.Sum._piece
def slow(self, window):
    if window.name == "c":
        open("begun", "w").close()
        time.sleep(120)
    return piece(self, window)
result.Sum._piece = slow
TaskVector.diff("tuned.safetensors", "base.safetensors").apply("base.safetensors", "out", shard_bytes=350)
"""
"""Sleeps within the third tensor."""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("base", "tuned")):
        rng = np.random.default_rng(seed)
        made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
        save_file(made, tmp_path / f"{name}.safetensors")
    return tmp_path


def apply(out="out"):
    return TaskVector.diff("tuned.safetensors", "base.safetensors").apply("base.safetensors", out, shard_bytes=350)


def started(elsewhere, folder):
    process = elsewhere(SCRIPT, wait=False)
    while not (folder / "begun").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def test_a_killed_one_is_gone_on_with_and_leaves_no_halves(elsewhere, files):
    process = started(elsewhere, files)
    process.kill()
    process.wait()
    assert not (files / "out").exists()
    assert any(path.name.startswith(".") for path in (files / ".out.part").iterdir())  # half a shard
    kept = {p.name: p.stat().st_mtime_ns for p in (files / ".out.part").glob("model-*")}
    assert len(kept) == 2
    apply()
    assert {name: (files / "out" / name).stat().st_mtime_ns for name in kept} == kept
    assert sorted(p.name for p in (files / "out").iterdir()) == [
        *(f"model-0000{n}-of-00004.safetensors" for n in (1, 2, 3, 4)), "model.safetensors.index.json",
    ]  # fmt: skip
    assert not (files / ".out.part").exists()
    apply("whole.safetensors")
    found = {name: v for shard in (files / "out").glob("model-*.safetensors") for name, v in load_file(shard).items()}
    for name, values in load_file("whole.safetensors").items():
        np.testing.assert_array_equal(found[name], values)


def test_two_do_not_write_one_folder(elsewhere, files, one_sentence):
    process = started(elsewhere, files)
    before = sorted(p.name for p in (files / ".out.part").iterdir())
    with pytest.raises(WeightsError, match="another process") as caught:
        apply()
    assert one_sentence(caught.value)
    assert sorted(p.name for p in (files / ".out.part").iterdir()) == before
    process.kill()


def test_what_cannot_be_merged_leaves_nothing(files):
    tuned = load_file("tuned.safetensors")
    tuned["d"][0] = np.inf  # in the last shard
    save_file(tuned, "tuned.safetensors")
    with pytest.raises(WeightsError, match="NaN or infinity"):
        apply()
    assert not list(files.glob(".out*"))


def test_a_stop_before_the_first_shard_leaves_nothing(files, monkeypatch):
    from taskspace.merging import writing

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_write", stopped)
    with pytest.raises(KeyboardInterrupt):
        apply()
    assert not list(files.glob(".out*"))


def test_a_disk_without_room_is_told_before_anything_is_written(files, monkeypatch, one_sentence):
    from taskspace.merging import writing

    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2000}))
    with pytest.raises(WeightsError, match="2,000 are free") as caught:
        apply()
    assert one_sentence(caught.value)
    assert not list(files.glob(".out*"))
