"""What comes back, and what is refused, from a Hub on loopback through the real client."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.errors import AtlasError, SettingError, TaskspaceWarning
from taskspace.merging import TaskVector

# The client hands files to httpx2 in a way that httpx2 would rather see go.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

pytest.importorskip("huggingface_hub")
parquet = pytest.importorskip("pyarrow.parquet")


def runs(atlas, *, noted=True):
    return [
        (run.source, run.target, run.score, run.baseline, run.metric, run.seed, run.noted if noted else None)
        for run in atlas.transfers()
    ]


def test_everything_comes_back_to_the_bit(full, pushed, pull, fresh, opened, contents):
    path = fresh()
    told = pull("ann/map", path)
    atlas = opened(path, create=False)
    assert contents(atlas) == contents(full)
    assert runs(atlas) == runs(full)
    assert atlas.spaces() == full.spaces()
    for space in full.spaces():
        assert atlas.space_id(space).to_dict() == space.to_dict()
        assert atlas.pool(space).fingerprint == space.pool
        assert atlas.options(space) == full.options(space)
        order = [[row.name for row in each.matrix(space).rows] for each in (atlas, full)]
        assert order[0] == order[1]
    assert told.to_dict() == {
        "repo": "ann/map", "commit": pushed.commit, "from_cache": False, "spaces": 2, "added": 5, "replaced": 0,
        "held": 0, "transfers": 3, "pools": 1,
    }  # fmt: skip
    assert atlas.check() == ""


def test_where_it_came_from_is_kept(full, pushed, pull, fresh, opened, push, tmp_path):
    (tmp_path / "other").mkdir()
    atlas = opened(tmp_path / "other" / full.path.name)  # its name stands in the card
    pull("ann/map", atlas)
    source = f"ann/map@{pushed.commit}"
    assert {entry.provenance["pulled_from"] for entry in atlas.entries()} == {source}
    # Pushed back it is the same again; pushed elsewhere it says whence it came, and so it does when pulled from there.
    assert not push(atlas, with_pool=True).changed
    push(atlas, "ben/copy")
    third = opened(fresh())
    pull("ben/copy", third)
    assert {entry.provenance["pulled_from"] for entry in third.entries()} == {source}


def test_without_the_pool(full, push, pull, fresh, opened, space_id):
    push(full)
    atlas = opened(fresh())
    assert pull("ann/map", atlas).pools == 0
    assert atlas.near("b", space=space_id())[0].name
    with pytest.raises(AtlasError, match="the pool of that space is not in"):
        atlas.open_space(space_id())


@pytest.mark.parametrize("with_pool", [False, True])
def test_a_space_of_weights_comes_back_alone(opened, push, pull, online, contents, tmp_path, with_pool):
    """It reads no texts, so it has no pool to bring."""
    rng = np.random.default_rng(0)
    base, *tuned = ({"w": rng.standard_normal((5, 4)).astype(np.float32)} for _ in range(4))
    atlas = opened(tmp_path / "weights.db")
    atlas.add(*(TaskVector.diff(one, base).embed(name, dims=64) for name, one in zip("abc", tuned, strict=True)))
    push(atlas, with_pool=with_pool)
    assert "none: weights are compared" in online.repos["ann/map"].files()["README.md"].data.decode()
    (tmp_path / "other").mkdir()
    back = opened(tmp_path / "other" / "weights.db")  # its name stands in the card
    told = pull("ann/map", back)
    assert (told.spaces, told.added, told.pools) == (1, 3, 0)
    assert contents(back) == contents(atlas)
    assert [space.to_dict() for space in back.spaces()] == [space.to_dict() for space in atlas.spaces()]
    assert [(hit.name, hit.score) for hit in back.near("a")] == [(hit.name, hit.score) for hit in atlas.near("a")]
    assert not push(back, with_pool=with_pool).changed
    back.add((2 * TaskVector.diff(tuned[0], base)).embed("d", dims=64))  # meets them in their space
    assert back.near("d")[0].name == "a"


def test_what_is_lacking_is_added_and_what_is_here_stays(
    full, pushed, pull, fresh, opened, embed, space_id, pool, contents
):
    atlas = opened(fresh())
    atlas.keep_space(space_id(), None, {"surrogate": "/my/own/folder"})
    mine = embed("b", length=6, mine=True)
    atlas.add(mine, embed("only mine"))
    atlas.observe(source="a", target="b", score=0.5, baseline=0.25, seed=7)
    atlas.observe(source="mine", target="b", score=0.1)
    told = pull("ann/map", atlas)
    assert (told.added, told.held, told.replaced, told.transfers, told.pools) == (4, 1, 0, 2, 1)
    assert dict(atlas.get("b", space=space_id()).provenance) == {"mine": True}
    assert atlas.options(space_id()) == {"surrogate": "/my/own/folder"}
    assert atlas.pool(space_id()).fingerprint == pool.fingerprint
    assert {entry.name for entry in atlas.entries()} == {entry.name for entry in full.entries()} | {"only mine"}
    mine = ("mine", "b", 0.1, None, "accuracy", None, None)
    assert Counter(runs(atlas, noted=False)) == Counter([*runs(full, noted=False), mine])
    before = contents(atlas, without=())
    again = pull("ann/map", atlas)
    assert (again.added, again.held, again.transfers, again.pools) == (0, 5, 0, 0)
    assert contents(atlas, without=()) == before


@pytest.mark.parametrize("change", [{"content": "something else"}, {"kind": "model"}])
def test_clashes_write_nothing(pushed, pull, fresh, opened, embed, space_id, contents, change, one_sentence):
    atlas = opened(fresh())
    atlas.add(embed("b", **change))
    before = contents(atlas, without=())
    with pytest.raises(
        AtlasError, match="ann/map mean different things by 'b', and nothing was written; .* --replace"
    ) as caught:
        pull("ann/map", atlas)
    assert one_sentence(caught.value)
    assert contents(atlas, without=()) == before
    assert atlas.spaces() == [space_id()]
    assert atlas.transfers() == []
    told = pull("ann/map", atlas, replace=True)
    assert (told.added, told.replaced, told.held) == (4, 1, 0)
    assert (atlas.get("b", space=space_id()).content, atlas.entry("b", space=space_id()).kind) == (
        "content of b",
        "dataset",
    )


def test_other_blocks_are_no_less_than_another_space(pushed, pull, fresh, opened, embed, one_sentence):
    atlas = opened(fresh())
    atlas.add(embed("mine", blocks=(("x", 2), ("y", 4))))
    for replace in (False, True):
        with pytest.raises(AtlasError, match="have other blocks than .*; pull into another atlas") as caught:
            pull("ann/map", atlas, replace=replace)
        assert one_sentence(caught.value)
    assert len(atlas) == 1


def test_an_empty_atlas(opened, fresh, push, pull, hub):
    push(opened(fresh()))
    atlas = opened(fresh())
    told = pull("ann/map", atlas)
    assert (told.spaces, told.added, told.transfers, len(atlas)) == (0, 0, 0, 0)


def test_a_space_without_embeddings(opened, fresh, push, pull, space_id, pool):
    source = opened(fresh())
    source.keep_space(space_id(), pool)
    push(source, with_pool=True)
    atlas = opened(fresh())
    pull("ann/map", atlas)
    assert atlas.spaces() == [space_id()]
    assert atlas.pool().fingerprint == pool.fingerprint


def test_many_row_groups(opened, fresh, push, pull, embed, contents, monkeypatch):
    monkeypatch.setattr("taskspace.hub._space_table.GROUP_BYTES", 2 * 4 * 6)
    monkeypatch.setattr("taskspace.hub._pull._AT_ONCE", 3)
    source, atlas = opened(fresh()), opened(fresh())
    source.add(*(embed(f"e{i}") for i in range(9)))
    push(source)
    pull("ann/map", atlas)
    assert contents(atlas) == contents(source)


def test_between_engines(full, pushed, pull, push, tmp_path, opened, contents):
    """Into LanceDB and from there; the last commit is the first one's again but for the name in the card."""
    pytest.importorskip("lancedb")
    atlas = opened(tmp_path / "full.lance")
    pull("ann/map", atlas)
    assert contents(atlas) == contents(full)
    assert runs(atlas) == runs(full)
    again = push(atlas, with_pool=True)
    assert {file for file in again.files if file.path != "README.md"} <= set(pushed.files)
    assert pull("ann/map", tmp_path / "full.lance").held == 5


