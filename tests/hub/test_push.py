"""The real client against a Hub on loopback."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from taskspace.errors import AtlasError, SettingError

# The client hands files to httpx2 in a way that httpx2 would rather see go.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

pytest.importorskip("huggingface_hub")
parquet = pytest.importorskip("pyarrow.parquet")


def table(hub, repo, path, revision="main"):
    return parquet.read_table(io.BytesIO(hub.read(repo, path, revision)))


def test_one_commit_holds_all_of_it(full, push, hub, contents):
    before = contents(full, without=())
    pushed = push(full)
    repo = hub.repos["ann/map"]
    assert repo.private
    assert repo.messages == ["", "Push an atlas with taskspace"]
    assert repo.branches == {"main": pushed.commit}
    names = sorted(repo.files())
    assert names == [
        ".gitattributes", "README.md", "spaces.json",
        *sorted(part.path for part in pushed.files if "spaces/" in part.path), "transfers.parquet",
    ]  # fmt: skip
    assert {file.path: file.bytes for file in pushed.files} == {
        path: len(blob.data) for path, blob in repo.files().items() if path != ".gitattributes"
    }
    assert pushed.bytes == sum(file.bytes for file in pushed.files)
    assert contents(full, without=()) == before


def test_vectors_go_up_to_the_bit(full, push, hub, space_id):
    push(full)
    space = space_id()
    rows = table(hub, "ann/map", f"spaces/response-{space.fingerprint[:12]}.parquet").to_pylist()
    assert [row["name"] for row in rows] == [row.name for row in full.matrix(space).rows]
    for row in rows:
        entry, found = full.entry(row["name"], space=space), full.get(row["name"], space=space)
        assert np.array(row["vector"], np.float32).tobytes() == found.vector.tobytes()
        assert row["informative"] is found.informative
        shown = [row[key] for key in ("kind", "content", "added", "space")]
        assert shown == [entry.kind, entry.content, entry.added, space.fingerprint]


def test_transfers_go_up_in_order(full, push, hub):
    push(full)
    rows = table(hub, "ann/map", "transfers.parquet").to_pylist()
    told = [[getattr(run, key) for key in rows[0]] for run in full.transfers()]
    assert [list(row.values()) for row in rows] == told
    assert len(rows) == 3


def test_the_second_push_replaces_what_is_ours_and_nothing_else(full, push, hub, embed, space_id):
    push(full)
    old = set(hub.repos["ann/map"].files())
    hub.put("ann/map", {"notes.txt": b"mine", "spaces/mine.parquet": b"mine too"})
    # A space cannot be taken out of an atlas, so another atlas stands for what it has become.
    gone = f"spaces/tuned-prompt-{space_id('tuned:prompt', settings={'length': 2}, seed=3).fingerprint[:12]}.parquet"
    assert gone in old
    smaller = type(full)(full.path.with_name("smaller.db"))
    with smaller:
        smaller.add(embed("b"))
        pushed = push(smaller, message="smaller")
    assert pushed.deleted == (gone,)
    assert set(hub.repos["ann/map"].files()) == old - {gone} | {"notes.txt", "spaces/mine.parquet"}
    assert hub.repos["ann/map"].messages[-1] == "smaller"
    assert len(hub.repos["ann/map"].commits) == 4


def test_a_push_of_the_same_makes_no_commit(full, push, hub):
    first = push(full)
    again = push(full)
    assert (first.changed, again.changed) == (True, False)
    assert again.commit == first.commit
    assert len(hub.repos["ann/map"].commits) == 2


def test_only_what_changed_is_sent_again(full, push, hub, embed, space_id):
    push(full)
    hub.asked.clear()
    full.add(embed("new", space=space_id()))
    push(full)
    assert sum(line.startswith("PUT /storage") for line in hub.asked) == 1


def test_a_large_file_goes_up_in_parts(opened, tmp_path, push, pull, hub, embed, fresh):
    atlas = opened(tmp_path / "large.db")
    atlas.add(*(embed(f"e{i}", length=40_000) for i in range(4)))
    push(atlas)
    (path,) = [path for path in hub.repos["ann/map"].files() if path.startswith("spaces/")]
    parts = {line for line in hub.asked if line.startswith("PUT /storage") and line.count("/") == 3}
    assert len(parts) == -(-len(hub.read("ann/map", path)) // 150_000) > 3
    target = opened(fresh())
    pull("ann/map", target)
    assert target.get("e3").vector.tobytes() == atlas.get("e3").vector.tobytes()


@pytest.mark.parametrize("private", [True, False, None])
def test_who_sees_it(full, push, hub, private):
    assert push(full, private=private).private is (private is not False)
    assert hub.repos["ann/map"].private is (private is not False)


def test_visibility_is_not_changed_by_a_push(full, push, hub):
    push(full, private=False)
    assert push(full).private is False
    with pytest.raises(SettingError, match="is public and --private was said; change that in its settings"):
        push(full, private=True)


def test_a_branch_is_made(full, push, hub):
    push(full)
    main = hub.repos["ann/map"].branches["main"]
    full.observe(source="a", target="b", score=0.9)
    pushed = push(full, revision="v2")
    assert hub.repos["ann/map"].branches == {"main": main, "v2": pushed.commit}
    assert table(hub, "ann/map", "transfers.parquet").num_rows == 3
    assert table(hub, "ann/map", "transfers.parquet", "v2").num_rows == 4
    full.observe(source="a", target="b", score=0.95)
    assert push(full, revision="v2").commit == hub.repos["ann/map"].branches["v2"]
    assert push(full, "ann/new", revision="dev").commit == hub.repos["ann/new"].branches["dev"]


@pytest.mark.parametrize(
    "files",
    [
        {"train.csv": b"text,label\n"},
        {"README.md": b"---\nlicense: mit\n---\n# My own words\n"},
        {"spaces.json": b'{"format": 1, "what": "space ships"}'},
        {"spaces.json": b"no json"},
        {"README.md": b"---\nlicense: [mit\n---\n"},
    ],
)
def test_what_is_no_atlas_is_left_alone(full, push, hub, files, one_sentence):
    commit = hub.put("ann/map", files)
    with pytest.raises(
        AtlasError, match="ann/map (holds something else than|has a spaces.json that is not that of) an atlas"
    ) as caught:
        push(full)
    assert one_sentence(caught.value)
    assert hub.repos["ann/map"].branches["main"] == commit


def test_an_empty_repository_is_filled(full, push, hub):
    hub.put("ann/map", {"README.md": b"---\nlicense: mit\n---\n"})
    push(full)
    assert hub.read("ann/map", "README.md").startswith(b"---\nlicense: mit\n")


def test_a_newer_atlas_is_not_overwritten(full, push, hub):
    push(full)
    manifest = json.loads(hub.read("ann/map", "spaces.json"))
    commit = hub.put("ann/map", {"spaces.json": json.dumps(manifest | {"format": 2}).encode()})
    with pytest.raises(
        AtlasError, match=r"pushed by a newer taskspace \(format 2, this one reads 1\); upgrade taskspace"
    ):
        push(full)
    assert hub.repos["ann/map"].branches["main"] == commit


def test_a_damaged_atlas_is_made_whole(full, push, hub):
    push(full)
    hub.put("ann/map", {"spaces.json": b'{"what": "taskspace atlas", "format": 1}', "spaces/response-0.parquet": b"?"})
    assert push(full).deleted == ()
    assert json.loads(hub.read("ann/map", "spaces.json"))["taskspace"]


def test_a_dry_run_asks_nothing(full, push, hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    dry = push(full, dry_run=True, with_pool=True, token=None)
    assert hub.asked == []
    assert (dry.commit, dry.url) == (None, None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert push(full, with_pool=True).files[:-1] == dry.files[:-1]


@pytest.mark.parametrize("name", ["map", "a/b/c", "", "ann/ma p", "ann/..", "ann/map@", "-/x"])
def test_names_that_are_none(full, push, hub, name, one_sentence):
    with pytest.raises(SettingError, match="give") as caught:
        push(full, name)
    assert one_sentence(caught.value)
    assert hub.asked == []


def test_a_commit_is_no_place_to_push_to(full, push, hub):
    with pytest.raises(SettingError, match="ann/map@v1 names a state of a repository; .* --revision v1"):
        push(full, "ann/map@v1")


def test_a_pool_that_is_not_there(opened, tmp_path, push, embed, hub):
    atlas = opened(tmp_path / "poolless.db")
    atlas.add(embed("b"))
    push(atlas)
    with pytest.raises(AtlasError, match="the pool of that space is not in"):
        push(atlas, with_pool=True)
    assert len(hub.repos["ann/map"].commits) == 2


# What goes wrong on the way


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hf_wrong", "the Hub does not know the token it was given; log in with hf auth login, or set HF_TOKEN"),
        ("hf_reader", "your token may not write to ann/map; use one that may"),
        (False, "your token may not write to ann/map; use one that may"),
    ],
)
def test_tokens_that_may_not(full, push, hub, token, said, one_sentence):
    with pytest.raises(AtlasError, match=said) as caught:
        push(full, token=token)
    assert one_sentence(caught.value)
    assert hub.repos == {}


def test_a_reader_may_not_push_to_what_is_there(full, push, hub):
    commit = push(full).commit
    full.observe(source="a", target="b", score=0.9)
    with pytest.raises(AtlasError, match="your token may not write to ann/map"):
        push(full, token="hf_reader")
    assert hub.repos["ann/map"].branches["main"] == commit


@pytest.mark.parametrize(
    "line", ["GET /api/datasets", "POST /api/repos/create", "/preupload/", "lfs/objects/batch", "PUT /storage"]
)
def test_a_moment_of_illness_is_waited_out(full, push, hub, line):
    hub.fail(line, 503)
    assert push(full).changed


@pytest.mark.parametrize(
    ("line", "status"), [("GET /api/datasets", 503), ("/commit/", 500), ("POST /api/repos/create", 429)]
)
def test_a_long_illness_is_one_sentence(full, push, hub, line, status, one_sentence):
    hub.fail(line, status, times=100)
    with pytest.raises(
        AtlasError, match=rf"the Hub is busy or ill \(HTTP {status}\), and ann/map was not pushed; wait"
    ) as caught:
        push(full)
    assert one_sentence(caught.value)


def test_a_file_that_the_hub_does_not_take(full, push, hub, one_sentence):
    hub.fail("PUT /storage", 400, times=100)
    with pytest.raises(AtlasError, match=r"the Hub refused ann/map \(HTTP 400") as caught:
        push(full)
    assert one_sentence(caught.value)
    assert len(hub.repos["ann/map"].commits) == 1


def test_two_at_once_do_not_mix(full, push, hub, monkeypatch):
    push(full)
    full.observe(source="a", target="b", score=0.9)
    from taskspace.hub import _push

    packed = _push.pack

    def meanwhile(*args, **options):
        hub.put("ann/map", {"other.txt": b"somebody else was first"})
        return packed(*args, **options)

    monkeypatch.setattr(_push, "pack", meanwhile)
    with pytest.raises(AtlasError, match="ann/map was changed by somebody else meanwhile, and nothing was pushed; run"):
        push(full)
    assert table(hub, "ann/map", "transfers.parquet").num_rows == 3


def test_a_license_that_the_hub_does_not_know(full, push, hub, one_sentence):
    with pytest.raises(
        AtlasError, match=r'does not take the head of the card \("license" must be one of .* give a licen[sc]e'
    ) as caught:
        push(full, license="nonsense")
    assert one_sentence(caught.value)
    assert len(hub.repos["ann/map"].commits) == 1


def test_offline_is_honoured(full, push, hub, monkeypatch, one_sentence):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AtlasError, match="HF_HUB_OFFLINE is set and nothing can be pushed; unset it") as caught:
        push(full)
    assert one_sentence(caught.value)
    assert hub.asked == []


def test_nobody_answers(full, push, one_sentence):
    with pytest.raises(AtlasError, match="the Hub cannot be reached .*; check the network, and HF_ENDPOINT") as caught:
        push(full, endpoint="http://127.0.0.1:9")
    assert one_sentence(caught.value)


def test_writers_meanwhile_do_not_tear_it(full, push, hub, embed, space_id, monkeypatch):
    """What comes while one space is written is in none of the files: they are one state of the atlas."""
    from taskspace.hub import _packing

    written = _packing.write_space

    def meanwhile(*args):
        for space in full.spaces():
            length = 9 if space.learner == "tuned:prompt" else 6
            full.add(
                embed(f"late {args[0].name}", space=space, length=length, blocks=full.get("b", space=space).blocks)
            )
        full.observe(source="a", target="b", score=0.9)
        written(*args)

    monkeypatch.setattr(_packing, "write_space", meanwhile)
    push(full)
    for path in hub.repos["ann/map"].files():
        if path.startswith("spaces/"):
            assert not any(name.startswith("late") for name in table(hub, "ann/map", path)["name"].to_pylist())
    assert table(hub, "ann/map", "transfers.parquet").num_rows == 3
    assert len(full) == 5 + 4


def test_without_the_client_the_extra_is_named(full, monkeypatch):
    import sys

    from taskspace.errors import MissingExtra
    from taskspace.hub import push

    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "huggingface_hub.errors", raising=False)
    monkeypatch.delitem(sys.modules, "huggingface_hub.utils", raising=False)
    with pytest.raises(MissingExtra, match=r"an atlas on the Hub needs huggingface_hub.*taskspace\[hub\]"):
        push(full, "ann/map")
