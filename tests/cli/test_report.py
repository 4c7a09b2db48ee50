"""``taskspace report`` on the command line."""

from __future__ import annotations

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """For speed: how figures look is tested where they are drawn."""
    for draw in ("ranking_svg", "map_svg"):
        monkeypatch.setattr(f"taskspace.report._render.{draw}", lambda *_: "<svg></svg>")


def test_a_page_on_a_name_goes_to_this_folder(taskspace, atlas, folder):
    said = taskspace("report", "mood")
    assert said.code == 0
    assert said.out.startswith("wrote mood.html: ")
    page = (folder / "mood.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "taskspace report mood" in page


def test_a_page_on_a_file_with_examples_and_a_date(taskspace, atlas, folder):
    said = taskspace(
        "report",
        "trip.jsonl",
        "-o",
        "page.html",
        "--examples",
        "2",
        "--date",
        "2031-02-03",
        "-k",
        "1",
        "--rate",
        "1e12",
    )
    assert said.code == 0
    page = (folder / "page.html").read_text("utf-8")
    for word in ("Rows per label", "Example rows", "2031-02-03", "seconds"):
        assert word in page
    assert not (folder / "trip.html").exists()


def test_a_page_does_not_say_where_things_lie(taskspace, atlas, folder):
    said = taskspace("report", folder / "trip.jsonl", "--atlas", atlas, f"--out={folder / 'page.html'}")
    assert said.code == 0
    page = (folder / "page.html").read_text("utf-8")
    assert str(folder) not in page
    assert "taskspace report trip.jsonl --atlas my.db --out=page.html" in page


def test_facts_as_json_write_no_page(taskspace, atlas, folder):
    document = taskspace("report", "mood", "--json", "-k", "2").document
    assert document["target"]["name"] == "mood"
    assert [one["name"] for one in document["candidates"]] == [hit["name"] for hit in document["ranking"]["hits"]]
    assert len(document["candidates"]) == 2
    assert document["verdict"]["advice"] == "nearest"
    assert not list(folder.glob("*.html"))


def test_facts_as_json_and_a_page_where_it_was_asked_for(taskspace, atlas, folder):
    said = taskspace("report", "mood", "--json", "--out", "kept.html")
    assert said.document["format"] == 1
    assert "wrote kept.html" in said.err
    assert (folder / "kept.html").exists()


def test_the_same_command_writes_the_same_bytes(taskspace, atlas, folder):
    pages = []
    for _ in range(2):
        taskspace("report", "mood", "--examples", "1")
        pages.append((folder / "mood.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_name_that_is_no_file_name(taskspace, atlas, folder):
    from taskspace import Atlas

    with Atlas(atlas) as store:
        store.rename("mood", "../a b/<c>")
    assert taskspace("report", "../a b/<c>").code == 0
    assert [path.name for path in folder.glob("*.html")] == ["a-b--c.html"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["moood"], "did you mean 'mood'"), (["mood", "--kind", "modle"], "did you mean 'model'"),
        (["mood", "--epochs", "0"], "epochs"), (["mood", "--rate", "-1"], "rate"),
        (["mood", "-o", "nowhere/page.html"], "--out"),
    ],
)  # fmt: skip
def test_what_can_be_mended_is_a_sentence(taskspace, atlas, words, told):
    said = taskspace("report", *words)
    assert said.code == 2
    assert told in said.sentence


def test_an_atlas_that_is_not_there(taskspace):
    said = taskspace("report", "mood")
    assert (said.code, "there is no atlas" in said.sentence) == (2, True)
