"""``copy``: an atlas into another one, and ``--atlas`` where that is a folder of LanceDB or a URI."""

from __future__ import annotations

import pytest

from taskspace.atlas import Atlas


def listing(taskspace, atlas):
    """What ``show`` says of an atlas, but where it is."""
    said = taskspace("show", "--atlas", atlas, "--json")
    assert said.code == 0
    return said.document | {"atlas": ""}


def test_there_and_back(taskspace, atlas):
    pytest.importorskip("lancedb")
    with Atlas(atlas) as store:
        store.observe(source="mood", target="trip", score=0.9, baseline=0.8)
    said = taskspace("copy", "my.db", "other.lance")
    assert (said.code, said.err) == (0, "")
    assert said.out == "copied 6 embeddings, 1 pool and 1 measured transfer from my.db into other.lance\n"
    assert listing(taskspace, "other.lance") == listing(taskspace, "my.db")
    back = taskspace("copy", "other.lance", "back.db", "--json").document
    assert back == {
        "from": "other.lance", "to": "back.db", "embeddings": 6, "there": 0, "pools": 1, "transfers": 1,
    }  # fmt: skip
    assert listing(taskspace, "back.db") == listing(taskspace, "my.db")


def test_a_second_time_there_is_nothing_to_do(taskspace, atlas):
    taskspace("copy", "my.db", "other.db")
    taskspace("remove", "mood", "--atlas", "other.db")
    said = taskspace("copy", "my.db", "other.db")
    assert said.out == "copied 1 embedding (5 were there), 0 pools and 0 measured transfers from my.db into other.db\n"


def test_what_cannot_be_copied(taskspace, atlas, contents):
    said = taskspace("copy", "nowhere.db", "other.db")
    assert (said.code, said.sentence) == (
        2,
        "taskspace: there is no atlas at nowhere.db; check the path, or embed something into it first",
    )
    taskspace("copy", "my.db", "other.db")
    taskspace("remove", "mood", "--atlas", "other.db")
    taskspace("embed", "topic.csv", "--name", "mood", "--atlas", "other.db")
    before = contents("other.db")
    said = taskspace("copy", "my.db", "other.db")
    assert said.code == 2
    assert "stand for something else, so nothing was copied: 'mood'; rename or remove" in said.sentence
    assert contents("other.db") == before


@pytest.mark.parametrize("named", ["here.lance", "file"])
def test_every_verb_takes_it(taskspace, files, folder, tiny_encoder, named):
    """Embedding into it makes it; what the usual file gives, it gives too."""
    pytest.importorskip("lancedb")
    atlas = (folder / "here.lance").as_uri() if named == "file" else named
    given = ("embed", "mood.jsonl", "topic.csv", "trip.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl")
    made = taskspace(*given, "--atlas", atlas)
    assert made.code == 0
    assert f"in {atlas} " in made.err
    taskspace(*given)
    assert taskspace("near", "mood", "--atlas", atlas).out == taskspace("near", "mood").out
    assert taskspace("rank", "trip.jsonl", "--atlas", atlas).out == taskspace("rank", "trip.jsonl").out
    assert taskspace("observe", "mood", "trip", "0.9", "--atlas", atlas).code == 0
    assert taskspace("remove", "topic", "--atlas", atlas).out == "removed topic; 2 left\n"
    shown = taskspace("show", "--atlas", atlas).out.splitlines()
    assert shown[0] == f"{atlas}: 2 entries, 1 measured transfer"
    assert taskspace("export", "pool.jsonl.gz", "--pool", "--atlas", atlas).code == 0
    assert f"{atlas}: 2 entries, integrity ok" in taskspace("doctor", "--atlas", atlas).out


def test_the_default_may_be_a_uri(taskspace, atlas, folder, monkeypatch):
    pytest.importorskip("lancedb")
    taskspace("copy", "my.db", "here.lance")
    uri = (folder / "here.lance").as_uri()
    monkeypatch.setenv("TASKSPACE_ATLAS", uri)
    assert taskspace("show").out.startswith(f"{uri}: 6 entries")
    assert taskspace("embed", "trip.jsonl").out.startswith("kept      trip")