# Revisions


def test_an_older_state(full, pushed, pull, push, fresh, opened):
    full.observe(source="a", target="b", score=0.9)
    newer = push(full, with_pool=True).commit
    assert pull("ann/map", fresh()).commit == newer
    for repo, options in ((f"ann/map@{pushed.commit}", {}), ("ann/map", {"revision": pushed.commit})):
        told = pull(repo, fresh(), **options)
        assert (told.commit, told.transfers) == (pushed.commit, 3)
    with pytest.raises(SettingError, match="say two different things; leave one out"):
        pull(f"ann/map@{pushed.commit}", fresh(), revision="main")


def test_a_branch(full, pushed, pull, push, fresh):
    full.observe(source="a", target="b", score=0.9)
    push(full, revision="next/one")
    assert pull("ann/map@next/one", fresh()).transfers == 4
    assert pull("ann/map", fresh()).transfers == 3


# What is not there, or not for us


def refused(pull, fresh, one_sentence, repo="ann/map", **options):
    path = fresh()
    with pytest.raises(AtlasError) as caught:
        pull(repo, path, **options)
    assert one_sentence(caught.value), caught.value
    assert not path.exists()
    return str(caught.value)


def test_what_cannot_be_had(pushed, pull, fresh, one_sentence, hub):
    def said(repo="ann/map", **options):
        return refused(pull, fresh, one_sentence, repo, **options)

    nothing = "there is no data set repository {}, or it is private and not shown to you; check the name, or log in"
    assert nothing.format("ann/none") in said("ann/none")
    assert nothing.format("ann/none") in said("ann/none", token=False)
    assert nothing.format("ann/map") in said(token=False)
    assert "the Hub does not know the token" in said(token="hf_wrong")
    assert "ann/map has no such revision; name a branch" in said("ann/map@v9")
    assert "ann/map has no such revision; name a branch" in said(f"ann/map@{'0' * 40}")
    hub.put("ben/texts", {"train.csv": b"text\n"})
    assert "ben/texts is no atlas, as it has no spaces.json; check the name" in said("ben/texts")


