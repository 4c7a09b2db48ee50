"""What only the LanceDB engine has: folders and URIs, conflicts of writers that see no lock, fragments and versions."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from taskspace.atlas import Atlas, copy_atlas
from taskspace.atlas.engines.lance import _commits, _engine, _lock
from taskspace.errors import AtlasError, MissingExtra

lancedb = pytest.importorskip("lancedb")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my.lance"


def one_sentence(text):
    return "\n" not in text.strip() and not re.search(r"[.!?] [A-Z]", text)


def vectors_of(path):
    """The table of the atlas's one space, as LanceDB sees it."""
    (name,) = [table.name for table in Path(path).iterdir() if table.name.startswith("vectors_")]
    return lancedb.connect(str(path)).open_table(name.removesuffix(".lance"))


def fragments(path):
    return vectors_of(path).stats()["fragment_stats"]["num_fragments"]


# Places


def test_what_is_no_atlas_is_left_alone(tmp_path):
    (tmp_path / "file.lance").write_text("x")
    (tmp_path / "folder.lance").mkdir()
    (tmp_path / "folder.lance" / "notes.txt").write_text("x")
    lancedb.connect(str(tmp_path / "songs.lance")).create_table("songs", data=[{"title": "a"}])
    for place, said in (
        ("file.lance", "is a file, where an atlas in LanceDB is a folder; choose another path$"),
        ("folder.lance", r"holds something else \(notes.txt\), not an atlas; choose another path$"),
        ("songs.lance", r"holds something else \(songs.lance\), not an atlas; choose another path$"),
        ("nowhere/my.lance", "the folder .*nowhere does not exist; make it first$"),
    ):
        with pytest.raises(AtlasError, match=said):
            Atlas(tmp_path / place)
    assert [child.name for child in (tmp_path / "folder.lance").iterdir()] == ["notes.txt"]


def test_an_empty_folder_becomes_an_atlas(path, many):
    path.mkdir()
    with pytest.raises(AtlasError, match="there is no atlas at .*my.lance"):
        Atlas(path, create=False)
    with Atlas(path) as atlas:
        atlas.add(*many(1))
    with Atlas(str(path) + "/", create=False) as atlas:
        assert atlas.name == "my.lance"
        assert "e1" in atlas


def test_awkward_folder_names(tmp_path, many):
    for name in ("a b'ro#%20é.lance", "汉\\字?.lance"):
        with Atlas(tmp_path / name) as atlas:
            atlas.add(*many(1))
        with Atlas(tmp_path / name, create=False) as atlas:
            assert atlas.near(many(2)[0])[0].name == "e1"


def test_a_file_uri_is_the_folder(tmp_path, many, monkeypatch):
    uri = (tmp_path / "a b.lance").as_uri()
    with Atlas(uri) as atlas:
        atlas.add(*many(1))
        assert atlas.path == uri
        assert repr(atlas) == f"Atlas({uri!r})"
    monkeypatch.chdir(tmp_path)
    with Atlas("a b.lance", create=False) as atlas:
        assert "e1" in atlas


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("foo://bucket/x", "foo://bucket/x is no place that LanceDB can open .*; give a path, or another URI$"),
        ("db://x", "db://x is in LanceDB Cloud, which has other tables; give an object store's URI$"),
    ],
)
def test_a_uri_that_will_not_do(uri, said):
    with pytest.raises(AtlasError, match=said):
        Atlas(uri)


def test_a_newer_atlas_asks_for_an_upgrade(path):
    Atlas(path).close()
    lancedb.connect(str(path)).open_table("about").update(values={"format": 99})
    with pytest.raises(AtlasError, match=r"newer taskspace \(format 99, this one reads 1\); upgrade taskspace$"):
        Atlas(path)


def test_the_missing_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingExtra, match=r"lancedb.*taskspace\[lance\]"):
        Atlas(path)


