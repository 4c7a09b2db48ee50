"""``taskspace bench rank`` on the toy ground truth."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from taskspace.cli.bench.rank import rank
from taskspace.errors import DataError, SettingError


def test_a_folder_is_scored_and_reported(toy, tiny_encoder, shared_home, tmp_path, capsys):
    words = "answer:models,answer:data,logme,esm,response,prior,random"
    given = {"data": toy.data, "model": str(tiny_encoder), "max_length": 128, "learners": "response", "signals": words}
    rank(toy.truth, tmp_path / "out", **given, picture=False, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["targets"] == ["feeling", "mood", "sky"] or set(said["targets"]) == {"feeling", "mood", "sky"}
    assert {each["method"] for each in said["methods"]} == {*words.split(","), "chance", "seed ceiling"}
    assert all(each["known"] == 1 for each in said["methods"])
    rank(toy.truth, tmp_path / "out", **given, picture=False)
    spoken = capsys.readouterr()
    assert spoken.out.strip() == (tmp_path / "out" / "leaderboard.md").read_text().strip()
    assert "embedded" not in spoken.err
    assert "features:" not in spoken.err


def test_a_table_alone_gives_the_prior(toy, tmp_path, capsys):
    rank(toy.truth / "transfers.csv", tmp_path / "out", signals="prior,random", picture=False, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert [each["method"] for each in said["methods"]][-2:] == ["seed ceiling", "chance"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "leaderboard.csv", "leaderboard.md", "leaderboard.json", "leaderboard_by_target.csv"
    }  # fmt: skip


def test_mistakes_are_told_before_anything_is_computed(toy, tiny_encoder, tmp_path):
    with pytest.raises(SettingError, match="'priors'"):
        rank(toy.truth, tmp_path / "out", signals="priors")
    with pytest.raises(DataError, match="another model"):
        rank(toy.truth, tmp_path / "out", data=toy.data, model=str(tiny_encoder), max_length=16)
    with pytest.raises(DataError, match="no ground truth"):
        rank(tmp_path / "nowhere", tmp_path / "out")
