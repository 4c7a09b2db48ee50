"""Vectors in files: what is read back, what is refused, and what is left behind when something goes wrong."""

from __future__ import annotations

import errno
import json
import os
import stat

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from taskspace.errors import SettingError, WeightsError
from taskspace.merging import TaskVector, load_many, merge, save_many
from taskspace.merging.carriers import Factors, Pair, Place
from taskspace.merging.window import Window, windows

SHAPES = {"a.weight": (40, 30), "b.weight": (64, 3, 2, 2), "b.bias": (6,), "scale": (), "none": (0, 4)}


def tensors(seed):
    generator = np.random.default_rng(seed)
    return {name: 0.01 * generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def read(vector):
    carrier = vector.carrier
    return {
        name: carrier.block(Window(name, 0, spec.size)).reshape(spec.shape) for name, spec in carrier.layout.items()
    }


def one(seed=0):
    base = {name: values + 1 for name, values in tensors(99).items()}
    tuned = {name: values + tensors(seed)[name] for name, values in base.items()}
    return TaskVector.diff(tuned, base, name=f"t{seed}")


def pairs(seed, rank, place=True):
    rng = np.random.default_rng(seed)
    up, down = rng.standard_normal((5, rank)).astype(np.float32), rng.standard_normal((rank, 8)).astype(np.float32)
    where = {"q": Place("q"), "e": Place("e", embedding=True)} if place else {"q": None, "e": None}
    both = {
        "q.weight": Pair(up, down, (5, 8), place=where["q"]),
        "e.weight": Pair(up, down, (8, 5), transposed=True, place=where["e"]),
    }
    return TaskVector(Factors.of(both), {f"p{seed}": 1.0})


CODECS = [
    ("raw", {}), ("raw", {"dtype": "F16"}), ("raw", {"dtype": "BF16"}), ("svd", {"rank": 3}), ("svd", {"share": 0.2}),
    ("int8", {}), ("int4", {"group": 128}), ("int2", {}), ("sparse", {}), ("sparse", {"density": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "options"), CODECS, ids=str)
def test_every_tensor_is_within_its_bound(tmp_path, codec, options):
    vector = one()
    saved = vector.save(tmp_path / "v.tv", codec, **options)
    again = TaskVector.load(tmp_path / "v.tv")
    assert {name: spec.shape for name, spec in again.layout.items()} == SHAPES
    for name, values in read(vector).items():
        error = read(again)[name].astype(np.float64) - values
        bound = saved.bounds[name]
        assert np.max(np.abs(error), initial=0) <= bound.each
        assert np.sqrt(np.sum(error**2)) <= bound.norm * (1 + 1e-12)
    assert saved.nbytes == (tmp_path / "v.tv").stat().st_size
    assert (again.weights, again.base, again.provenance) == (vector.weights, vector.base, dict(vector.provenance))


@pytest.mark.parametrize(("codec", "options"), CODECS, ids=str)
def test_it_is_read_in_any_windows(tmp_path, codec, options):
    one().save(tmp_path / "v.tv", codec, **options)
    carrier = TaskVector.load(tmp_path / "v.tv").carrier
    whole = read(TaskVector.load(tmp_path / "v.tv"))
    for name, spec in carrier.layout.items():
        for stretch in (7, 100, 10**6):
            cut = b"".join(carrier.block(window).tobytes() for window in windows(name, spec, stretch))
            assert cut == whole[name].tobytes()


@pytest.mark.parametrize("codec", ["raw", "int8", "int4", "int2"])
def test_what_it_takes(tmp_path, codec):
    count = 256 * 256
    vector = TaskVector.from_arrays({"w": np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)})
    nbytes = vector.save(tmp_path / "v.tv", codec).nbytes
    bits = {"raw": 32, "int8": 8, "int4": 4, "int2": 2}[codec]
    assert count * bits / 8 <= nbytes <= count * bits / 8 + 1000


def test_a_raw_file_is_one_that_others_read(tmp_path):
    one().save(tmp_path / "v.safetensors")
    with safe_open(tmp_path / "v.safetensors", framework="np") as file:
        for name, values in read(one()).items():
            np.testing.assert_array_equal(file.get_tensor(name), values)


def test_every_file_is_safetensors(tmp_path):
    for codec, options in CODECS:
        one().save(tmp_path / "v.tv", codec, **options | ({} if codec != "raw" else {"dtype": "F16"}))
        assert load_file(tmp_path / "v.tv")


def test_others_may_read_the_file(tmp_path):
    mask = os.umask(0o022)
    try:
        one().save(tmp_path / "v.tv")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "v.tv").stat().st_mode) == 0o644


