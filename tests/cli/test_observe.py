"""``observe``, and what ``rank`` makes of it."""

from __future__ import annotations

import shutil

import pytest
from safetensors.numpy import load_file, save_file

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
        (["topic", " ", "0.9"], "the target ' ' of a transfer is no name"),
        (["t.csv", "--baseline", "0"], "no --baseline is taken here, a table has a column for it; leave it out"),
        (["t.csv", "--metric", "f1", "--seed", "0"], "no --metric and no --seed is taken here"),
        (["topic", "mood", "0.9", "--model", "m"], "no --model is taken here, it chooses among the rows of a table"),
    ],
)
def test_what_is_no_transfer_is_one_sentence(taskspace, atlas, write, words, sentence):
    write("t.csv", [{"source": "topic", "target": "mood", "score": 0.9}])
    said = taskspace("observe", *words)
    assert said.code == 2
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    with Atlas(atlas) as store:
        assert store.transfers() == []


def test_a_row_without_a_metric_is_the_same_transfer_in_a_table_and_alone(taskspace, atlas, write):
    write("t.csv", [{"source": "topic", "target": "mood", "score": 0.9}])
    assert taskspace("observe", "t.csv", "--json").document["noted"] == 1
    assert taskspace("observe", "topic", "mood", "0.9", "--json").document == {"read": 1, "noted": 0, "transfers": 1}
    with Atlas(atlas) as store:
        assert [transfer.metric for transfer in store.transfers()] == ["accuracy"]


@pytest.fixture
def observed(atlas, names):
    with Atlas(atlas) as store:
        for t in ("topic", "length"):
            for i, s in enumerate(name for name in names if name != t):
                store.observe(source=s, target=t, score=0.6 + 0.01 * i, baseline=0.6, seed=0)


def test_the_first_is_explained_however_few_are_printed(taskspace, observed):
    whole, cut = taskspace("rank", "mood", "--explain"), taskspace("rank", "mood", "-k", "1", "--explain")
    assert (cut.code, cut.err) == (0, "")
    reasons = whole.out[whole.out.index(" ahead of ") :]
    assert cut.out[cut.out.index(" ahead of ") :] == reasons
    assert [line.split()[0] for line in cut.out.splitlines()[1:3]] == ["1", "score:"]


def test_the_explanation_is_in_the_document(taskspace, observed):
    said = taskspace("rank", "mood", "-k", "1", "--explain", "--json")
    assert (said.code, said.err, len(said.document["hits"])) == (0, "", 1)
    assert said.document["explanation"] in taskspace("rank", "mood", "--explain").out
    assert said.document["explanation"].startswith(repr(said.document["hits"][0]["name"]))
    assert "explanation" not in taskspace("rank", "mood", "--json").document


def test_nothing_that_can_be_run_is_one_sentence(taskspace, atlas):
    by_name = taskspace("rank", "mood", "--run", "2")
    assert (by_name.code, "give the task or its file" in by_name.err) == (2, True)
    by_file = taskspace("rank", "topic.csv", "--run", "2")
    assert (by_file.code, "0 candidates are checkpoints" in by_file.err) == (2, True)


def test_checkpoints_among_the_best_are_run_on_the_target_s_rows(taskspace, atlas, folder, tiny_classifier):
    other = folder / "other"
    shutil.copytree(tiny_classifier, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: tensor + 0.01 for name, tensor in weights.items()}, other / "model.safetensors")
    for model, name in ((tiny_classifier, "tuned"), (other, "other")):
        assert taskspace("embed", "--labeler", f"hub:{model}", "--name", name).code == 0
    said = taskspace("rank", "topic.csv", "--run", "2", "--kind", "model", "--json")
    assert said.code == 0, said.err
    assert any(note.startswith("run on the target's rows: ") for note in said.document["notes"])
    read = {hit["name"]: hit["signals"].get("logme") for hit in said.document["hits"]}
    assert None not in (read.pop("tuned"), read.pop("other"))
    assert set(read.values()) == {None}
    shutil.rmtree(other)
    gone = taskspace("rank", "topic.csv", "--run", "2", "--kind", "model")
    assert gone.code == 2
    assert "'other' was not run" in gone.err
