from __future__ import annotations

import errno
import json
import math
import stat
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import EmbeddingError, SettingError, SpaceMismatch

FIELDS = {
    "surrogate": "org/model", "revision": "c0ffee", "weights": "w" * 64,
    "encoding": {"layers": [1, 3], "pooling": "mean"}, "learner": "response",
    "settings": {"components": 8, "shrinkage": 3.0}, "pool": "p" * 64, "pool_size": 10, "seed": 0, "recipe": 1,
}  # fmt: skip
CHANGES = {
    "weights": "v" * 64, "encoding": {"layers": [1, 2], "pooling": "mean"}, "learner": "text",
    "settings": {"components": 8, "shrinkage": 1.0}, "pool": "q" * 64, "seed": 1, "recipe": 2,
}  # fmt: skip
SPACE = SpaceId(**FIELDS)


def point(vector, blocks=None, *, space=SPACE, name="t", **provenance):
    vector = np.asarray(vector, dtype=np.float32)
    return TaskEmbedding(name, "dataset", space, vector, blocks or (("all", len(vector)),), "content", provenance)


# SpaceId


def test_equal_spaces():
    other = SpaceId(**json.loads(json.dumps(FIELDS)))
    assert other == SPACE
    assert hash(other) == hash(SPACE)
    assert other.fingerprint == SPACE.fingerprint
    SPACE.require_same(other)
    assert SPACE != "something else"


@pytest.mark.parametrize("field", CHANGES)
def test_each_field_that_differs_is_named(field, one_sentence):
    other = SpaceId(**(FIELDS | {field: CHANGES[field]}))
    assert other != SPACE
    with pytest.raises(SpaceMismatch) as caught:
        SPACE.require_same(other)
    named = [name for name in FIELDS if f"{name} (" in str(caught.value)]
    assert named == [field]
    assert one_sentence(caught.value)


def test_all_fields_that_differ_are_named():
    with pytest.raises(SpaceMismatch, match=r"learner \(\"response\" and \"text\"\), seed \(0 and 1\);"):
        SPACE.require_same(SpaceId(**(FIELDS | {"learner": "text", "seed": 1})))


def test_long_values_are_shortened_so_that_the_difference_may_show():
    with pytest.raises(SpaceMismatch) as caught:
        SPACE.require_same(SpaceId(**(FIELDS | {"pool": "q" * 64})))
    assert "ppp…ppp" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - CHANGES.keys()))
def test_what_follows_from_the_rest_is_not_compared(field):
    other = SpaceId(**(FIELDS | {field: 99}))
    assert other == SPACE
    SPACE.require_same(other)


def test_there_and_back():
    again = SpaceId.from_dict(json.loads(json.dumps(SPACE.to_dict())))
    assert again == SPACE
    assert again.to_dict() == FIELDS
    assert SpaceId.from_dict({k: v for k, v in FIELDS.items() if k != "recipe"}) == SPACE


@pytest.mark.parametrize("data", [FIELDS | {"colour": 1}, {"surrogate": "a"}])
def test_fields_of_another_version(data, one_sentence):
    with pytest.raises(EmbeddingError, match="newer taskspace") as caught:
        SpaceId.from_dict(data)
    assert one_sentence(caught.value)


def test_str_says_what_a_reader_wants():
    assert str(SPACE) == "response on org/model over 10 pool texts, seed 0"


# The value


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(wrong, one_sentence):
    with pytest.raises(EmbeddingError, match="'t': .*NaN or infinity") as caught:
        point([1.0, wrong])
    assert one_sentence(caught.value)


def test_too_large_for_32_bits_is_refused():
    with pytest.raises(EmbeddingError, match="infinity"), np.errstate(over="ignore"):
        TaskEmbedding("t", "dataset", SPACE, np.array([1e300]), (("all", 1),), "content")


@pytest.mark.parametrize(
    ("vector", "blocks"), [(np.ones(3), (("a", 2),)), (np.ones((2, 2)), (("a", 4),)), (np.float64(1.0), (("a", 1),))]
)
def test_a_vector_that_does_not_fit_its_blocks(vector, blocks):
    with pytest.raises(EmbeddingError, match="does not fit its blocks"):
        TaskEmbedding("t", "dataset", SPACE, vector, blocks, "content")


def test_an_unknown_kind():
    with pytest.raises(SettingError, match="kind 'data' is not one of dataset, model, prompt, adapter"):
        TaskEmbedding("t", "data", SPACE, np.ones(1), (("a", 1),), "content")


def test_the_vector_is_frozen_and_nobody_elses():
    mine = np.array([1.0, 2.0], dtype=np.float32)
    embedding = TaskEmbedding("t", "dataset", SPACE, mine, (("all", 2),), "content")
    mine[0] = 9.0
    assert embedding.vector.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        embedding.vector[0] = 3.0
    with pytest.raises(AttributeError):
        embedding.vector = mine


