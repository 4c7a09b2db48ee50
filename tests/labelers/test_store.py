"""The answer store: what was put in comes out, whatever else happens."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import LabelerError, TaskspaceWarning
from taskspace.labelers import AnswerStore
from taskspace.labelers import store as module
from taskspace.labelers.store import default_store
from taskspace.task import Inputs

SOURCE = str(Path(__file__).parents[2] / "src")

ROW, OTHER = b"r" * 16, b"o" * 16

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    return AnswerStore(tmp_path / "deep" / "answers.db" if request.param == "file" else None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.db"


def row_of(number):
    return b"%016d" % number


def exactly(value):
    """A value with its types: ``1``, ``1.0`` and ``True`` are equal but not the same, nor are ``0.0`` and ``-0.0``."""
    if isinstance(value, list):
        return [exactly(part) for part in value]
    if isinstance(value, dict):
        return {key: exactly(part) for key, part in value.items()}
    return (type(value), value.hex() if isinstance(value, float) else value)


def test_any_json_value_comes_back_exactly(store):
    number = itertools.count()

    @given(item=json_values)
    def check(item):
        key = str(next(number))
        store.put(key, "name", {ROW: item})
        assert exactly(store.get(key, [ROW])) == exactly({ROW: item})

    check()


@pytest.mark.parametrize("item", ["\ud800", ["a\udfffb"], {"\udc00": 1}, "\x00", "😀 \u2028", 10**30, 5e-324, -0.0, ""])
def test_awkward_values_come_back_exactly(store, item):
    store.put("key", "name \ud800", {ROW: item})
    assert exactly(store.get("key", [ROW])) == exactly({ROW: item})


def test_digests_of_awkward_texts_are_found_again(store):
    inputs = Inputs.of(["\ud800", "", "a\x00b", "é", "e\u0301"], ["x", None, None, None, None])
    store.put("key", "name", dict(zip(inputs.digests, range(5), strict=True)))
    assert [store.get("key", inputs.digests)[digest] for digest in inputs.digests] == [0, 1, 2, 3, 4]


def test_rows_and_labelers_are_told_apart(store):
    assert (len(store), store.get("a", [ROW])) == (0, {})
    store.put("a", "model", {ROW: 1})
    store.put("b", "model", {ROW: 2, OTHER: None})
    assert store.get("a", [ROW, OTHER]) == {ROW: 1}
    assert store.get("b", [OTHER, ROW, ROW]) == {ROW: 2, OTHER: None}
    assert store.get("c", [ROW]) == {}
    assert (store.get("a", []), len(store)) == ({}, 3)


def test_nothing_is_overwritten(store):
    store.put("key", "name", {ROW: "first"})
    store.put("key", "other name", {ROW: "second", OTHER: "new"})
    assert store.get("key", [ROW, OTHER]) == {ROW: "first", OTHER: "new"}


def test_what_was_put_in_can_be_changed_outside(store):
    item = {"log_probs": [1.0]}
    store.put("key", "name", {ROW: item})
    item["log_probs"].append(2.0)
    store.get("key", [ROW])[ROW]["log_probs"].clear()
    assert store.get("key", [ROW]) == {ROW: {"log_probs": [1.0]}}


def test_more_rows_than_sqlite_binds_at_once(store):
    many = {row_of(n): n for n in range(2501)}
    store.put("key", "name", many)
    assert store.get("key", [*many, ROW]) == many


@pytest.mark.parametrize(
    "item", [float("nan"), [float("inf")], {"a": -float("inf")}, object(), {1, 2}, b"x", {(1, 2): 3}]
)
def test_what_json_cannot_hold_is_refused_and_the_whole_batch_with_it(store, item, one_sentence):
    with pytest.raises(LabelerError, match="^labeler 'odd' gave an answer that cannot be kept") as caught:
        store.put("key", "odd", {OTHER: "sound", ROW: item})
    assert one_sentence(caught.value)
    assert len(store) == 0


def test_what_holds_itself_is_refused(store):
    item: list = []
    item.append(item)
    with pytest.raises(LabelerError, match="cannot be kept"):
        store.put("key", "odd", {ROW: item})


def test_the_file_can_be_read_without_the_package(path):
    AnswerStore(path).put("key", "spam filter", {ROW: {"said": "größer"}})
    connection = sqlite3.connect(path)
    sql = "SELECT labelers.name, row, item FROM answers JOIN labelers ON labelers.id = answers.labeler"
    assert connection.execute(sql).fetchall() == [("spam filter", ROW, '{"said": "größer"}')]
    connection.close()


def test_the_default_store_lies_under_the_home_and_is_made_on_first_use(tmp_path):
    store = default_store()
    assert store.path == tmp_path / "home" / "answers.db"
    assert store.get("key", [ROW]) == {}
    assert not (tmp_path / "home").exists()
    store.put("key", "name", {ROW: 1})
    assert default_store().get("key", [ROW]) == {ROW: 1}


def test_without_a_home_it_lies_with_the_data_of_the_user(monkeypatch):
    """Not in a cache, which may be emptied: answers cost money."""
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.delenv("TASKSPACE_HOME")
    assert default_store().path == platformdirs.user_data_path("taskspace", appauthor=False) / "answers.db"


@pytest.mark.parametrize("name", ["50% off?#1.db", "größer \u732b.db", "a b'c\".db"])
def test_awkward_file_names(tmp_path, name):
    AnswerStore(tmp_path / name).put("key", "name", {ROW: 1})
    assert AnswerStore(tmp_path / name).get("key", [ROW]) == {ROW: 1}
    assert (tmp_path / name).is_file()


# Several at once


WRITER = """
import sys
from pathlib import Path
from taskspace.labelers import AnswerStore