def test_a_public_one_needs_no_token(full, push, pull, fresh):
    push(full, private=False)
    assert pull("ann/map", fresh(), token=False).added == 5


def test_a_moment_of_illness_is_waited_out(pushed, pull, fresh, hub):
    hub.fail("GET /api/datasets", 503, times=2)
    hub.fail("GET .*/resolve/.*transfers", 503)
    hub.fail("/cdn/", 502)
    assert pull("ann/map", fresh()).added == 5


def test_a_long_illness_is_one_sentence(pushed, pull, fresh, hub, one_sentence):
    hub.fail("GET /api/datasets", 503, times=100)
    assert "the Hub is busy or ill (HTTP 503), and ann/map was not pulled; wait" in refused(pull, fresh, one_sentence)


def test_nobody_answers(pull, fresh, one_sentence):
    said = refused(pull, fresh, one_sentence, endpoint="http://127.0.0.1:9")
    assert "the Hub cannot be reached" in said


def test_offline_what_was_pulled_once_can_be_pulled_again(
    full, pushed, pull, fresh, monkeypatch, one_sentence, hub, opened, contents
):
    from huggingface_hub import constants

    pull("ann/map", fresh())
    hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    path = fresh()
    with pytest.warns(
        TaskspaceWarning, match=f"the Hub could not be asked; this is commit {pushed.commit[:12]} of ann/map"
    ):
        told = pull("ann/map", path)
    assert (told.from_cache, told.commit) == (True, pushed.commit)
    assert contents(opened(path)) == contents(full)
    assert "HF_HUB_OFFLINE is set and nothing of it is in the cache; unset it" in refused(
        pull, fresh, one_sentence, "ann/other"
    )
    assert hub.asked == []


