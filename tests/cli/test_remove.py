"""``remove``: all that are named, or none."""

from __future__ import annotations


def names(taskspace):
    return [entry["name"] for entry in taskspace("show", "--json").document["entries"]]


def test_all_that_are_named(taskspace, atlas):
    said = taskspace("remove", "mood", "opinion")
    assert (said.code, said.out) == (0, "removed mood, opinion; 4 left\n")
    assert names(taskspace) == ["echo", "length", "topic", "trip"]
    assert taskspace("remove", "trip", "--json").document == {"removed": ["trip"], "left": 3}


def test_none_when_one_is_not_there(taskspace, atlas, contents):
    before = contents(atlas)
    said = taskspace("remove", "mood", "opinoin")
    assert said.code == 2
    assert said.sentence.endswith("did you mean 'opinion'?")
    assert contents(atlas) == before


def test_what_was_removed_can_be_embedded_again(taskspace, atlas, contents):
    taskspace("remove", "mood")
    assert taskspace("embed", "mood.jsonl").out.startswith("embedded  mood")
    assert "mood" in names(taskspace)
