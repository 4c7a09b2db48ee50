from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import AtlasError
from taskspace.page import _document as document_module
from taskspace.page import document_of


@pytest.fixture
def atlas(build):
    with Atlas(build()) as opened:
        yield opened


def test_holds_plain_values_and_every_task_once(atlas):
    document = document_of(atlas)
    assert json.loads(json.dumps(document, allow_nan=False)) == document_as_lists(document)
    names = [entry.name for entry in atlas.entries()]
    assert sorted(document["map"]["names"]) == sorted(names) == sorted(document["cards"])
    assert document["map"]["space"] == atlas.space_id().fingerprint
    assert document["map"]["generation"] == atlas.generation()


def document_as_lists(value):
    if isinstance(value, dict):
        return {key: document_as_lists(item) for key, item in value.items()}
    return [document_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def test_neighbours_are_those_of_plain_numpy(atlas, nearest):
    document = document_of(atlas, k=5)
    names = document["map"]["names"]
    for name in ("film-0", "chat-3"):
        found = [(names[place], score) for place, score in document["near"]["names"][name]]
        expected = nearest(name, 5)
        assert [other for other, _ in found] == [other for other, _ in expected]
        np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-4)


def test_neighbours_are_those_of_the_atlas_with_several_blocks(tmp_path, rng):
    space = SpaceId("s", "r", "w", {}, "fisher", {}, "p", 1, 0)
    with Atlas(tmp_path / "blocks.db") as atlas:
        for i in range(9):
            vector = rng.standard_normal(7).astype(np.float32)
            vector[3:] *= 50  # blocks count alike whatever their lengths
            atlas.add(TaskEmbedding(f"e{i}", "model", space, vector, (("a", 3), ("b", 4)), f"c{i}"))
        document = document_of(atlas, k=4)
        names = document["map"]["names"]
        for name in names:
            hits = atlas.near(name, k=4)
            assert [names[place] for place, _ in document["near"]["names"][name]] == [hit.name for hit in hits]
            scores = [score for _, score in document["near"]["names"][name]]
            np.testing.assert_allclose(scores, [hit.score for hit in hits], atol=1e-4)


def test_what_says_nothing_is_nobodys_neighbour_and_says_so_on_its_card(atlas):
    document = document_of(atlas, k=30)
    silent = document["map"]["names"].index("says-nothing")
    assert all(silent not in [place for place, _ in row] for row in document["near"]["names"].values())
    assert [name for name, card in document["cards"].items() if not card["informative"]] == ["says-nothing"]


def test_rankings_are_those_of_the_atlas(atlas):
    document = document_of(atlas, k=6)
    hits = atlas.rank("film-3", k=6)
    assert hits.calibrated
    told = document["rankings"]["film-3"]
    assert [hit["name"] for hit in told["hits"]] == [hit.name for hit in hits]
    assert told["hits"][0]["gain"]["mean"] == pytest.approx(hits[0].gain.mean)
    assert set(told["hits"][0]) == {"rank", "name", "kind", "score", "gain"}


def test_transfers_are_means_over_runs(build, atlas_of):
    def twice(atlas):
        atlas_of(atlas)
        for score, baseline in ((0.9, 0.5), (0.7, 0.6), (0.2, None)):
            atlas.observe(source="pairs-2", target="pairs-3", score=score, baseline=baseline)
        atlas.observe(source="elsewhere", target="pairs-3", score=1.0)

    with Atlas(build(twice, "twice.db")) as atlas:
        rows = {(row["source"], row["target"]): row for row in document_of(atlas)["transfers"]}
    row = rows["pairs-2", "pairs-3"]
    assert row["runs"] == 3
    assert row["score"] == pytest.approx(0.6)
    assert row["baseline"] == pytest.approx(0.55)
    assert row["gain"] == pytest.approx(0.25)
    assert ("elsewhere", "pairs-3") not in rows


def test_of_many_tasks_only_the_map_goes_in(atlas, monkeypatch):
    monkeypatch.setattr(document_module, "MOST_CARDS", 10)
    monkeypatch.setattr(document_module, "MOST_RANKED", 10)
    monkeypatch.setattr(document_module, "MOST_COMPARED", 12)
    document = document_of(atlas)
    assert not {"cards", "near", "rankings"} & set(document)
    assert len(document["map"]["names"]) == 26
    assert len(document["similarities"]["names"]) == 12


def test_of_an_empty_atlas_there_is_none(tmp_path, one_sentence):
    with Atlas(tmp_path / "empty.db") as atlas, pytest.raises(AtlasError) as caught:
        document_of(atlas)
    assert one_sentence(caught.value)