@pytest.mark.parametrize("given", [[1, 2], np.array([2, 1])[::-1], np.array([1.0, 2.0], dtype=">f8")])
def test_numbers_come_out_as_float32(given):
    embedding = TaskEmbedding("t", "dataset", SPACE, given, (("all", 2),), "content")
    assert embedding.vector.dtype == np.dtype("<f4")
    assert embedding.vector.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("vector", "provenance", "informative"),
    [
        ([1.0], {}, True),
        ([0.0], {}, False),
        ([1.0], {"informative": False}, False),
        ([1.0], {"informative": True}, True),
    ],
)
def test_informative(vector, provenance, informative):
    assert point(vector, **provenance).informative is informative


# Similarity


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([3.0, 4.0], [3.0, 4.0], 1.0),
        ([3.0, 4.0], [-6.0, -8.0], -1.0),
        ([3.0, 4.0], [4.0, -3.0], 0.0),
        ([3.0, 4.0], [4.0, 3.0], 24 / 25),
        ([1.0, 0.0], [1.0, 1.0], 0.5**0.5),
        ([0.0, 0.0], [1.0, 1.0], 0.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1e-30, 0.0], [1e-30, 1e-30], 0.5**0.5),
        ([1e30, 0.0], [1e30, 1e30], 0.5**0.5),
    ],
)
def test_one_block_by_hand(a, b, expected):
    similarity = point(a).similarity(point(b))
    assert type(similarity) is float
    assert similarity == pytest.approx(expected, abs=1e-12, rel=1e-6)


def test_blocks_are_averaged():
    blocks = (("x", 2), ("y", 1), ("z", 2))
    a = point([3, 4, -2, 1, 0], blocks)
    b = point([4, 3, 100, 1, 1], blocks)
    assert a.similarity(b) == pytest.approx((24 / 25 - 1 + 0.5**0.5) / 3, abs=1e-12)


def test_an_empty_block_counts_as_nothing_alike():
    blocks = (("x", 2), ("y", 2))
    assert point([3, 4, 0, 0], blocks).similarity(point([3, 4, 5, 5], blocks)) == pytest.approx(0.5, abs=1e-12)


NUMBERS = st.floats(-1e3, 1e3, width=32)


@given(arrays(np.float32, 6, elements=NUMBERS), arrays(np.float32, 6, elements=NUMBERS))
def test_similarity_is_the_mean_cosine(a, b):
    blocks = (("x", 1), ("y", 3), ("z", 2))
    cosines = []
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        x, y = [float(v) for v in a[part]], [float(v) for v in b[part]]
        size = math.hypot(*x) * math.hypot(*y)
        cosines.append(math.fsum(p * q for p, q in zip(x, y, strict=True)) / size if size else 0.0)
    one, other = point(a, blocks), point(b, blocks)
    assert one.similarity(other) == pytest.approx(sum(cosines) / 3, abs=1e-9)
    assert one.similarity(other) == other.similarity(one)
    assert -1.0 <= one.similarity(other) <= 1.0


@pytest.mark.parametrize("field", CHANGES)
def test_no_similarity_across_spaces(field):
    with pytest.raises(SpaceMismatch, match=rf"{field} \("):
        point([1.0]).similarity(point([1.0], space=SpaceId(**(FIELDS | {field: CHANGES[field]}))))


# Files


@given(arrays(np.uint32, st.integers(1, 40), elements=st.integers(0, 2**32 - 1)))
def test_every_bit_comes_back(tmp_path_factory, bits):
    vector = bits.view(np.float32)
    vector = np.where(np.isfinite(vector), vector, np.float32(-0.0))
    path = tmp_path_factory.getbasetemp() / "bits.safetensors"
    again = TaskEmbedding.load(point(vector).save(path))
    assert again.vector.tobytes() == vector.tobytes()


def test_all_else_comes_back(tmp_path):
    provenance = {"rows": 3, "skill": -0.25, "note": "naïve \u2028 🙂", "nested": {"a": [1, None, True]}}
    space = SpaceId(**(FIELDS | {"learner": "fisher"}))
    saved = TaskEmbedding("a/b é", "adapter", space, np.arange(5.0), (("x", 2), ("y.z", 3)), "c0", provenance)
    path = tmp_path / "e.safetensors"
    assert saved.save(str(path)) == path
    again = TaskEmbedding.load(str(path))
    for field in ("name", "kind", "space", "blocks", "content", "provenance"):
        assert getattr(again, field) == getattr(saved, field)
    assert again.space.to_dict() == space.to_dict()
    assert again.similarity(saved) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="read-only"):
        again.vector[0] = 1.0


