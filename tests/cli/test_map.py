"""``map``, and ``export --map``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from taskspace import Atlas

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
# Of the six things in this atlas one, the function that looks at the length of a text, says nothing.


@pytest.mark.parametrize(("name", "begins"), [("map.png", b"\x89PNG"), ("map.svg", b"<?xml"), ("new/map.pdf", b"%PDF")])
def test_a_picture_of_the_map(taskspace, atlas, name, begins):
    said = taskspace("map", name)
    assert said.code == 0
    assert said.out.startswith(f"wrote {name}: 6 points, 1 of which says nothing, by pca; keeps ")
    assert "of each point's 2 nearest (chance: 50%)" in said.out
    assert Path(name).read_bytes().startswith(begins)


def test_what_was_drawn_as_json(taskspace, atlas):
    from taskspace.atlas.map import map_of

    told = taskspace("map", "map.png", "--json").document
    with Atlas(atlas) as store:
        chart = map_of(store.matrix()).to_dict()
    assert (told["written"], told["what"], told["points"], told["silent"]) == ("map.png", "map", 6, 1)
    for key in ("method", "kept", "kept_of", "neighbours", "chance", "explained", "families"):
        assert told[key] == chart[key]


def test_one_kind_by_another_method(taskspace, atlas):
    pytest.importorskip("sklearn")
    told = taskspace("map", "map.png", "--kind", "dataset", "--method", "mds", "--seed", "3", "--json").document
    assert (told["points"], told["method"]) == (4, "mds")


@pytest.mark.parametrize("what", ["similarities", "dendrogram"])
def test_who_is_like_whom(taskspace, atlas, what):
    said = taskspace("map", f"{what}.png", "--what", what)
    assert (said.code, said.out) == (0, f"wrote {what}.png: 5 points of 6\n")
    told = taskspace("map", f"{what}.png", "--what", what, "--json").document
    with Atlas(atlas) as store:
        known = {row.name for row in store.matrix().rows if row.informative}
    assert set(told["names"]) == known
    assert Path(f"{what}.png").read_bytes().startswith(b"\x89PNG")


def test_a_ranking(taskspace, atlas):
    told = taskspace("map", "mood.svg", "--what", "ranking", "--target", "mood", "-k", "3", "--json").document
    assert (told["target"], told["points"], told["calibrated"]) == ("mood", 3, False)
    said = taskspace("map", "mood.svg", "--what", "ranking", "--target", "mood", "--kind", "model")
    assert said.out.startswith("wrote mood.svg: 2 candidates for mood; ")


def test_arrows_need_transfers(taskspace, atlas):
    with Atlas(atlas) as store:
        store.observe(source="topic", target="mood", score=0.9, baseline=0.5)
    plain, arrows = (taskspace("map", name, *more) for name, more in (("a.svg", []), ("b.svg", ["--transfers"])))
    assert (plain.code, arrows.code) == (0, 0)
    assert len(Path("b.svg").read_text()) > len(Path("a.svg").read_text())


def test_a_page_that_holds_everything(taskspace, atlas):
    said = taskspace("map", "atlas.html")
    assert said.code == 0
    assert said.out.startswith("wrote atlas.html: 6 points, 1 of which says nothing, by pca; keeps ")
    page = Path("atlas.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") or page.startswith("<!DOCTYPE html>")
    assert '"opinion"' in page
    assert "https://" not in page.partition("<body")[0]
    assert taskspace("map", "atlas.html", "--json").document["points"] == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["map.gif"], "neither a picture nor a page"),
        (["map"], "neither a picture nor a page"),
        (["map.png", "--what", "maps"], "did you mean 'map'?"),
        (["map.png", "--method", "pcaa"], "did you mean 'pca'?"),
        (["map.png", "--kind", "modle"], "did you mean 'model'?"),
        (["map.png", "--what", "ranking"], "--target"),
        (["map.png", "--target", "mood"], "--target"),
        (["map.png", "--what", "dendrogram", "--transfers"], "--transfers"),
        (["map.html", "--what", "dendrogram"], "holds everything"),
        (["map.png", "--what", "ranking", "--target", "moood"], "did you mean 'mood'?"),
        (["map.png", "--learner", "text"], "no space"),
        (["map.png", "--atlas", "other.db"], "other.db"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(taskspace, atlas, words, told):
    said = taskspace("map", *words)
    assert said.code == 2
    assert told in said.sentence
    assert not Path(words[0]).exists()


@pytest.mark.parametrize("name", ["map.png", "map.html"])
def test_a_place_that_cannot_be_written(taskspace, atlas, name):
    Path("file").write_text("in the way")
    assert "choose another place" in taskspace("map", f"file/{name}").sentence


def test_export_for_a_viewer(taskspace, atlas):
    parquet = pytest.importorskip("pyarrow.parquet")
    from taskspace.atlas.map import map_of

    assert taskspace("export", "map.parquet", "--map", "--json").document == {"written": "map.parquet"}
    table = parquet.read_table("map.parquet")
    with Atlas(atlas) as store:
        chart = map_of(store.matrix())
    assert tuple(table["name"].to_pylist()) == chart.names
    np.testing.assert_array_equal(np.array([table["x"], table["y"]], dtype=np.float32).T, chart.points)
    assert [len(near["ids"]) for near in table["neighbors"].to_pylist()] == [4 * said for said in chart.informative]
    assert json.loads(table.schema.metadata[b"taskspace"])["map"]["kept"] == chart.kept


def test_export_of_a_map_has_its_own_ending(taskspace, atlas):
    assert "does not end in .parquet" in taskspace("export", "map.json", "--map").sentence
    assert "--pool and --map were both given" in taskspace("export", "x.parquet", "--map", "--pool").sentence
