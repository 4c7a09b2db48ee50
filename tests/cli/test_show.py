"""``show``: the list, and one entry."""

from __future__ import annotations

import pytest

from taskspace import Atlas


def test_the_list_has_a_line_per_entry(taskspace, atlas):
    said = taskspace("show")
    lines = said.out.splitlines()
    assert lines[0] == f"{atlas}: 6 entries, 0 measured transfers"
    assert lines[1].startswith("space ")
    assert [line.split()[:2] for line in lines[2:]] == [
        ["echo", "dataset"], ["length", "model"], ["mood", "dataset"],
        ["opinion", "model"], ["topic", "dataset"], ["trip", "dataset"],
    ]  # fmt: skip
    assert len({line.index(" response ") for line in lines[2:]}) == 1  # columns stand under each other


def test_the_list_as_json_is_what_the_atlas_holds(taskspace, atlas):
    listed = taskspace("show", "--json").document
    with Atlas(atlas) as store:
        assert [e["name"] for e in listed["entries"]] == [e.name for e in store.entries()]
        assert [s["id"] for s in listed["spaces"]] == [s.fingerprint for s in store.spaces()]
    assert listed["transfers"] == 0


def test_kinds(taskspace, atlas):
    models = taskspace("show", "--kind", "model", "--json").document["entries"]
    assert [entry["name"] for entry in models] == ["length", "opinion"]


def test_one_entry_with_where_it_came_from(taskspace, atlas, tasks):
    facts = taskspace("show", "mood", "--json").document
    assert (facts["name"], facts["kind"], facts["content"]) == ("mood", "dataset", tasks["mood"].fingerprint)
    assert facts["provenance"]["input_rows"] == 40
    printed = dict(line.split(maxsplit=1) for line in taskspace("show", "mood").out.splitlines())
    assert printed["content"] == tasks["mood"].fingerprint
    assert printed["input_rows"] == "40"
    assert set(facts["provenance"]) - set(printed) == {"description"}  # empty


def test_transfers_are_counted(taskspace, atlas):
    with Atlas(atlas) as store:
        store.observe(source="mood", target="topic", score=0.9)
    assert "1 measured transfer" in taskspace("show").out


def test_an_atlas_without_entries(taskspace, folder):
    Atlas(folder / "my.db").close()
    assert taskspace("show").out == f"{folder / 'my.db'}: 0 entries, 0 measured transfers\n"
    assert taskspace("show", "--json").document["entries"] == []


@pytest.mark.parametrize("verb", [["show"], ["rank", "mood"], ["near", "mood"]])
def test_an_atlas_can_be_said_before_all_defaults(taskspace, atlas, monkeypatch, verb):
    monkeypatch.setenv("TASKSPACE_ATLAS", "/nowhere/at/all.db")
    assert taskspace(*verb, "--atlas", atlas).code == 0
    assert taskspace(*verb).code == 2
