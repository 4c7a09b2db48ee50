from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskspace.data import read_pool, write_pool
from taskspace.errors import DataError, SettingError
from taskspace.task import Pool

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda t: not t.isspace())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(rows=st.lists(st.tuples(TEXT, st.none() | TEXT), min_size=1, max_size=6), suffix=st.sampled_from(["", ".gz"]))
def test_a_written_pool_comes_back(tmp_path, rows, suffix):
    pool = Pool([text for text, _ in rows], [pair for _, pair in rows])
    path = write_pool(pool, tmp_path / f"pool.jsonl{suffix}")
    assert read_pool(path).inputs == pool.inputs
    assert read_pool(str(path)).fingerprint == pool.fingerprint


def test_the_same_pool_gives_the_same_bytes_and_plain_json(tmp_path):
    pool = Pool(["naïve", "b"], ["second", None])
    path = write_pool(pool, str(tmp_path / "a.jsonl"))
    assert path == tmp_path / "a.jsonl"
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == [
        {"text": "naïve", "text_pair": "second"},
        {"text": "b", "text_pair": None},
    ]
    packed = write_pool(pool, tmp_path / "a.jsonl.gz").read_bytes()
    assert packed == write_pool(pool, tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.gz", "b.jsonl.gz"]


@pytest.mark.parametrize("texts", [["a", " "], ["a", ""], ["a", "half \ud83d"]])
def test_a_row_that_would_not_come_back_is_refused_and_the_old_file_stays(tmp_path, texts):
    path = write_pool(Pool(["old"]), tmp_path / "p.jsonl")
    with pytest.raises(DataError, match="row 1 of the pool"):
        write_pool(Pool(texts), path)
    assert read_pool(path).inputs.texts == ("old",)


def test_where_a_pool_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match=r"not as pool\.csv"):
        write_pool(Pool(["a"]), tmp_path / "pool.csv")
    with pytest.raises(DataError, match="cannot be written"):
        write_pool(Pool(["a"]), tmp_path / "nowhere" / "pool.jsonl")
    (tmp_path / "taken.jsonl").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_pool(Pool(["a"]), tmp_path / "taken.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.jsonl"]


def test_labels_are_not_needed_and_left_alone(tmp_path, write):
    rows = [{"text": f"t{i}", "label": ["any", "thing"]} for i in range(5)]
    assert read_pool(write(tmp_path / "x.jsonl", rows)).inputs.texts == tuple(f"t{i}" for i in range(5))
    pairs = [{"question1": "a", "question2": "b"}]
    assert read_pool(write(tmp_path / "x.csv", pairs)).inputs.pairs == ("b",)
    assert read_pool(tmp_path / "x.csv", text="question2").inputs.texts == ("b",)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_text_has_one_text_per_line(tmp_path, end, zipped):
    path = tmp_path / "pool.txt"
    path.write_bytes(("\ufefffirst line" + end + end + '"second", naïve\u2028still second' + end + "third").encode())
    for file in (path, zipped(path)):
        assert read_pool(file).inputs.texts == ("first line", '"second", naïve\u2028still second', "third")


def test_a_task_folder_gives_its_training_texts(tmp_path, write):
    write(tmp_path / "train.csv", [{"text": "a", "label": 1}])
    assert read_pool(tmp_path).inputs.texts == ("a",)


def test_a_sample_keeps_the_order_and_ignores_labels(tmp_path, write):
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(300)]
    path = write(tmp_path / "x.jsonl", rows)
    pool = read_pool(path, limit=20, seed=4)
    numbers = [int(text[1:]) for text in pool.inputs.texts]
    assert len(pool) == 20
    assert numbers == sorted(numbers)
    swapped = write(tmp_path / "y.csv", [row | {"label": 0} for row in rows])
    assert read_pool(swapped, limit=20, seed=4).fingerprint == pool.fingerprint
    assert read_pool(path, limit=20, seed=5).fingerprint != pool.fingerprint
    with pytest.raises(SettingError, match="limit is -1"):
        read_pool(path, limit=-1)


def test_refusals(tmp_path, write):
    with pytest.raises(DataError, match="there is no file"):
        read_pool(tmp_path / "x.jsonl")
    (tmp_path / "x.txt").write_bytes(b"ok\ncaf\xe9\n")
    with pytest.raises(DataError, match="line 2: byte 4"):
        read_pool(tmp_path / "x.txt")
    with pytest.raises(DataError, match=r"say which with text= \(--text\)"):
        read_pool(write(tmp_path / "x.csv", [{"a": "b"}]))
    with pytest.warns(UserWarning, match="1 of 20 rows"):
        assert len(read_pool(write(tmp_path / "y.jsonl", [{"text": "a" if i else ""} for i in range(20)]))) == 19
