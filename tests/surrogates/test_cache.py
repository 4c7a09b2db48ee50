from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from taskspace.surrogates._cache import FeatureCache, text_key


def entries(*numbers, width=4):
    return {text_key(f"text {i}"): np.random.default_rng(i).standard_normal(width, dtype=np.float32) for i in numbers}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, vector in expected.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key], vector)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "not" / "yet" / "made.db"


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_put_is_found(path, on_disk):
    cache = FeatureCache(path if on_disk else None)
    some = entries(1, 2, 3)
    assert cache.get(list(some)) == {}
    cache.put(some)
    cache.put({})
    assert_same(cache.get([*some, text_key("unknown")]), some)
    assert cache.get([]) == {}
    assert path.exists() is on_disk
    if on_disk:
        assert_same(FeatureCache(path).get(list(some)), some)


def test_more_keys_than_a_statement_takes(path):
    many = entries(*range(1203), width=2)
    FeatureCache(path).put(many)
    assert_same(FeatureCache(path).get([*many, *(text_key(f"absent {i}") for i in range(1100))]), many)


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_there_stays(path, on_disk):
    cache = FeatureCache(path if on_disk else None)
    first, other = entries(1), {text_key("text 1"): np.zeros(4, dtype=np.float32)}
    cache.put(first)
    cache.put(other)
    assert_same(cache.get(list(first)), first)


def test_keys_tell_texts_apart():
    texts = ["", " ", "a", "A", "a ", "\ud800", "\ud801", "?", "é", "e\u0301"]
    keys = {text_key(text) for text in texts}
    assert len(keys) == len(texts)
    assert {len(key) for key in keys} == {16}


def overwrite_inside(path):
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(4096 * 2)
        file.write(b"\xff" * (size - 4096 * 3))


DAMAGE = {
    "not a database": lambda path: path.write_bytes(b"this is no database, but long enough to be one " * 50),
    "empty": lambda path: path.write_bytes(b""),
    "head lost": lambda path: path.write_bytes(b"\0" * 100 + path.read_bytes()[100:]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:20_000]),
    "overwritten inside": overwrite_inside,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_started_afresh(path, damage):
    many = entries(*range(300), width=64)
    FeatureCache(path).put(many)
    DAMAGE[damage](path)
    cache = FeatureCache(path)
    found = cache.get(list(many))
    assert_same(found, {key: many[key] for key in found})
    assert len(found) < len(many)
    cache.put(many)
    cache.put(many)  # the first may have met the damage
    assert_same(FeatureCache(path).get(list(many)), many)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_table_of_another_shape_is_done_without(path):
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE features (something TEXT)")
    connection.close()
    cache = FeatureCache(path)
    assert cache.get(list(entries(1))) == {}
    cache.put(entries(1))


def test_a_place_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "features.db")
    some = entries(1, 2)
    assert cache.get(list(some)) == {}
    cache.put(some)
    assert_same(cache.get(list(some)), some)  # kept in memory
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_full_disk_is_done_without(path, elsewhere):
    FeatureCache(path).put(entries(1))
    elsewhere(FULL, path)
    assert_same(FeatureCache(path).get(list(entries(1))), entries(1))


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from taskspace.surrogates._cache import FeatureCache, text_key
cache = FeatureCache(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
for i in range(50):
    cache.put({text_key(f"big {i}"): np.ones(2000, dtype=np.float32)})
"""

WRITER = """
import sys
from pathlib import Path
import numpy as np
from taskspace.surrogates._cache import FeatureCache, text_key
cache = FeatureCache(Path(sys.argv[1]))
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    key = text_key(f"text {i}")
    if not cache.get([key]):
        cache.put({key: np.random.default_rng(i).standard_normal(4, dtype=np.float32)})
"""


def test_processes_write_at_once(path, elsewhere):
    ranges = [(0, 120), (60, 180), (120, 240)]
    processes = [elsewhere(WRITER, path, start, stop, wait=False) for start, stop in ranges]
    for process in processes:
        elsewhere.finished(process)
    assert_same(FeatureCache(path).get(list(entries(*range(240)))), entries(*range(240)))
