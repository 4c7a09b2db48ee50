from __future__ import annotations

import gc
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import taskspace.atlas._atlas
from taskspace.atlas import Atlas
from taskspace.errors import AtlasError

LENGTH = 20_000


def expected_vector(name):
    return np.random.default_rng(int(name[1:])).standard_normal(LENGTH, dtype=np.float32)


def start(writer, *arguments):
    return subprocess.Popen(
        [sys.executable, str(writer), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def one_sentence(text):
    return "\n" not in text.strip() and not re.search(r"[.!?] [A-Z]", text)


# Places


@pytest.mark.parametrize(
    ("place", "create", "said"),
    [
        (".", True, "is a folder; give the path of a file in it"),
        ("nowhere/my.db", True, "the folder .*nowhere does not exist; make it first"),
        ("absent.db", False, "there is no atlas at .*absent.db"),
    ],
)
def test_a_place_that_will_not_do(tmp_path, place, create, said):
    with pytest.raises(AtlasError, match=said):
        Atlas(tmp_path / place, create=create)
    assert not (tmp_path / "absent.db").exists()


def test_awkward_file_names(tmp_path, many):
    path = tmp_path / "a b?mode=ro#%20é.db"
    with Atlas(path) as atlas:
        atlas.add(*many(1))
    assert path.exists()
    with Atlas(str(path)) as atlas:
        assert "e1" in atlas


# Closing


def test_the_file_alone_can_be_copied_after_close(path, tmp_path, many):
    atlas = Atlas(path)
    bystander = sqlite3.connect(path)  # someone else has it open, so SQLite does not tidy up by itself
    bystander.execute("SELECT count(*) FROM embeddings").fetchone()
    atlas.add(*many(*range(50), length=500))
    atlas.close()
    copy = shutil.copy(path, tmp_path / "copy.db")
    bystander.close()
    with Atlas(copy) as again:
        assert len(again) == 50
        np.testing.assert_array_equal(again.get("e7").vector, many(7, length=500)[0].vector)


def test_a_dropped_atlas_tidies_up_too(path, many):
    atlas = Atlas(path)
    atlas.add(*many(1))
    del atlas
    gc.collect()
    assert not path.with_name("my.db-wal").exists()


def test_a_closed_atlas_says_so(atlas, many):
    atlas.close()
    atlas.close()
    for use in (lambda: len(atlas), lambda: atlas.add(*many(1)), lambda: atlas.near("e1")):
        with pytest.raises(AtlasError, match="is closed; open it again"):
            use()


# Threads and processes


def test_threads_read_and_write_at_once(atlas, many):
    atlas.add(*many(0))
    ready = threading.Barrier(6)

    def work(part):
        ready.wait()
        for number in range(1 + part * 10, 11 + part * 10):
            atlas.add(*many(number))
            assert atlas.near("e0", k=1)[0].score <= 1
            assert f"e{number}" in atlas
        return True

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(work, range(6)))
    assert len(atlas) == 61


def test_another_thread_opens_the_same_file(tmp_path, many, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Atlas("my.db") as atlas:
        atlas.add(*many(1))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(len, atlas).result() == 1
        Path(tmp_path / "my.db").rename(tmp_path / "moved.db")
        with ThreadPoolExecutor(1) as threads, pytest.raises(AtlasError, match="cannot be opened"):
            threads.submit(len, atlas).result()
        assert not (tmp_path / "my.db").exists()


def test_processes_write_at_once(path, writer, is_sound):
    """All four also race to make the file."""
    running = [start(writer, path, part * 10, part * 10 + 10) for part in range(4)]
    for process in running:
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        assert len(output.split()) == 11
    is_sound(path)
    with Atlas(path) as atlas:
        assert len(atlas) == 40
        for name in ("e0", "e19", "e39"):
            np.testing.assert_array_equal(atlas.get(name).vector, expected_vector(name))


def test_a_fork_opens_its_own_connection(path, many):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this platform cannot fork")
    with Atlas(path) as atlas:
        atlas.add(*many(1))
        parents = atlas._store._connection()
        child = os.fork()
        if child == 0:
            try:
                atlas.add(*many(2))
                os._exit(0 if atlas._store._connection() is not parents else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        atlas.add(*many(3))
        assert [entry.name for entry in atlas.entries()] == ["e1", "e2", "e3"]


def test_a_killed_writer_loses_nothing_committed(path, writer, is_sound):
    committed = []
    for turn in range(3):
        process = start(writer, path, turn * 1000, turn * 1000 + 1000)
        lines = [process.stdout.readline().strip() for _ in range(8 + 5 * turn)]
        process.kill()
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == -9
        committed += [line for line in [*lines, *rest.split()] if re.fullmatch(r"e\d+", line)]
    assert len(committed) >= 7 + 12 + 17
    with Atlas(path) as atlas:
        assert {entry.name for entry in atlas.entries()} >= set(committed)
        for name in committed:
            np.testing.assert_array_equal(atlas.get(name).vector, expected_vector(name))
    is_sound(path)


def test_a_write_that_looks_first_is_not_overtaken(path, many, monkeypatch):
    real, refused = taskspace.atlas._atlas.locate, []

    def locate(*given):
        with pytest.raises(AtlasError, match="locked") as caught:
            other.add(*many(3))
        refused.append(caught)
        return real(*given)

    monkeypatch.setattr("taskspace.atlas._store.PATIENCE", 0.05)
    with Atlas(path) as atlas, Atlas(path) as other:
        atlas.add(*many(1, 2))
        monkeypatch.setattr("taskspace.atlas._atlas.locate", locate)
        atlas.remove("e1")
        atlas.rename("e2", "new")
        assert [entry.name for entry in other.entries()] == ["new"]
    assert len(refused) == 2


def test_a_lock_held_too_long_is_a_sentence(path, many, monkeypatch):
    monkeypatch.setattr("taskspace.atlas._store.PATIENCE", 0.05)
    with Atlas(path) as atlas:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(AtlasError, match="locked by another process"):
                atlas.add(*many(1))
            assert len(atlas) == 0  # readers go on
        finally:
            other.close()
        atlas.add(*many(1))
        assert len(atlas) == 1


# Disks


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file size")
def test_a_full_disk_is_a_sentence_and_loses_nothing(path, writer, is_sound):
    process = start(writer, path, 0, 10)
    process.communicate(timeout=60)
    process = start(writer, path, 10, 1000, 2_000_000)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    *committed, error, still = output.strip().splitlines()
    assert error.startswith(f"error: {path} cannot be ")
    assert error.endswith("what was stored before is safe")
    assert one_sentence(error)
    committed = [f"e{i}" for i in range(10)] + [name for name in committed if name != "open"]
    assert still == f"still there: {len(committed)}"
    is_sound(path)
    with Atlas(path) as atlas:
        assert {entry.name for entry in atlas.entries()} == set(committed)
        for name in committed:
            np.testing.assert_array_equal(atlas.get(name).vector, expected_vector(name))
        atlas.add(atlas.get("e0"))


def test_read_only_places_are_a_sentence(many):
    """A process without root's rights tries; root would be let through."""
    script = textwrap.dedent("""
        import os, sys
        import numpy as np
        from taskspace.atlas import Atlas
        from taskspace.embedding import SpaceId, TaskEmbedding
        from taskspace.errors import AtlasError

        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        place = sys.argv[1]
        space = SpaceId("tiny", "r0", "w0", {}, "response", {}, "no pool", 3, 0)
        new = TaskEmbedding("new", "dataset", space, np.ones(8, dtype="f4"), (("all", 8),), "c")
        for name in ("folder/new.db", "folder/old.db", "file.db"):
            try:
                Atlas(f"{place}/{name}").add(new)
                print("went through")
            except AtlasError as error:
                print(error)
    """)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "folder").mkdir()
        for name in ("folder/old.db", "file.db"):
            with Atlas(place / name) as atlas:
                atlas.add(*many(1))
            (place / name).chmod(0o444)
        (place / "folder").chmod(0o555)
        place.chmod(0o777)
        ran = subprocess.run([sys.executable, "-c", script, temporary], capture_output=True, text=True)
        (place / "folder").chmod(0o755)
        assert (ran.returncode, ran.stderr) == (0, "")
        new, old, file = ran.stdout.strip().splitlines()
        assert re.search(r"folder/new.db cannot be opened; check the path and that you may write", new)
        assert re.search(r"folder/old.db (cannot be opened; check|is read-only)", old)
        assert re.search(r"file.db is read-only, or its folder is; copy it", file)
        assert all(map(one_sentence, (new, old, file)))
        for name in ("folder/old.db", "file.db"):
            (place / name).chmod(0o644)
            with Atlas(place / name) as atlas:
                assert [entry.name for entry in atlas.entries()] == ["e1"]


def test_a_damaged_file_is_a_sentence(path, many):
    with Atlas(path) as atlas:
        atlas.add(*many(*range(40), length=4000))
    data = bytearray(path.read_bytes())
    data[20_000:] = bytes(len(data) - 20_000)
    path.write_bytes(data)
    with pytest.raises(AtlasError, match="my.db") as caught:
        Atlas(path).entries()
    assert one_sentence(str(caught.value))
