"""A folder under its name when it is whole: killed, stopped, refused, and asked for by two at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.checkpoint import InMemory, digest
from taskspace.merging.sources import state

SHAPES = {"a": (37, 11), "b": (5, 3, 2), "c": (64,), "d": (40, 2)}

SCRIPT = """
import sys, time
from taskspace.merging import TaskVector, result
piece = result.Added._piece
def slow(self, window):
    if window.name == "c":
        open("begun", "w").close()
        time.sleep(120)
    return piece(self, window)
result.Added._piece = slow
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


def begun(monkeypatch, count=2):
    """A merge that is stopped with so many shards finished; their names with the time of writing."""
    from taskspace.merging import writing

    write, done = writing._write, []

    def breaking(*args):
        if len(done) == count:
            raise KeyboardInterrupt
        done.append(args)
        write(*args)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_write", breaking)
        with pytest.raises(KeyboardInterrupt):
            apply()
    return shards(".out.part")


def shards(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob("*.safetensors")}


def test_a_second_try_on_a_full_disk_keeps_what_is_finished(files, monkeypatch):
    from taskspace.merging import writing

    kept = begun(monkeypatch)
    assert len(kept) == 2
    with monkeypatch.context() as patch:
        patch.setattr(writing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
        with pytest.raises(WeightsError, match="100 are free"):
            apply()
    assert shards(".out.part") == kept
    apply()
    assert kept.items() <= shards("out").items()


def test_a_reading_error_that_passes_keeps_what_is_finished(files, monkeypatch):
    from taskspace.merging import result

    kept = begun(monkeypatch)
    failed = WeightsError("tuned.safetensors cannot be read (Input/output error); check it, and run again")

    def failing(*_):
        raise failed

    with monkeypatch.context() as patch:
        patch.setattr(result.Added, "_piece", failing)
        with pytest.raises(WeightsError, match="Input/output"):
            apply()
    assert shards(".out.part") == kept


def test_room_that_another_plan_takes_counts_as_free(files, monkeypatch):
    from taskspace.merging import writing

    begun(monkeypatch)
    needed = sum(4 * int(np.prod(shape)) for shape in SHAPES.values())
    held = sum(path.stat().st_size for path in Path(".out.part").iterdir())
    free = needed - held + 10
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    (2 * TaskVector.diff("tuned.safetensors", "base.safetensors")).apply("base.safetensors", "out", shard_bytes=350)
    assert Path("out").exists()


@pytest.mark.parametrize("changed", ["base", "tuned"])
def test_files_that_changed_between_samples_are_not_gone_on_with(files, monkeypatch, changed):
    """One number of the first shard that no digest sees, at the same size."""
    begun(monkeypatch)
    tensors = load_file(f"{changed}.safetensors")
    seen = digest(InMemory(tensors), "a")
    tensors["a"].flat[20] += 1
    assert digest(InMemory(tensors), "a") == seen
    save_file(tensors, f"{changed}.safetensors")
    apply()
    apply("whole.safetensors")
    found = {name: v for file in shards("out") for name, v in load_file(f"out/{file}").items()}
    for name, values in load_file("whole.safetensors").items():
        np.testing.assert_array_equal(found[name], values)


def test_arrays_that_changed_between_samples_are_other_sources():
    one, two = (InMemory({"a": np.zeros(10_000, np.float32)}) for _ in range(2))
    assert state(one) == state(two)
    values = np.zeros(10_000, np.float32)
    values[300] = 1
    changed = InMemory({"a": values})
    assert digest(changed, "a") == digest(one, "a")
    assert state((0.5, changed)) != state((0.5, one))
