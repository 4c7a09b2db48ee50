"""``taskspace duplicates`` on the command line."""

from __future__ import annotations

import pytest

from taskspace import Atlas


@pytest.fixture
def doubled(taskspace, atlas, files, write, rows_of, tasks):
    """The atlas, with a data set under two more names: the same file, and with its classes renamed."""
    rows = rows_of(tasks["mood"])
    write(files / "again.jsonl", rows)
    write(files / "renamed.jsonl", [row | {"label": {"good": "0", "bad": "1"}[row["label"]]} for row in rows])
    assert taskspace("embed", "again.jsonl", "renamed.jsonl").code == 0
    return atlas


def test_a_data_set_under_three_names(taskspace, doubled):
    said = taskspace("duplicates")
    assert said.code == 0
    assert said.out.startswith("1 task stands here under several names; 2 of the names could go\nmood (dataset)\n")
    assert "= again    the same rows and labels (equal fingerprints); 2 classes each; 40 rows each" in said.out
    assert "= renamed  equal vectors" in said.out
    assert said.err == ""


def test_one_document(taskspace, doubled):
    document = taskspace("duplicates", "--json").document
    (group,) = document["groups"]
    assert group["names"] == ["mood", "again", "renamed"]
    assert [pair["strength"] for pair in group["pairs"]] == ["content", "vector"]
    assert [one["kind"] for one in document["searched"]] == ["dataset", "model"]
    assert all(one["threshold"] is None for one in document["searched"])


def test_kind_and_threshold_are_the_users(taskspace, doubled):
    assert taskspace("duplicates", "--kind", "model").out.startswith("no duplicates found")
    said = taskspace("duplicates", "--above", "0.000001", "--json").document
    with Atlas(doubled) as store:
        near = {hit.name for hit in store.near("topic", k=None, kind="dataset") if hit.score > 0.000001}
    assert near
    together = {
        frozenset(pair) for group in said["groups"] for pair in [(group["representative"], n) for n in group["names"]]
    }
    named = {name for pair in together for name in pair} | {
        p[end] for p in said["apart"] for end in ("first", "second")
    }
    assert "topic" in named


def test_nothing_is_removed(taskspace, doubled, contents):
    before = contents(doubled)
    taskspace("duplicates", "--above", "0.5")
    assert contents(doubled) == before


def test_an_atlas_without_duplicates(taskspace, atlas):
    said = taskspace("duplicates")
    assert (said.code, said.out.splitlines()[0]) == (0, "no duplicates found")
    assert "20 different entries are needed" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--above", "1.5"], "--above"), (["--above", "0"], "--above"), (["--kind", "modle"], "did you mean 'model'"),
     (["--learner", "fisher"], "no space")],
)  # fmt: skip
def test_what_can_be_mended_is_a_sentence(taskspace, atlas, words, told):
    said = taskspace("duplicates", *words)
    assert said.code == 2
    assert told in said.sentence


def test_an_atlas_that_is_not_there(taskspace):
    said = taskspace("duplicates")
    assert (said.code, "there is no atlas" in said.sentence) == (2, True)