def test_the_file_is_plain_safetensors(tmp_path):
    """Read by hand from the format's description: 8 bytes of length, JSON, then the numbers."""
    path = point([1.5, -2.0, 0.25], rows=7).save(tmp_path / "e.safetensors")
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["vector"] == {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}
    assert struct.unpack("<3f", data[8 + length :]) == (1.5, -2.0, 0.25)
    assert json.loads(header["__metadata__"]["taskspace"]) == {
        "format": 1, "name": "t", "kind": "dataset", "space": FIELDS, "blocks": [["all", 3]], "content": "content",
        "provenance": {"rows": 7},
    }  # fmt: skip
    beside = tmp_path / "beside"
    beside.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)


def test_the_same_embedding_gives_the_same_bytes(tmp_path):
    one, other = (point([1.0, 2.0], rows=1).save(tmp_path / name) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_an_unfinished_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, one_sentence):
    path = point([1.0]).save(tmp_path / "e.safetensors")

    def full(self, data):
        if step == "write_bytes":
            with self.open("wb") as file:
                file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, full)
        with pytest.raises(EmbeddingError, match="cannot write .*No space left") as caught:
            point([2.0]).save(path)
    assert one_sentence(caught.value)
    assert TaskEmbedding.load(path).vector.tolist() == [1.0]
    assert [p.name for p in tmp_path.iterdir()] == ["e.safetensors"]
    point([2.0]).save(path)
    assert TaskEmbedding.load(path).vector.tolist() == [2.0]


@pytest.mark.parametrize("place", ["nowhere/e.safetensors", "file/e.safetensors", "folder", "n" * 300])
def test_places_that_will_not_do(tmp_path, place, one_sentence):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(EmbeddingError, match="cannot write") as caught:
        point([1.0]).save(tmp_path / place)
    assert one_sentence(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_what_cannot_be_written_touches_nothing(tmp_path):
    path = point([1.0]).save(tmp_path / "e.safetensors")
    with pytest.raises(TypeError, match="not JSON serializable"):
        replace(point([2.0]), provenance={"a": {1, 2}}).save(path)
    assert TaskEmbedding.load(path).vector.tolist() == [1.0]
    assert [p.name for p in tmp_path.iterdir()] == ["e.safetensors"]


HEADER = {
    "format": 1, "name": "t", "kind": "dataset", "space": FIELDS, "blocks": [["all", 2]], "content": "c",
    "provenance": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "not a task embedding"),
        ("{", "is not that of an embedding"),
        ("[]", "is not that of an embedding"),
        ("{}", "is not that of an embedding .*format"),
        (json.dumps({k: v for k, v in HEADER.items() if k != "space"}), "is not that of an embedding .*space"),
        (json.dumps(HEADER | {"format": 2}), "has format 2, this version reads 1; upgrade taskspace"),
        (json.dumps(HEADER | {"space": FIELDS | {"new": 1}}), "newer taskspace"),
        (json.dumps(HEADER | {"blocks": [["all", 3]]}), "does not fit its blocks"),
        (json.dumps(HEADER | {"blocks": 7}), "is not that of an embedding"),
    ],
)
def test_files_of_others(tmp_path, header, said, one_sentence):
    path = tmp_path / "e.safetensors"
    save_file({"vector": np.ones(2, dtype=np.float32)}, path, None if header is None else {"taskspace": header})
    with pytest.raises(EmbeddingError, match=said):
        TaskEmbedding.load(path)


def test_the_header_of_these_tests_would_do(tmp_path):
    save_file({"vector": np.ones(2, dtype=np.float32)}, tmp_path / "e", {"taskspace": json.dumps(HEADER)})
    assert TaskEmbedding.load(tmp_path / "e").space == SPACE


def test_a_file_without_the_vector(tmp_path):
    save_file({"other": np.ones(2, dtype=np.float32)}, tmp_path / "e", {"taskspace": json.dumps(HEADER)})
    with pytest.raises(EmbeddingError, match="not a readable safetensors file"):
        TaskEmbedding.load(tmp_path / "e")


def test_numbers_that_are_not_finite_are_refused_when_read(tmp_path):
    save_file({"vector": np.float32([1, np.nan])}, tmp_path / "e", {"taskspace": json.dumps(HEADER)})
    with pytest.raises(EmbeddingError, match="NaN or infinity"):
        TaskEmbedding.load(tmp_path / "e")


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "folder", "cut", "head only"])
def test_damaged_files(tmp_path, damage, one_sentence):
    path = point(np.arange(50.0)).save(tmp_path / "e.safetensors")
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {"empty": b"", "text": b"some text\n" * 99, "cut": whole[:-7], "head only": whole[:20]}[damage]
        )
    said = "there is no file" if damage == "missing" else "is not a readable safetensors file"
    with pytest.raises(EmbeddingError, match=said) as caught:
        TaskEmbedding.load(path)
    assert str(path) in str(caught.value)
    assert one_sentence(caught.value)
