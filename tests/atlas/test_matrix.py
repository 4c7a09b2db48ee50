from __future__ import annotations

import shutil

import numpy as np
import pytest

from taskspace.atlas import Atlas, matrix
from taskspace.atlas.engines.sqlite._view import SqliteView
from taskspace.ranking import rank


@pytest.fixture(autouse=True)
def every_matrix_gets_a_file(monkeypatch):
    monkeypatch.setattr(matrix, "WORTH_A_FILE", 0)


@pytest.fixture
def reads(monkeypatch):
    """Counts how often vectors are read from the database."""
    counted = []
    real = SqliteView.fill
    monkeypatch.setattr(SqliteView, "fill", lambda *given: counted.append(1) or real(*given))
    return counted


def files(home):
    return sorted((home / "matrices").iterdir()) if (home / "matrices").exists() else []


def answer(path):
    with Atlas(path) as atlas:
        return atlas.near("e0", k=None)


def test_vectors_are_read_once_for_all_processes(path, atlas, many, cache_home, reads):
    atlas.add(*many(*range(20)))
    expected = rank(many(0)[0], many(*range(20)))
    assert atlas.near("e0", k=None) == expected
    assert atlas.near("e0", k=None) == expected
    assert len(files(cache_home)) == 1
    assert answer(path) == expected
    assert len(reads) == 1


def test_the_file_holds_the_vectors_beside_their_norms(atlas, many, cache_home):
    atlas.add(*many(*range(5)))
    atlas.near("e0")
    (file,) = files(cache_home)
    table = np.load(file, mmap_mode="r", allow_pickle=False)
    vectors = np.stack([e.vector for e in many(*range(5))])
    np.testing.assert_array_equal(table["vector"], vectors)
    np.testing.assert_allclose(table["norms"][:, 0], np.linalg.norm(vectors.astype(np.float64), axis=1))


def test_every_write_leaves_one_file_of_its_own(path, atlas, many, cache_home, reads, space_id):
    atlas.add(*many(*range(5)))
    atlas.add(*many(*range(5), space=space_id("text")))
    seen = set()
    for write in (
        lambda: atlas.add(*many(5)),
        lambda: atlas.add(*many(5)),
        lambda: atlas.rename("e5", "e6"),
        lambda: atlas.remove("e6"),
    ):
        write()
        atlas.near("e0", space="response")
        atlas.near("e0", space="text")
        assert len(files(cache_home)) == 2  # one for each space
        seen.update(files(cache_home))
    assert len(seen) == 5  # four states of the one space, one of the other
    assert len(reads) == 5


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"not numpy at all"),
        lambda file: file.write_bytes(file.read_bytes()[:-10]),
        lambda file: np.save(file, np.zeros((20, 8), dtype=np.float32)),
        lambda file: np.save(file, np.load(file)[:-1]),
        lambda file: np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True),
    ],
    ids=["empty", "garbage", "cut short", "another layout", "a row missing", "a pickle"],
)
def test_a_damaged_file_is_made_again(path, atlas, many, cache_home, reads, harm):
    atlas.add(*many(*range(20)))
    expected = atlas.near("e0", k=None)
    (file,) = files(cache_home)
    whole = file.read_bytes()
    harm(file)
    assert answer(path) == expected
    assert len(reads) == 2
    assert file.read_bytes() == whole
    assert answer(path) == expected
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_is_done_without(path, atlas, many, cache_home):
    cache_home.write_text("a file where the folder should be")
    atlas.add(*many(*range(5)))
    assert atlas.near("e0", k=None) == rank(many(0)[0], many(*range(5)))
    assert cache_home.read_text() == "a file where the folder should be"


def test_a_cache_disk_that_fills_up_leaves_nothing_behind(atlas, many, cache_home, monkeypatch):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    atlas.add(*many(*range(5)))
    assert atlas.near("e0", k=None) == rank(many(0)[0], many(*range(5)))
    assert files(cache_home) == []


def test_two_copies_of_a_file_do_not_share_later_states(path, tmp_path, embed):
    with Atlas(path) as atlas:
        atlas.add(embed("t", [1, 0]))
    copy = shutil.copy(path, tmp_path / "copy.db")
    with Atlas(path) as one, Atlas(copy) as two:
        one.add(embed("x", [1, 0]))
        two.add(embed("x", [0, 1]))
        assert one.near("t")[0].score == 1
        assert two.near("t")[0].score == 0


def test_what_others_left_is_swept_but_not_other_spaces(atlas, many, cache_home):
    atlas.add(*many(*range(3)))
    atlas.near("e0")
    (file,) = files(cache_home)
    prefix = file.name.rpartition("-")[0]
    stale = [file.with_name(f"{prefix}-0123456789abcdef.npy"), file.with_name(f"{prefix}-0123456789abcdef.npy.77.part")]
    foreign = file.with_name("other-atlas-0123456789abcdef.npy")
    for other in (*stale, foreign):
        other.write_bytes(b"x")
    atlas.add(*many(3))
    atlas.near("e0")
    left = files(cache_home)
    assert foreign in left
    assert len(left) == 2
    assert not set(stale) & set(left)


def test_small_matrices_get_no_file(atlas, many, cache_home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("TASKSPACE_HOME", str(cache_home))
    atlas.add(*many(*range(5)))
    atlas.near("e0")
    assert files(cache_home) == []


def test_an_empty_space(atlas, embed):
    atlas.add(embed("a", [1, 0]))
    atlas.remove("a")
    for target in ([1, 0], [1, 0, 0]):
        assert len(atlas.near(embed("t", target))) == 0