def test_lancedb_is_imported_for_its_own_atlases_only(tmp_path):
    code = (
        "import sys; from taskspace.atlas import Atlas; Atlas('my.db').close()\n"
        "try: Atlas('none.lance', create=False)\n"
        "except Exception as error: print(error)\n"
        "print(sorted({'lancedb', 'pyarrow'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[0].startswith("there is no atlas at none.lance; ")
    assert ran.stdout.splitlines()[1] == "[]"


# Damage


@pytest.mark.parametrize("what", ["data", "_versions"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(bytes(file.stat().st_size)),
        lambda file: file.write_bytes(b""),
    ],
    ids=["cut short", "zeros", "empty"],
)
def test_damage_is_a_sentence(path, many, what, harm):
    with Atlas(path) as atlas:
        atlas.add(*many(*range(40), length=4000))
    (table,) = path.glob("vectors_*")
    harm(min((table / what).iterdir()))
    for use in (lambda atlas: atlas.near("e1"), lambda atlas: atlas.check()):
        with pytest.raises(AtlasError, match="my.lance .*; (run again|restore)") as caught:
            use(Atlas(path))
        assert one_sentence(str(caught.value))


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file size")
def test_a_full_disk_is_a_sentence_and_loses_nothing(path, many, writer):
    with Atlas(path) as atlas:
        atlas.add(*many(*range(5), length=20_000))
    ran = subprocess.run(
        [sys.executable, str(writer), str(path), "5", "10", "50000"], capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    _, error, still = ran.stdout.strip().splitlines()
    assert error.startswith(f"error: {path} cannot be written, as the disk is full; free some space and run again")
    assert one_sentence(error)
    assert still == "still there: 5"
    with Atlas(path) as atlas:
        assert atlas.check() == ""
        atlas.add(atlas.get("e0"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs users")
def test_read_only_places_are_a_sentence(many):
    """A process without root's rights tries; root would be let through."""
    script = textwrap.dedent("""
        import os, sys
        from taskspace.atlas import Atlas
        from taskspace.errors import AtlasError
        import lancedb

        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        place = sys.argv[1]
        for name in ("new.lance", "old.lance"):
            try:
                with Atlas(f"{place}/{name}") as atlas:
                    print(len(atlas))
                    atlas.observe(source="a", target="b", score=0.5)
            except AtlasError as error:
                print(error)
    """)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        with Atlas(place / "old.lance") as atlas:
            atlas.add(*many(1))
        every = [place, *place.rglob("*")]
        for child in every:
            child.chmod(0o555 if child.is_dir() else 0o444)
        ran = subprocess.run([sys.executable, "-c", script, temporary], capture_output=True, text=True)
        for child in every:
            child.chmod(0o755 if child.is_dir() else 0o644)
        assert (ran.returncode, ran.stderr) == (0, "")
        new, count, old = ran.stdout.strip().splitlines()
        assert count == "1"  # what cannot be written can still be read
        assert re.search("new.lance may not be read or written with these rights; check that you may write to it", new)
        assert re.search("old.lance may not be read or written with these rights; check that you may write to it", old)
        assert one_sentence(new)
        assert one_sentence(old)


# Writers


def add_all(path, embeddings):
    with Atlas(path) as atlas:
        for embedding in embeddings:
            atlas.add(embedding)


def test_writers_without_a_lock_do_not_stand_in_each_others_way(path, many, monkeypatch):
    """As in an object store: LanceDB itself finds that two of them add the same name."""
    monkeypatch.setattr(_lock, "fcntl", None)
    monkeypatch.setattr(_engine, "_MANY_FRAGMENTS", 5)
    Atlas(path).close()
    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(add_all, path, many(*range(12), rows=w)) for w in range(3)]:
            done.result()
    with Atlas(path) as atlas:
        assert [row.name for row in sorted(atlas.matrix().rows)] == sorted(f"e{i}" for i in range(12))
        assert atlas.check() == ""


def test_a_name_that_another_writer_gave_to_another_kind_is_refused(path, embed, monkeypatch):
    monkeypatch.setattr(_lock, "fcntl", None)
    with Atlas(path) as atlas, Atlas(path) as other:
        atlas.add(embed("a", [1, 0]))

        def add_a_model_too_late():
            with atlas._store.writing() as change:
                (space,) = change.spaces()
                model = change.record(space, "a")._replace(name="b", kind="model")
                change.put(space, space.blocks, [model])
                other.add(embed("b", [0, 1]))

        with pytest.raises(AtlasError, match=r"1 of 1 embeddings were not stored .*, as another writer"):
            add_a_model_too_late()
        assert atlas.get("b").kind == "dataset"


def test_a_lock_held_too_long_is_a_sentence(path, many, monkeypatch):
    monkeypatch.setattr("taskspace.atlas._store.PATIENCE", 0.05)
    with Atlas(path) as atlas:
        with _lock.only_writer(path, 1):
            with pytest.raises(AtlasError, match="locked by another process for 0 seconds; wait for it and run again"):
                atlas.add(*many(1))
            assert len(atlas) == 0  # readers go on
        atlas.add(*many(1))
        assert len(atlas) == 1


def test_conflicts_without_end_are_a_sentence(path, many, monkeypatch):
    def conflict(*given):
        raise RuntimeError("lance error: Retryable commit conflict for version 7: This Update transaction was late")

    monkeypatch.setattr("taskspace.atlas._store.PATIENCE", 0.2)
    with Atlas(path) as atlas:
        atlas.add(*many(1))
        monkeypatch.setattr(lancedb.table.LanceTable, "add", conflict)
        with pytest.raises(AtlasError, match="was written by others for 0 seconds on end; wait for them and run"):
            atlas.add(*many(2))


def test_threads_read_and_write_at_once(path, many):
    with Atlas(path) as atlas:
        atlas.add(*many(0))

        def work(part):
            for number in range(1 + part * 5, 6 + part * 5):
                atlas.add(*many(number))
                assert atlas.near("e0", k=1)[0].score <= 1
                assert f"e{number}" in atlas
            return True

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(work, range(4)))
        assert len(atlas) == 21


@pytest.mark.filterwarnings("ignore:lancedb fork support is experimental:RuntimeWarning")
def test_a_fork_connects_for_itself(path, many):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this platform cannot fork")
    with Atlas(path) as atlas:
        atlas.add(*many(1))
        child = os.fork()
        if child == 0:
            try:
                atlas.add(*many(2))
                os._exit(0 if len(atlas) == 2 else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        atlas.add(*many(3))
        assert [entry.name for entry in atlas.entries()] == ["e1", "e2", "e3"]


# Fragments and versions


def test_fragments_are_put_together_every_so_often_and_at_the_end(path, many, monkeypatch):
    monkeypatch.setattr(_engine, "_MANY_FRAGMENTS", 8)
    monkeypatch.setattr(_engine, "_FEW_FRAGMENTS", 3)
    with Atlas(path) as atlas:
        most = 0
        for number in range(20):
            atlas.add(*many(number))
            most = max(most, fragments(path))
        assert 5 < most < 9
        assert fragments(path) > 3
        before = atlas.matrix()
    assert fragments(path) == 1
    with Atlas(path) as atlas:
        assert [row.name for row in atlas.matrix().rows] == [f"e{i}" for i in range(20)]
        np.testing.assert_array_equal(atlas.matrix().vectors, before.vectors)


def test_a_view_outlives_that_fragments_are_put_together(path, many, monkeypatch):
    monkeypatch.setattr(_engine, "_MANY_FRAGMENTS", 2)
    with Atlas(path) as atlas, Atlas(path) as other:
        atlas.add(*many(0, 1))
        with atlas._store.reading() as view:
            (space,) = view.spaces()
            for number in range(6):
                other.add(*many(number, rows=number))
            assert [row.provenance for row in view.rows(space)] == [{}, {}]
            assert view.record(space, "e1").name == "e1"


def test_versions_that_nobody_reads_are_forgotten(path, many, monkeypatch):
    monkeypatch.setattr(_engine, "_MANY_FRAGMENTS", 4)
    with Atlas(path) as atlas:
        for number in range(12):
            atlas.add(*many(number))
        assert len(vectors_of(path).list_versions()) > 12
        monkeypatch.setattr(_commits, "KEPT_FOR", timedelta(0))
        monkeypatch.setattr(_commits, "_MARGIN", timedelta(0))
        for number in range(12, 20):
            atlas.add(*many(number))
        assert len(vectors_of(path).list_versions()) < 8
        assert len(atlas) == 20


@pytest.mark.parametrize(
    ("ages", "kept"),
    [
        ([], 36500 * 24 * 60),
        ([1, 5], 36500 * 24 * 60),  # minutes: all are young
        ([1, 5, 30, 600], 31),  # the one that was current ten minutes ago stays, the one before goes
        ([700], 701),
    ],
)
def test_which_versions_nobody_reads(ages, kept, monkeypatch):
    monkeypatch.setattr(_commits, "KEPT_FOR", timedelta(minutes=10))
    now = datetime.now()  # noqa: DTZ005
    found = _commits._age_of_the_unread([{"timestamp": now - timedelta(minutes=age)} for age in ages])
    assert found.total_seconds() / 60 == pytest.approx(kept, abs=0.1)


def test_every_write_leaves_one_matrix_file_of_its_own(path, many, space_id, cache_home, monkeypatch):
    monkeypatch.setattr("taskspace.atlas.matrix.WORTH_A_FILE", 0)
    with Atlas(path) as atlas:
        atlas.add(*many(1, 2), *many(1, space=space_id("text")))
        seen = set()
        for write in (lambda: None, lambda: atlas.add(*many(2)), lambda: atlas.remove("e2")):
            write()
            for space in ("response", "text"):
                atlas.near("e1", space=space)
            files = sorted((cache_home / "matrices").iterdir())
            assert len(files) == 2
            seen.update(files)
        assert len(seen) == 4  # three states of the one space, one of the other


def test_two_copies_of_a_folder_do_not_share_later_states(path, tmp_path, embed, monkeypatch):
    monkeypatch.setattr("taskspace.atlas.matrix.WORTH_A_FILE", 0)
    with Atlas(path) as atlas:
        atlas.add(embed("t", [1, 0]))
    copy = shutil.copytree(path, tmp_path / "copy.lance")
    with Atlas(path) as one, Atlas(copy) as two:
        one.add(embed("x", [1, 0]))
        two.add(embed("x", [0, 1]))
        assert one.near("t")[0].score == 1
        assert two.near("t")[0].score == 0


def test_two_copies_of_a_folder_do_not_share_what_each_replaced(path, tmp_path, embed, monkeypatch):
    monkeypatch.setattr("taskspace.atlas.matrix.WORTH_A_FILE", 0)
    with Atlas(path) as atlas:
        atlas.add(embed("t", [1, 0]), embed("x", [1, 1]))
    copy = shutil.copytree(path, tmp_path / "copy.lance")
    with Atlas(path) as one, Atlas(copy) as two:
        one.add(embed("x", [1, 0]))
        two.add(embed("x", [0, 1]))
        assert one.near("t")[0].score == 1
        assert two.near("t")[0].score == 0


# An object store


@pytest.fixture(scope="module")
def bucket():
    """A server of this process that speaks S3, and the URI of a bucket there."""
    server_of = pytest.importorskip("moto.server")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        import urllib.request

        request = urllib.request.Request(f"{settings['AWS_ENDPOINT']}/bucket", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        yield "s3://bucket"
    server.stop()


def test_an_atlas_in_a_bucket(bucket, embed, many, tmp_path, pool, space_id):
    uri = f"{bucket}/some/where"
    with pytest.raises(AtlasError, match=f"there is no atlas at {uri}"):
        Atlas(uri, create=False)
    with Atlas(uri) as atlas:
        atlas.keep_space(space_id(), pool, {"batch": 8})
        atlas.add(*many(*range(8)))
        atlas.add(embed("o'clock", np.ones(8)), *many(3, rows=1))
        atlas.remove("e1")
        atlas.rename("e2", "two")
        atlas.observe(source="a", target="b", score=0.5)
        assert (atlas.path, atlas.name) == (uri, "where")
    with Atlas(uri, create=False) as atlas:
        assert atlas.check() == ""
        assert [row.name for row in atlas.matrix().rows] == ["e0", "two", "e3", "e4", "e5", "e6", "e7", "o'clock"]
        assert atlas.pool().inputs == pool.inputs
        assert len(atlas.near("o'clock", k=3)) == 3
        assert len(atlas.transfers()) == 1
    assert copy_atlas(uri, tmp_path / "back.db").embeddings == 8


def test_writers_of_one_bucket(bucket, many):
    uri = f"{bucket}/shared.lance"
    Atlas(uri).close()
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(add_all, uri, many(*range(4), rows=w)) for w in range(2)]:
            done.result()
    with Atlas(uri) as atlas:
        assert sorted(row.name for row in atlas.matrix().rows) == [f"e{i}" for i in range(4)]


def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer(bucket, monkeypatch):
    with pytest.raises(AtlasError, match="s3://none/x is in a bucket that does not exist; make it first") as caught:
        Atlas("s3://none/x")
    assert one_sentence(str(caught.value))
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OBJECT_STORE_CLIENT_MAX_RETRIES", "0")
    with pytest.raises(AtlasError, match="s3://other/x cannot be reached; check the address and the network") as caught:
        Atlas("s3://other/x")
    assert one_sentence(str(caught.value))