def test_nothing_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    one().save(tmp_path / "v.tv", "int4")
    with monkeypatch.context() as patch:
        patch.setattr(np, "fromfile", lambda *_, **__: pytest.fail("numbers were read"))
        vector = 2 * TaskVector.load(tmp_path / "v.tv")
    assert vector.norm == pytest.approx(2 * TaskVector.load(tmp_path / "v.tv").norm)


def test_doubles_stay_doubles(tmp_path):
    values = np.random.default_rng(0).standard_normal((9, 9))
    for codec in ("raw", "int8", "sparse"):
        saved = TaskVector.from_arrays({"w": values}).save(tmp_path / "v.tv", codec)
        again = read(TaskVector.load(tmp_path / "v.tv"))["w"]
        assert again.dtype == np.float64
        assert np.abs(again - values).max() <= saved.bounds["w"].each


@pytest.mark.parametrize("codec", ["raw", "int2", "svd", "sparse"])
def test_factor_pairs_are_kept_as_they_are(tmp_path, codec):
    vector = pairs(0, 2)
    saved = vector.save(tmp_path / "v.tv", codec)
    again = TaskVector.load(tmp_path / "v.tv")
    assert isinstance(again.carrier, Factors)
    for name, pair in vector.carrier.pairs.items():
        stored = again.carrier.pairs[name]
        np.testing.assert_array_equal(stored.up, pair.up)
        np.testing.assert_array_equal(stored.down, pair.down)
        assert (stored.shape, stored.transposed, stored.place) == (pair.shape, pair.transposed, pair.place)
        assert saved.bounds[name].norm < 1e-4
    assert again @ vector == pytest.approx(vector @ vector)


def test_a_sum_of_adapters_is_saved_as_one(tmp_path):
    mixed = 0.5 * pairs(0, 2) - pairs(1, 3)
    mixed.save(tmp_path / "v.tv", "int4")
    again = TaskVector.load(tmp_path / "v.tv")
    assert {pair.rank for pair in again.carrier.pairs.values()} == {5}
    assert (again - mixed).norm < 1e-5 * mixed.norm
    again.to_peft(tmp_path / "adapter")
    assert (TaskVector.from_peft(tmp_path / "adapter") - mixed).norm < 1e-5 * mixed.norm


def test_factor_pairs_may_be_multiplied_out(tmp_path):
    vector = pairs(0, 2)
    saved = vector.save(tmp_path / "v.tv", "int8", keep_factors=False)
    again = TaskVector.load(tmp_path / "v.tv")
    assert not isinstance(again.carrier, Factors)
    for name, values in read(vector).items():
        assert np.abs(read(again)[name] - values).max() <= saved.bounds[name].each


def test_factors_and_others_in_one_file(tmp_path):
    dense = TaskVector.from_arrays({"b.bias": tensors(0)["b.bias"], "q.weight": np.ones((5, 8), np.float32)})
    mixed = pairs(0, 2) + dense
    mixed.save(tmp_path / "v.tv")
    again = TaskVector.load(tmp_path / "v.tv")
    for name, values in read(mixed).items():
        np.testing.assert_allclose(read(again)[name], values, rtol=1e-6)


def test_what_an_svd_leaves_are_factors(tmp_path):
    vector = one()
    vector.save(tmp_path / "v.tv", "svd", rank=2)
    again = TaskVector.load(tmp_path / "v.tv")
    values = read(vector)["a.weight"].astype(np.float64)
    u, s, vt = np.linalg.svd(values, full_matrices=False)
    np.testing.assert_allclose(read(again)["a.weight"], (u[:, :2] * s[:2]) @ vt[:2], atol=1e-7)
    with pytest.raises(WeightsError, match="not the sum of an adapter's factors"):
        again.to_peft(tmp_path / "adapter")


def test_a_merge_is_saved_as_it_is_applied(tmp_path):
    merged = merge([one(1), one(2)], "tsv")
    merged.save(tmp_path / "v.tv")
    again = TaskVector.load(tmp_path / "v.tv")
    for name, values in read(merged).items():
        np.testing.assert_array_equal(read(again)[name], values)
    assert again.provenance["merge"]["method"] == "tsv"


def test_a_saved_vector_is_added_to_its_base_and_to_no_other(tmp_path):
    one().save(tmp_path / "v.tv")
    base = {name: values + 1 for name, values in tensors(99).items()}
    again = TaskVector.load(tmp_path / "v.tv")
    result = again.apply(base)
    expected = one().apply(base)
    for name in SHAPES:
        np.testing.assert_array_equal(result._tensors[name], expected._tensors[name])
    with pytest.raises(WeightsError, match="give the same base"):
        again.apply({name: values + 2 for name, values in tensors(99).items()})