def test_a_damaged_cache_is_mended(pushed, pull, fresh, tmp_path, opened, contents, full):
    pull("ann/map", fresh())
    for blob in (tmp_path / "cache").rglob("blobs/*"):
        if blob.read_bytes().startswith(b"PAR1"):
            blob.write_bytes(b"PAR1 and nothing else")
    path = fresh()
    pull("ann/map", path)
    assert contents(opened(path)) == contents(full)


# What is damaged, or made to deceive


@pytest.fixture
def forge(pushed, hub):
    """Change the manifest, and files whose size and hash then fit again."""
    import hashlib

    def change(edit=None, **files):
        document = json.loads(hub.read("ann/map", "spaces.json"))
        for part in (*document["spaces"], *document["pools"], document["transfers"]):
            data = files.get(part["file"]["path"].partition("/")[0].partition(".")[0])
            if data is not None:
                data = data(hub.read("ann/map", part["file"]["path"])) if callable(data) else data
                hub.put("ann/map", {part["file"]["path"]: data})
                part["file"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if edit is not None:
            document = edit(document) or document
        hub.put("ann/map", {"spaces.json": document if isinstance(document, bytes) else json.dumps(document).encode()})

    return change


def rewritten(edit):
    """Bytes of a Parquet file, some of whose columns ``edit`` gave other values."""

    def change(data):
        import pyarrow as pa

        table = parquet.read_table(io.BytesIO(data))
        columns = {name: table[name].to_pylist() for name in table.column_names}
        schema = edit(columns) or table.schema
        out = io.BytesIO()
        parquet.write_table(pa.table(columns, schema=schema), out)
        return out.getvalue()

    return change


def test_the_forger_can_forge_nothing_too(forge, pull, fresh):
    forge(spaces=rewritten(lambda columns: None), transfers=rewritten(lambda columns: None))
    assert pull("ann/map", fresh()).added == 5


def set_cell(column, value):
    def edit(columns):
        columns[column][0] = value

    return edit


def plain(pa_type):
    def edit(columns):
        import pyarrow as pa

        columns["vector"] = [[1, 2, 3, 4, 5, 6][: len(vector)] for vector in columns["vector"]]
        return pa.schema(
            [
                (name, pa_type(pa) if name == "vector" else pa.bool_() if name == "informative" else pa.string())
                for name in columns
            ]
        )

    return edit


@pytest.mark.parametrize(
    ("spaces", "said"),
    [
        (b"PAR1 no parquet PAR1", "is damaged"),
        (b"", "is damaged"),
        (lambda data: data[: len(data) // 2], "is damaged"),
        (rewritten(set_cell("vector", [float("nan")] * 6)), "holds NaN or infinity"),
        (rewritten(set_cell("vector", [1.0])), "not every vector has"),
        (rewritten(set_cell("vector", [1.0, None, 1.0, 1.0, 1.0, 1.0])), "not every vector has"),
        (rewritten(set_cell("kind", "toaster")), "kind 'toaster' is not one of"),
        (rewritten(set_cell("name", "  ")), "a row has no name"),
        (rewritten(set_cell("name", "a")), "stands there twice"),
        (rewritten(set_cell("space", "0" * 64)), "lives in another space"),
        (rewritten(set_cell("provenance", "[1]")), "is no object"),
        (rewritten(set_cell("provenance", "{")), "is damaged"),
        (rewritten(set_cell("provenance", "[" * 100_000)), "is damaged"),
        (rewritten(set_cell("added", "yesterday")), "is damaged"),
        (rewritten(set_cell("added", "2026-01-01")), "has no time zone"),
        (rewritten(set_cell("kind", "model")), "holds other kinds than spaces.json says"),
        (rewritten(lambda columns: [column.pop() for column in columns.values()] and None), "rows, 4 are said"),
        (rewritten(plain(lambda pa: pa.list_(pa.float64()))), "not name, kind"),
        (rewritten(plain(lambda pa: pa.list_(pa.int32()))), "not name, kind"),
    ],
)  # fmt: skip
def test_damaged_embeddings(forge, pull, fresh, one_sentence, spaces, said):
    forge(spaces=spaces)
    assert said in refused(pull, fresh, one_sentence)


@pytest.mark.parametrize(
    ("transfers", "said"),
    [
        (b"nothing", "is damaged"),
        (rewritten(set_cell("score", float("inf"))), "lacks a number or a name"),
        (rewritten(set_cell("baseline", float("nan"))), "lacks a number or a name"),
        (rewritten(set_cell("source", " ")), "lacks a number or a name"),
        (rewritten(set_cell("noted", "now")), "is damaged"),
        (rewritten(lambda columns: [column.pop() for column in columns.values()] and None), "has 2 rows, 3 are said"),
    ],
)
def test_damaged_transfers(forge, pull, fresh, one_sentence, transfers, said):
    forge(transfers=transfers)
    assert said in refused(pull, fresh, one_sentence)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (rewritten(set_cell("text", "another")), "its texts are not those of the pool"),
        (rewritten(set_cell("text_pair", "another")), "its texts are not those of the pool"),
        (rewritten(set_cell("text", "")), "is damaged"),
        (b"no table", "is damaged"),
    ],
)
def test_another_pool(forge, pull, fresh, one_sentence, texts, said):
    forge(pools=texts)
    assert said in refused(pull, fresh, one_sentence)


def swapped(document):
    first, second = document["spaces"]
    first["fingerprint"], second["fingerprint"] = second["fingerprint"], first["fingerprint"]


def other_seed(document):
    document["spaces"][0]["identity"]["seed"] = 12


def files_swapped(document):
    first, second = document["spaces"]
    first["file"], second["file"] = second["file"], first["file"]


def outside(path):
    def edit(document):
        document["transfers"]["file"]["path"] = path

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (swapped, "another one is said"),
        (other_seed, "another one is said"),
        (files_swapped, "is damaged"),
        (lambda document: document | {"format": 2}, "by a newer taskspace (format 2, this one reads 1); upgrade"),
        (lambda document: document | {"format": "1"}, "is not that of an atlas"),
        (lambda document: document | {"what": "a zoo"}, "is not that of an atlas"),
        (lambda document: b"[" * 100_000, "is not that of an atlas"),
        (lambda document: b"\xff\xfe", "is not that of an atlas"),
        (lambda document: document | {"spaces": 3}, "'spaces' is '3'"),
        (lambda document: {key: value for key, value in document.items() if key != "pools"}, "there is no 'pools'"),
        (lambda document: document | {"spaces": document["spaces"][:1] * 2}, "a space is named twice"),
        (lambda document: document["spaces"][0]["identity"].update(pool_size="3"), "'pool_size' is '3'"),
        (lambda document: document["spaces"][0]["identity"].update(novel=1), "unexpected fields"),
        (lambda document: document["spaces"][0].update(blocks=[["all", -6]]), "is no block"),
        (lambda document: document["spaces"][0].update(kinds={"toaster": 4}), "there is no kind 'toaster'"),
        (lambda document: document["spaces"][0]["kinds"].update(dataset=True), "'dataset' is 'True'"),
        (outside("../../etc/passwd"), "is no place for a file"),
        (outside("/etc/passwd"), "is no place for a file"),
        (outside("spaces/../../x.parquet"), "is no place for a file"),
        (lambda document: document["transfers"]["file"].update(sha256="0" * 64), "is not the file whose hash"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_wrong(forge, pull, fresh, one_sentence, edit, said):
    forge(edit)
    assert said in refused(pull, fresh, one_sentence)


def test_a_file_that_is_missing(pushed, hub, pull, fresh, one_sentence):
    hub.put("ann/map", {"transfers.parquet": None})
    assert "ann/map is not whole, as it has no transfers.parquet" in refused(pull, fresh, one_sentence)


def test_options_that_are_not_ours_to_take(forge, pull, fresh, opened, space_id):
    forge(lambda document: document["spaces"][0].update(options={"surrogate": "/etc", "device": "cuda", "pool": 1}))
    atlas = opened(fresh())
    pull("ann/map", atlas)
    assert atlas.options(space_id()) == {}


def test_no_pickle_is_read(pushed, pull, fresh, monkeypatch):
    import pickle

    def never(*args, **options):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    assert pull("ann/map", fresh()).added == 5


# Stopped in between


def test_killed_while_fetching(pushed, hub, cli, fresh, pull):
    path = fresh()
    hub.halts = "parquet"
    process = cli("pull", "ann/map", "--atlas", path, wait=False)
    assert hub.halted.wait(60)
    process.kill()
    process.communicate()
    assert not path.exists()
    hub.halts = ""
    hub.gate.set()
    assert pull("ann/map", path).added == 5


def test_stopped_while_writing_it_goes_on_later(opened, fresh, push, pull, embed, contents, monkeypatch):
    source = opened(fresh())
    source.add(*(embed(f"e{i}") for i in range(9)))
    source.observe(source="e1", target="e2", score=0.5)
    push(source)
    monkeypatch.setattr("taskspace.hub._pull._AT_ONCE", 4)
    from taskspace.hub import _pull

    real, batches = _pull.store_batch, []

    def stopping(*args):
        batches.append(args)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return real(*args)

    path = fresh()
    monkeypatch.setattr(_pull, "store_batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        pull("ann/map", path)
    with Atlas(path, create=False) as half:
        assert half.check() == ""
        assert len(half) == 8
        there = contents(source)
        assert all(there[key] == held for key, held in contents(half).items())
    monkeypatch.setattr(_pull, "store_batch", real)
    told = pull("ann/map", path)
    assert (told.added, told.held, told.transfers) == (1, 8, 1)
    assert contents(opened(path)) == contents(source)


@pytest.mark.parametrize("engine", ["db", "lance"])
def test_stopped_while_replacing_nothing_has_changed(
    opened, tmp_path, push, pull, embed, contents, monkeypatch, engine
):
    """Half of theirs under half of the names would be neither atlas."""
    if engine == "lance":
        pytest.importorskip("lancedb")
    source, mine = opened(tmp_path / "theirs.db"), opened(tmp_path / f"mine.{engine}")
    source.add(*(embed(f"e{i}") for i in range(9)))
    source.observe(source="e1", target="e2", score=0.5)
    push(source)
    mine.add(*(embed(f"e{i}", content="something else") for i in range(2, 8)))
    before = contents(mine)
    monkeypatch.setattr("taskspace.hub._pull._AT_ONCE", 2)
    from taskspace.hub import _pull

    real, batches = _pull.store_batch, []

    def stopping(*args):
        batches.append(args)
        if len(batches) == 4:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(_pull, "store_batch", stopping)
        with pytest.raises(KeyboardInterrupt):
            pull("ann/map", mine, replace=True)
    assert contents(mine) == before
    assert mine.transfers() == []
    told = pull("ann/map", mine, replace=True)
    assert (told.added, told.replaced, told.held, told.transfers) == (3, 6, 0, 1)
    assert contents(mine) == contents(source)


PULLER = """
import sys
from taskspace.hub import _pull

_pull._AT_ONCE = 1
_pull.pull("ann/map", sys.argv[1], token="hf_writer")
"""


def test_killed_while_writing(opened, fresh, push, pull, embed, contents, monkeypatch, hub, tmp_path):
    monkeypatch.setattr("taskspace.hub._picture.LEAST", 1000)
    source = opened(fresh())
    source.add(*(embed(f"e{i}") for i in range(310)))
    push(source)
    path = fresh()
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    process = subprocess.Popen([sys.executable, "-c", PULLER, str(path)], env=os.environ | settings)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and sqlite_count(path) > 20:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    with Atlas(path, create=False) as half:
        assert half.check() == ""
        assert 20 < len(half) < 310
        there = contents(source)
        assert all(there[key] == held for key, held in contents(half).items())
    pull("ann/map", path)
    assert contents(opened(path)) == contents(source)


def sqlite_count(path):
    """Embeddings that are committed; 0 before there is a table."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM embeddings").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_subnormal_and_greatest_numbers_survive(pushed, pull, fresh, opened, space_id):
    atlas = opened(fresh())
    pull("ann/map", atlas)
    vector = atlas.get("b", space=space_id()).vector
    assert vector[:2].tolist() == [float(np.finfo(np.float32).smallest_subnormal), float(np.finfo(np.float32).max)]
    assert np.signbit(vector[2])
