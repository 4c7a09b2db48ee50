from __future__ import annotations

import json
import math
import re
import sys

import pytest

from taskspace.errors import MissingExtra
from taskspace.ranking import DO_NOT_TRANSFER, Gain, Hit, Ranking


@pytest.fixture
def ranking():
    hits = (
        Hit("spam-filter", "model", 0.912345, {"rows": 400}, "c1", 1),
        Hit("imdb", "dataset", -0.25, {}, "c2", 2),
        Hit("sst", "dataset", -0.5, {}, "c3", 3),
    )
    return Ranking("reviews", hits, "cosine", ("a note",))


@pytest.fixture
def calibrated():
    """Two sources and not transferring; parts add up to scores: 0.04 + 0.015 - 0.005, 0.04 - 0.06."""
    near, far = {"likeness": 0.9, "prior": 0.25}, {"likeness": 0.1, "prior": math.nan}
    hits = (
        Hit("imdb", "dataset", 0.05, {}, "c1", 1, Gain(0.05, 0.01, 0.09, 0.97), near,
            {"likeness": 0.015, "prior": -0.005, "level": 0.04}),
        Hit(DO_NOT_TRANSFER, "none", 0.0, {}, "", 2, Gain(0.0, 0.0, 0.0, 0.0)),
        Hit("sst", "dataset", -0.02, {}, "c2", 3, Gain(-0.02, -0.06, 0.02, 0.2), far,
            {"likeness": -0.06, "prior": 0.0, "level": 0.04 + 1e-13}),
    )  # fmt: skip
    return Ranking("reviews", hits, "predicted gain")


def added(said):
    return [float(number) for number in re.findall(r"adds ([+-][0-9.]+)", said)]


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
        "rank": 1, "name": "spam-filter", "kind": "model", "score": 0.912345, "content": "c1", "gain": None,
        "signals": {}, "parts": {}, "provenance": {"rows": 400},
    }  # fmt: skip
    assert (read["target"], read["measure"], read["notes"]) == ("reviews", "cosine", ["a note"])


def test_frames_agree(ranking):
    for package in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(package)
    arrow = ranking.to_arrow()
    expected = {
        "rank": [1, 2, 3], "name": ["spam-filter", "imdb", "sst"], "kind": ["model", "dataset", "dataset"],
        "score": [0.912345, -0.25, -0.5],
        "gain": [None] * 3, "low": [None] * 3, "high": [None] * 3, "helps": [None] * 3,
        "content": ["c1", "c2", "c3"], "provenance": ['{"rows": 400}', "{}", "{}"],
    }  # fmt: skip
    assert arrow.to_pydict() == expected
    assert arrow.schema.metadata[b"measure"] == b"cosine"
    pandas = ranking.to_pandas()
    assert pandas.astype(object).where(pandas.notna(), None).to_dict("list") == expected
    assert ranking.to_polars().to_dict(as_series=False) == expected
    assert ranking[:0].to_arrow().num_rows == 0


def test_frames_hold_gains(calibrated, ranking):
    for package in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(package)
    expected = {
        "gain": [0.05, 0.0, -0.02], "low": [0.01, 0.0, -0.06], "high": [0.09, 0.0, 0.02], "helps": [0.97, 0.0, 0.2],
    }  # fmt: skip
    names = list(expected)
    assert calibrated.to_arrow().select(names).to_pydict() == expected
    assert calibrated.to_pandas()[names].to_dict("list") == expected
    assert calibrated.to_polars()[names].to_dict(as_series=False) == expected
    for one in (calibrated, ranking, ranking[:0]):  # of one type, whatever is known
        assert {str(one.to_arrow().schema.field(name).type) for name in names} == {"double"}
        assert {str(one.to_pandas()[name].dtype) for name in names} == {"float64"}
        assert {str(one.to_polars()[name].dtype) for name in names} == {"Float64"}


def test_what_json_does_not_have_is_null():
    hit = Hit(
        "a", "dataset", math.nan, {"rows": 4, "losses": [0.5, math.nan]}, "c", 1, Gain(0.1, -math.inf, math.inf, 0.5),
        {"likeness": math.nan, "prior": 0.5}, {"likeness": math.inf, "prior": 0.25},
    )  # fmt: skip
    (read,) = json.loads(json.dumps(Ranking("t", (hit,), "gain").to_dict(), allow_nan=False))["hits"]
    assert (read["score"], read["gain"]) == (None, {"mean": 0.1, "low": None, "high": None, "helps": 0.5})
    assert (read["signals"], read["parts"]) == ({"likeness": None, "prior": 0.5}, {"likeness": None, "prior": 0.25})
    assert read["provenance"] == {"rows": 4, "losses": [0.5, None]}


@pytest.mark.parametrize(("first", "second", "gap"), [(0, 1, 0.05), (1, 2, 0.02), (0, 2, 0.07), (2, 0, -0.07)])
def test_what_is_explained_adds_up_to_the_gap(calibrated, first, second, gap):
    said = calibrated.explain(first, second)
    assert f"is {gap:+.4f} ahead of" in said
    assert sum(added(said)) == pytest.approx(gap, abs=1e-9)


def test_not_transferring_is_explained_by_the_level(calibrated):
    assert calibrated.explain(0, 1).splitlines() == [
        "'imdb' is +0.0500 ahead of 'do not transfer':",
        "  level: what sources add on average here adds +0.0400 to the predicted gain",
        "  likeness: 0.9 against nothing adds +0.0150 to the predicted gain",
        "  prior: 0.25 against nothing adds -0.0050 to the predicted gain",
        "  the gain of 'do not transfer' is 0 by definition",
    ]
    between_sources = calibrated.explain(0, 2)
    assert "level" not in between_sources
    assert "by definition" not in between_sources
    assert "prior: 0.25 against not known" in between_sources


@pytest.mark.parametrize("package", ["pyarrow", "pandas", "polars"])
def test_a_missing_package_is_named(ranking, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    method = {"pyarrow": "to_arrow", "pandas": "to_pandas", "polars": "to_polars"}[package]
    with pytest.raises(MissingExtra, match=f"{package}.*pip install 'taskspace"):
        getattr(ranking, method)()