# several vectors in one file


@pytest.mark.parametrize("group", [None, 128])
def test_a_base_that_they_share(tmp_path, group):
    vectors = [one(seed) for seed in (1, 2, 3)]
    saved = save_many(vectors, tmp_path / "v.tv", group=group)
    again = load_many(tmp_path / "v.tv")
    assert [vector.weights for vector in again] == [vector.weights for vector in vectors]
    for before, after, file in zip(vectors, again, saved, strict=True):
        for name, values in read(before).items():
            error = read(after)[name].astype(np.float64) - values
            assert np.max(np.abs(error), initial=0) <= file.bounds[name].each
            assert np.sqrt(np.sum(error**2)) <= file.bounds[name].norm * (1 + 1e-12)


def test_what_several_take(tmp_path):
    vectors = [TaskVector.from_arrays({"w": np.random.default_rng(i).random((256, 256), np.float32)}) for i in range(8)]
    nbytes = save_many(vectors, tmp_path / "v.tv")[0].nbytes
    bits = (3 + 8 * 2) * 256 * 256 / 8
    assert bits <= nbytes <= bits + 8000


def test_vectors_that_have_much_in_common_lose_less_than_at_two_bits_each(tmp_path, rng):
    common = rng.standard_normal((60, 60)).astype(np.float32)
    vectors = [
        TaskVector.from_arrays({"w": common + 0.1 * rng.standard_normal((60, 60)).astype("f4")}) for _ in range(4)
    ]
    save_many(vectors, tmp_path / "many.tv")
    for vector, shared in zip(vectors, load_many(tmp_path / "many.tv"), strict=True):
        vector.save(tmp_path / "alone.tv", "int2")
        assert (shared - vector).norm < 0.5 * (TaskVector.load(tmp_path / "alone.tv") - vector).norm


def test_vectors_of_unequal_tensors_and_factors(tmp_path):
    left = TaskVector.from_arrays({"x": tensors(1)["a.weight"]}, name="left")
    right = TaskVector.from_arrays({"x": tensors(2)["a.weight"], "y": tensors(2)["b.bias"]}, name="right")
    saved = save_many([left, pairs(0, 2), right], tmp_path / "v.tv")
    again = load_many(tmp_path / "v.tv")
    assert [set(vector.layout) for vector in again] == [{"x"}, {"q.weight", "e.weight"}, {"x", "y"}]
    assert isinstance(again[1].carrier, Factors)
    for before, after, file in zip([left, pairs(0, 2), right], again, saved, strict=True):
        for name, values in read(before).items():
            assert np.abs(read(after)[name] - values).max() <= file.bounds[name].each + 1e-7


def test_several_are_not_one(tmp_path, one_sentence):
    save_many([one(1), one(2)], tmp_path / "v.tv")
    with pytest.raises(WeightsError, match="holds 2 vectors") as error:
        TaskVector.load(tmp_path / "v.tv")
    assert one_sentence(error.value)
    with pytest.raises(SettingError, match="no vector"):
        save_many([], tmp_path / "v.tv")
    other = TaskVector.diff(tensors(98), tensors(97))
    with pytest.raises(WeightsError, match="different bases"):
        save_many([one(1), other], tmp_path / "w.tv")
    shapes = [TaskVector.from_arrays({"w": np.ones(shape)}) for shape in [(2, 3), (3, 2)]]
    with pytest.raises(WeightsError, match="has shape"):
        save_many(shapes, tmp_path / "w.tv")
    assert not (tmp_path / "w.tv").exists()


# what is refused


def refused(path, one_sentence):
    with pytest.raises(WeightsError) as error:
        TaskVector.load(path)
    assert one_sentence(error.value)
    return str(error.value)


