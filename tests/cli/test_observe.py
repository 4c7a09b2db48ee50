"""``observe``, and what ``rank`` makes of it."""

from __future__ import annotations

import pytest

from taskspace import Atlas


@pytest.fixture
def names(atlas):
    with Atlas(atlas) as store:
        return [entry.name for entry in store.entries()]


def test_one_transfer_is_noted_once(taskspace, atlas):
    said = taskspace("observe", "topic", "mood", "0.91", "--baseline", "0.88", "--json")
    assert (said.code, said.document) == (0, {"read": 1, "noted": 1, "transfers": 1})
    again = taskspace("observe", "topic", "mood", "0.91", "--baseline", "0.88")
    assert again.out.strip() == "noted 0 of 1 transfers; the atlas has 1"
    with Atlas(atlas) as store:
        (kept,) = store.transfers()
    assert (kept.source, kept.target, kept.score, kept.baseline, kept.metric) == (
        "topic",
        "mood",
        0.91,
        0.88,
        "accuracy",
    )


def test_a_table_is_noted_whole_and_ranking_then_predicts_gains(taskspace, names, write):
    rows = [
        {"source": s, "target": t, "score": 0.6 + 0.01 * i, "baseline": 0.6, "seed": 0, "metric": "accuracy"}
        for t in ("topic", "length")
        for i, s in enumerate(name for name in names if name != t)
    ]
    write("transfers.csv", rows)
    assert taskspace("observe", "transfers.csv").out.startswith(f"noted {len(rows)} of {len(rows)}")
    said = taskspace("rank", "mood", "--json")
    assert said.document["calibrated"] is True
    assert "do not transfer" in {hit["name"] for hit in said.document["hits"]}
    assert all(hit["gain"]["low"] <= hit["gain"]["mean"] <= hit["gain"]["high"] for hit in said.document["hits"])
    printed = taskspace("rank", "mood", "--explain").out.splitlines()
    assert printed[0] == "predicted for 'mood'"
    assert "helps" in printed[1] or "do not transfer" in printed[1]
    assert any(line.endswith(":") and " ahead of " in line for line in printed)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["topic", "mood"], "2 words do not say what was measured"),
        (["topic", "mood", "good"], "the score 'good' is not a number"),
        (["gone.csv"], "gone.csv"),
        (["topic", "mood", "nan"], "give a finite number"),
    ],
)
def test_what_is_no_transfer_is_one_sentence(taskspace, atlas, words, sentence):
    said = taskspace("observe", *words)
    assert said.code == 2
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    with Atlas(atlas) as store:
        assert store.transfers() == []


def test_nothing_that_can_be_run_is_one_sentence(taskspace, atlas):
    by_name = taskspace("rank", "mood", "--run", "2")
    assert (by_name.code, "give the task or its file" in by_name.err) == (2, True)
    by_file = taskspace("rank", "topic.csv", "--run", "2")
    assert (by_file.code, "no candidate is a checkpoint" in by_file.err) == (2, True)


def test_a_checkpoint_among_the_best_is_run_on_the_target_s_rows(taskspace, atlas, tiny_classifier):
    assert taskspace("embed", "--labeler", f"hub:{tiny_classifier}", "--name", "tuned").code == 0
    said = taskspace("rank", "topic.csv", "--run", "1", "--kind", "model", "--json")
    assert said.code == 0, said.err
    assert "run on the target's rows: tuned" in said.document["notes"]
    read = {hit["name"]: hit["signals"].get("logme") for hit in said.document["hits"]}
    assert read.pop("tuned") is not None
    assert set(read.values()) == {None}
