"""However tensors are cut and wherever they go, the bits are the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import Checkpoint, whole
from taskspace.merging.methods import METHODS
from taskspace.merging.window import Window, windows

SHAPES = {"a": (37, 11), "b": (5, 3, 2), "c": (64,), "d": (), "e": (0, 4)}


def tensors(seed):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture
def files(tmp_path):
    """A base and two tuned models as float16 files."""
    made = []
    for seed in (0, 1, 2):
        path = tmp_path / f"m{seed}.safetensors"
        save_file({k: v.astype(np.float16) for k, v in tensors(seed).items()} | {"ids": np.arange(4)}, path)
        made.append(path)
    return made


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stretch", [1, 7, 64, 10_000])
def test_streamed_equals_in_memory_bit_for_bit(files, tmp_path, name, stretch):
    base, *tuned = files
    merged = merge([TaskVector.diff(path, base) for path in tuned], name)
    held = merged.apply(base)
    written = merged.apply(base, tmp_path / "out.safetensors", stretch=stretch)
    for tensor in held.layout:
        np.testing.assert_array_equal(whole(held, tensor), whole(written, tensor), err_msg=tensor)
    found = load_file(tmp_path / "out.safetensors")
    assert found["a"].dtype == np.float16
    np.testing.assert_array_equal(found["ids"], np.arange(4))


def test_windows_cover_a_tensor_once(files):
    layout = Checkpoint(files[0]).layout
    for name, spec in layout.items():
        for stretch in (1, 7, 64):
            cuts = [(w.start, w.stop) for w in windows(name, spec, stretch)]
            assert cuts[0][0] == 0
            assert cuts[-1][1] == spec.size
            assert all(one[1] == two[0] for one, two in zip(cuts, cuts[1:], strict=False))


def test_a_base_is_read_once_for_all_vectors(files, monkeypatch):
    base, *tuned = files
    reads = []
    stored = Checkpoint.stored
    monkeypatch.setattr(Checkpoint, "stored", lambda self, *a: (reads.append(self.name), stored(self, *a))[1])
    under = Checkpoint(base)
    merged = merge([TaskVector.diff(path, under) for path in tuned])
    reads.clear()
    window = Window("a", 0, 20)
    merged.carrier.block(window)
    window.of(under)
    assert sorted(reads) == ["m0", "m1", "m2"]


def test_a_folder_of_shards_loads_like_its_base(files, tmp_path):
    base, *tuned = files
    merged = merge([TaskVector.diff(path, base) for path in tuned], "mean")
    one = merged.apply(base, tmp_path / "one.safetensors")
    many = merged.apply(base, tmp_path / "many", shard_bytes=300)
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(one.layout)
    assert len(set(index["weight_map"].values())) > 1
    for name in one.layout:
        np.testing.assert_array_equal(whole(one, name), whole(many, name))
    assert sorted(p.name for p in tmp_path.glob(".*")) == []


def test_an_unfinished_folder_is_gone_on_with(files, tmp_path, monkeypatch):
    base, *tuned = files
    merged = merge([TaskVector.diff(path, base) for path in tuned], "mean")
    from taskspace.merging import writing

    write, count = writing._write, []

    def breaking(*args):
        if len(count) == 2:
            raise KeyboardInterrupt
        count.append(args)
        write(*args)

    monkeypatch.setattr(writing, "_write", breaking)
    with pytest.raises(KeyboardInterrupt):
        merged.apply(base, tmp_path / "out", shard_bytes=300)
    assert not (tmp_path / "out").exists()
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / ".out.part").glob("*.safetensors")}
    assert len(kept) == 2
    monkeypatch.setattr(writing, "_write", write)
    merged.apply(base, tmp_path / "out", shard_bytes=300)
    assert {n: (tmp_path / "out" / n).stat().st_mtime_ns for n in kept} == kept
    assert not (tmp_path / ".out.part").exists()


def test_another_merge_does_not_go_on_with_what_one_left(files, tmp_path, monkeypatch):
    base, *tuned = files
    from taskspace.merging import writing

    vectors = [TaskVector.diff(path, base) for path in tuned]
    monkeypatch.setattr(writing, "_index", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        merge(vectors, "mean").apply(base, tmp_path / "out", shard_bytes=300)
    monkeypatch.undo()
    merge(vectors, "ties").apply(base, tmp_path / "out", shard_bytes=300)
    expected = merge(vectors, "ties").apply(base)
    for name in expected.layout:
        np.testing.assert_array_equal(whole(expected, name), whole(Checkpoint(tmp_path / "out"), name))


def test_a_full_disk_leaves_nothing_under_the_final_name(files, tmp_path, monkeypatch, one_sentence):
    base, *tuned = files
    from taskspace.merging import writing

    merged = merge([TaskVector.diff(path, base) for path in tuned], "mean")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_write", full)
    with pytest.raises(WeightsError, match="disk is full") as caught:
        merged.apply(base, tmp_path / "out.safetensors")
    assert one_sentence(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


def test_an_older_file_stays_when_a_merge_fails(files, tmp_path):
    base, *tuned = files
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"older")
    broken = {name: np.full(shape, np.nan, np.float32) for name, shape in SHAPES.items()}
    held = {k: v.astype(np.float32) for k, v in load_file(base).items() if k != "ids"}
    with pytest.raises(WeightsError, match="NaN"):
        TaskVector.diff(broken, held).apply(held, out)
    assert out.read_bytes() == b"older"