store, me = AnswerStore(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for batch in range(20):
    store.put("shared", "all", {b"%016d" % (batch * 5 + i): {"said": [batch, i]} for i in range(5)})
    store.put(f"own {me}", "mine", {b"%016d" % (batch * 5 + i): me for i in range(5)})
"""


def test_processes_write_at_once(path):
    with contextlib.ExitStack() as ends:
        running = [_start(WRITER, path, me) for me in range(4)]
        for process in running:
            ends.callback(process.kill)
        assert [process.stdout.readline() for process in running] == ["ready\n"] * 4
        for process in running:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in running:
            _, problems = process.communicate(timeout=120)
            assert (process.returncode, problems) == (0, "")
    rows = [row_of(n) for n in range(100)]
    store = AnswerStore(path)
    assert store.get("shared", rows) == {row_of(n): {"said": [n // 5, n % 5]} for n in range(100)}
    assert all(store.get(f"own {me}", rows) == dict.fromkeys(rows, me) for me in range(4))
    assert len(store) == 500


def test_threads_write_at_once(path):
    store = AnswerStore(path)
    threads = [
        threading.Thread(target=lambda me=me: [store.put("k", "n", {row_of(me * 10 + i): i}) for i in range(10)])
        for me in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 60


# Places and files that will not do


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, one_sentence):
    (tmp_path / "file").write_text("")
    store = AnswerStore(tmp_path / "file" / "answers.db")
    with pytest.raises(LabelerError, match="file/answers.db cannot be used") as caught:
        store.put("key", "name", {ROW: 1})
    assert one_sentence(caught.value)
    assert store.get("key", [ROW]) == {}


def test_a_folder_in_its_place_is_a_sentence(path, one_sentence):
    path.mkdir()
    for use in (lambda store: store.put("key", "name", {ROW: 1}), lambda store: store.get("key", [ROW]), len):
        with pytest.raises(LabelerError, match="answers.db cannot be used") as caught:
            use(AnswerStore(path))
        assert one_sentence(caught.value)


def test_a_full_disk_is_a_sentence_and_loses_nothing(path, one_sentence, monkeypatch):
    store = AnswerStore(path)
    store.put("key", "name", {ROW: "kept"})
    whole = module._prepared

    def small(db):
        db = whole(db)
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(module, "_prepared", small)
        with pytest.raises(
            LabelerError, match=r"cannot be used \(database or disk is full\); free some space"
        ) as caught:
            store.put("key", "name", {OTHER: "x" * 100_000})
        assert one_sentence(caught.value)
        assert store.get("key", [ROW, OTHER]) == {ROW: "kept"}
    store.put("key", "name", {OTHER: "now"})
    assert store.get("key", [ROW, OTHER]) == {ROW: "kept", OTHER: "now"}


def test_a_file_of_another_program_is_a_sentence_and_stays(path, one_sentence):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE answers (mine TEXT)")
    connection.execute("INSERT INTO answers VALUES ('precious')")
    connection.commit()
    connection.close()
    for use in (lambda store: store.put("key", "name", {ROW: 1}), lambda store: store.get("key", [ROW])):
        with pytest.raises(LabelerError, match="cannot be used") as caught:
            use(AnswerStore(path))
        assert one_sentence(caught.value)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT mine FROM answers").fetchall() == [("precious",)]
    connection.close()


OBEDIENT = """
import os, sys
from pathlib import Path
from taskspace.errors import LabelerError
from taskspace.labelers import AnswerStore

if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
row = b"r" * 16
for name in ("folder/answers.db", "answers.db"):
    store = AnswerStore(Path(sys.argv[1]) / name)
    print(store.get("key", [row])[row], len(store))
    try:
        store.put("key", "name", {b"o" * 16: 1})
        print("went through")
    except LabelerError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are others there")
def test_a_place_that_may_only_be_read_serves_what_it_holds(one_sentence):
    """A process without root's rights tries; root would be let through."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "folder").mkdir()
        for name in ("folder/answers.db", "answers.db"):
            AnswerStore(place / name).put("key", "name", {ROW: "kept"})
            (place / name).chmod(0o444)
        (place / "folder").chmod(0o555)
        place.chmod(0o777)
        environment = os.environ | {"PYTHONPATH": SOURCE}
        command = [sys.executable, "-c", OBEDIENT, temporary]
        ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        (place / "folder").chmod(0o755)
    assert (ran.returncode, ran.stderr) == (0, "")
    in_folder, first, in_place, second = ran.stdout.splitlines()
    assert in_folder == in_place == "kept 1"
    for sentence in (first, second):
        assert "answers.db cannot be used" in sentence
        assert one_sentence(sentence)


# Damage


def spoil_header(path):
    path.write_bytes(b"this is no database at all, but quite a long text" * 100)


def spoil_inside(path):
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    path.write_bytes(data)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:6000])


@pytest.mark.parametrize("spoil", [spoil_header, spoil_inside, cut_off])
@pytest.mark.parametrize("use", ["get", "put", "len"])
def test_a_damaged_file_is_set_aside_with_a_warning_and_never_deleted(path, spoil, use):
    many = {row_of(n): {"said": "x" * 50} for n in range(400)}
    AnswerStore(path).put("key", "name", many)
    spoil(path)
    damaged = path.read_bytes()
    store = AnswerStore(path)
    rows = list(many)
    uses = {"get": lambda: store.get("key", rows), "put": lambda: store.put("key", "name", many), "len": store.__len__}
    with pytest.warns(TaskspaceWarning, match=r"answers.db is damaged and was set aside as answers.db.damaged-\w+; "):
        assert not uses[use]()
    (aside,) = [file for file in path.parent.iterdir() if "damaged" in file.name]
    assert aside.read_bytes() == damaged
    store.put("key", "name", many)
    assert store.get("key", list(many)) == many


def test_two_damaged_files_are_both_kept(path):
    for content in (b"one" * 2000, b"two" * 2000):
        path.write_bytes(content)
        with pytest.warns(TaskspaceWarning, match="set aside"):
            AnswerStore(path).put("key", "name", {ROW: 1})
    kept = {file.read_bytes() for file in path.parent.iterdir() if "damaged" in file.name}
    assert kept == {b"one" * 2000, b"two" * 2000}


def test_what_another_process_has_mended_is_not_set_aside_again(path):
    """This process saw the damage, but before it acts another one has put a sound file in its place."""
    AnswerStore(path).put("key", "name", {ROW: 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module._replace(path)
    assert [file.name for file in path.parent.iterdir() if "damaged" in file.name] == []
    assert AnswerStore(path).get("key", [ROW]) == {ROW: 1}


def test_an_empty_file_is_a_store_without_answers(path):
    path.touch()
    assert AnswerStore(path).get("key", [ROW]) == {}
    AnswerStore(path).put("key", "name", {ROW: 1})
    assert len(AnswerStore(path)) == 1


def test_an_item_that_is_no_json_any_more_is_asked_again(path):
    store = AnswerStore(path)
    store.put("key", "name", {ROW: {"said": 1}, OTHER: 2})
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE answers SET item = ? WHERE row = ?", ('{"said": ', ROW))
    connection.close()
    assert store.get("key", [ROW, OTHER]) == {OTHER: 2}
    store.put("key", "name", {ROW: {"said": 3}, OTHER: 4})
    assert store.get("key", [ROW, OTHER]) == {ROW: {"said": 3}, OTHER: 2}


def test_a_copy_made_while_nobody_writes_is_whole(path, tmp_path):
    AnswerStore(path).put("key", "name", {ROW: json.loads("[0.1, 1e-300]")})
    shutil.copy(path, tmp_path / "copy.db")
    assert AnswerStore(tmp_path / "copy.db").get("key", [ROW]) == {ROW: [0.1, 1e-300]}


def _start(script, *arguments):
    environment = os.environ | {"PYTHONPATH": SOURCE}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_store_of_a_newer_version_is_left_alone(tmp_path, one_sentence):
    path = tmp_path / "answers.db"
    AnswerStore(path).put("k", "name", {b"1": 1})
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for use in (lambda: AnswerStore(path).get("k", [b"1"]), lambda: AnswerStore(path).put("k", "name", {b"2": 2})):
        with pytest.raises(LabelerError, match="newer taskspace") as error:
            use()
        assert one_sentence(error.value)
    assert path.read_bytes() == before
