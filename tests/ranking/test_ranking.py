from __future__ import annotations

import json
import sys

import pytest

from taskspace.errors import MissingExtra
from taskspace.ranking import Hit, Ranking


@pytest.fixture
def ranking():
    hits = (
        Hit("spam-filter", "model", 0.912345, {"rows": 400}, "c1", 1),
        Hit("imdb", "dataset", -0.25, {}, "c2", 2),
        Hit("sst", "dataset", -0.5, {}, "c3", 3),
    )
    return Ranking("reviews", hits, "cosine", ("a note",))


def test_reads_like_a_sequence(ranking):
    assert len(ranking) == 3
    assert [hit.name for hit in ranking] == ["spam-filter", "imdb", "sst"]
    assert isinstance(ranking[0], Hit)
    assert ranking[-1].name == "sst"
    with pytest.raises(IndexError):
        ranking[3]


def test_a_slice_is_a_ranking_whose_ranks_stay(ranking):
    tail = ranking[1:]
    assert isinstance(tail, Ranking)
    assert [hit.rank for hit in tail] == [2, 3]
    assert (tail.target, tail.measure, tail.notes) == ("reviews", "cosine", ("a note",))


def test_top(ranking):
    assert ranking.top(2) == ranking[:2]
    assert len(ranking.top(9)) == 3
    assert len(ranking.top(-1)) == 0


def test_str_is_an_aligned_table(ranking):
    assert str(ranking).splitlines() == [
        "nearest to 'reviews'",
        "1   0.9123  model    spam-filter",
        "2  -0.2500  dataset  imdb",
        "3  -0.5000  dataset  sst",
        "score: cosine",
        "note: a note",
    ]
    assert str(ranking[:0]).splitlines()[0] == "nothing to rank for 'reviews'"


def test_repr_is_whole(ranking):
    assert all(part in repr(ranking) for part in ("0.912345", "{'rows': 400}", "'c3'", "a note"))


def test_to_dict_survives_json(ranking):
    read = json.loads(json.dumps(ranking.to_dict()))
    assert read["hits"][0] == {
        "rank": 1, "name": "spam-filter", "kind": "model", "score": 0.912345, "content": "c1",
        "provenance": {"rows": 400},
    }  # fmt: skip
    assert (read["target"], read["measure"], read["notes"]) == ("reviews", "cosine", ["a note"])


def test_frames_agree(ranking):
    for package in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(package)
    arrow = ranking.to_arrow()
    expected = {
        "rank": [1, 2, 3], "name": ["spam-filter", "imdb", "sst"], "kind": ["model", "dataset", "dataset"],
        "score": [0.912345, -0.25, -0.5], "content": ["c1", "c2", "c3"], "provenance": ['{"rows": 400}', "{}", "{}"],
    }  # fmt: skip
    assert arrow.to_pydict() == expected
    assert arrow.schema.metadata[b"measure"] == b"cosine"
    assert ranking.to_pandas().to_dict("list") == expected
    assert ranking.to_polars().to_dict(as_series=False) == expected
    assert ranking[:0].to_arrow().num_rows == 0


@pytest.mark.parametrize("package", ["pyarrow", "pandas", "polars"])
def test_a_missing_package_is_named(ranking, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    method = {"pyarrow": "to_arrow", "pandas": "to_pandas", "polars": "to_polars"}[package]
    with pytest.raises(MissingExtra, match=f"{package}.*pip install 'taskspace"):
        getattr(ranking, method)()
