"""``taskspace bench tpv`` on a microscopic encoder, and groups of verbs."""

from __future__ import annotations

import shutil

import pytest

from taskspace.prompting.study import read_runs


@pytest.fixture
def data(folder, tiny_encoder, write, rows_of, make_tasks):
    shutil.copytree(tiny_encoder, folder / "model")
    for split, seed in (("train", 0), ("test", 1)):
        rows = rows_of(make_tasks(rows=60, seed=seed)["mood"])
        for name, opening in (("mood", ""), ("calm", "it is "), ("loud", "very very ")):
            (folder / "data" / name).mkdir(parents=True, exist_ok=True)
            write(folder / "data" / name / f"{split}.jsonl", [row | {"text": opening + row["text"]} for row in rows])
    return folder


def test_a_study_is_run_and_reported(taskspace, data):
    pytest.importorskip("matplotlib")
    words = (
        "--data", "data", "--sources", "mood,calm", "--targets", "loud=mood+calm", "--out", "study", "--model", "model",
        "--inits", "2", "--length", "2", "--steps", "4", "--few-steps", "2", "--batch", "4", "--max-length", "16",
        "--parts", "sources,mixed", "--validation", "10", "--test", "10",
    )  # fmt: skip
    said = taskspace("bench", "tpv", *words, "--json")
    assert said.code == 0, said.err
    assert said.document["report"] == "study/report.md"
    claims = {claim["claim"]: claim["verdict"] for claim in said.document["claims"]}
    assert len(claims) > 2
    assert "not enough runs" in claims.values()  # of what was not run
    assert {run.part for run in read_runs(data / "study" / "runs.jsonl")} == {"sources", "mixed"}
    again = taskspace("bench", "tpv", *words)
    assert again.err == ""  # nothing left to do
    assert again.out.strip() == (data / "study" / "report.md").read_text().strip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--targets", "loud"], "does not name two sources"),
        (["--targets", "loud=mood+song"], "'song'"),
        (["--shots", "few"], "'few' is not a number of shots"),
        (["--sources", "moody,mood,calm"], "moody"),
        (["--methods", "tpw"], "'tpw'"),
    ],
)
def test_mistakes_are_one_sentence(taskspace, data, one_sentence, words, told):
    usual = {
        "--data": "data",
        "--sources": "mood,calm",
        "--targets": "loud=mood+calm",
        "--out": "x",
        "--model": "model",
    }
    said = taskspace("bench", "tpv", *[word for pair in usual.items() for word in pair], *words)
    assert said.code == 2
    assert told in said.sentence
    assert one_sentence(said.sentence)


@pytest.mark.parametrize(("word", "verbs"), [("prompt", "tune combine eval rank import export"), ("bench", "tpv")])
def test_a_word_alone_prints_its_verbs(taskspace, word, verbs):
    said = taskspace(word)
    assert (said.code, said.err) == (0, "")
    assert all(verb in said.out for verb in verbs.split())
    assert "see taskspace" in taskspace(word, "nothing").sentence