def header(path, change):
    """Write the file's header anew, with one of our strings changed."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    said = json.loads(data[8 : 8 + length])
    ours = json.loads(said["__metadata__"]["taskspace"])
    said["__metadata__"]["taskspace"] = json.dumps(change(ours))
    text = json.dumps(said).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def test_files_that_are_no_saved_vector(tmp_path, one_sentence):
    assert "there is no file" in refused(tmp_path / "nowhere.tv", one_sentence)
    assert "there is no file" in refused(tmp_path, one_sentence)
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "weights.safetensors")
    assert "TaskVector.diff" in refused(tmp_path / "weights.safetensors", one_sentence)
    (tmp_path / "text.tv").write_text("not at all")
    assert "not a whole safetensors file" in refused(tmp_path / "text.tv", one_sentence)


def test_a_file_that_was_cut_short(tmp_path, one_sentence):
    one().save(tmp_path / "v.tv", "int4")
    whole = (tmp_path / "v.tv").read_bytes()
    for left in (0, 5, 100, len(whole) - 1):
        (tmp_path / "v.tv").write_bytes(whole[:left])
        assert refused(tmp_path / "v.tv", one_sentence)


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path, one_sentence):
    one().save(tmp_path / "v.tv")
    vector = TaskVector.load(tmp_path / "v.tv")
    (tmp_path / "v.tv").write_bytes((tmp_path / "v.tv").read_bytes()[:-100])
    with pytest.raises(WeightsError, match="has changed") as error:
        vector.norm  # noqa: B018
    assert one_sentence(error.value)


def test_a_vector_may_be_saved_over_itself_and_is_then_to_be_read_again(tmp_path):
    one().save(tmp_path / "v.tv")
    vector = TaskVector.load(tmp_path / "v.tv")
    before = vector.norm
    vector.save(tmp_path / "v.tv", "int8")
    with pytest.raises(WeightsError, match="open it again"):
        vector.norm  # noqa: B018
    assert TaskVector.load(tmp_path / "v.tv").norm == pytest.approx(before, rel=1e-2)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda said: {**said, "version": 99}, "newer taskspace"),
        (lambda said: {**said, "version": "x"}, "damaged"),
        (lambda _: {"version": 1}, "damaged"),
        (lambda _: [], "damaged"),
        (
            lambda said: {**said, "vectors": [{**said["vectors"][0], "tensors": {"w": {"by": {"codec": "x"}}}}]},
            "damaged",
        ),
        (lambda said: _edited(said, by={"codec": "affine", "bits": 99, "group": None}), "damaged"),
        (lambda said: _edited(said, by={"codec": "low_rank", "rank": 1}, shape=[]), "damaged"),
        (lambda said: _edited(said, at="elsewhere"), "damaged"),
        (lambda said: _edited(said, shape=[7, 7]), "damaged"),
        (lambda said: _edited(said, dtype="X9"), "damaged"),
    ],
)
def test_a_header_that_makes_no_sense(tmp_path, change, word, one_sentence):
    TaskVector.from_arrays({"w": np.arange(6, dtype=np.float32)}).save(tmp_path / "v.tv", "int4")
    header(tmp_path / "v.tv", change)
    assert word in refused(tmp_path / "v.tv", one_sentence)


def _edited(said, **changes):
    vector = said["vectors"][0]
    vector["tensors"]["w"] |= changes
    return said


def test_a_codec_that_there_is_not(tmp_path):
    with pytest.raises(SettingError, match="did you mean 'int4'"):
        one().save(tmp_path / "v.tv", "int44")
    assert not (tmp_path / "v.tv").exists()


def test_two_tensors_of_one_name_in_the_file(tmp_path, one_sentence):
    vector = TaskVector.from_arrays({"w": np.ones((9, 9), np.float32), "w:up": np.ones(4, np.float32)})
    with pytest.raises(WeightsError, match="'w:up' would be written twice") as error:
        vector.save(tmp_path / "v.tv", "svd")
    assert one_sentence(error.value)
    for codec in ("raw", "sparse", "int4"):
        vector.save(tmp_path / "v.tv", codec)
        assert set(TaskVector.load(tmp_path / "v.tv").layout) == {"w", "w:up"}


@pytest.mark.parametrize("codec", ["raw", "int4", "svd", "sparse"])
def test_an_older_file_stays_when_a_newer_one_fails(tmp_path, codec, one_sentence):
    one().save(tmp_path / "v.tv")
    before = (tmp_path / "v.tv").read_bytes()
    wrong = TaskVector.from_arrays({"v": np.ones((30, 30), np.float32), "w": np.full((30, 30), np.nan, np.float32)})
    with pytest.raises(WeightsError, match="NaN") as error:
        wrong.save(tmp_path / "v.tv", codec)
    assert one_sentence(error.value)
    assert (tmp_path / "v.tv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["v.tv"]


def test_a_full_disk(tmp_path, monkeypatch, one_sentence):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match="disk is full") as error:
        one().save(tmp_path / "v.tv", "int4")
    assert one_sentence(error.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(WeightsError, match="cannot be written"):
        one().save(tmp_path / "no" / "such" / "folder.tv")
