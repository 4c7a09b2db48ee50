"""From files to questions."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

from taskspace.bench.rank import Opening, TaskRows, near_duplicates, read_truth, require_same_model, rows_of
from taskspace.bench.transfer import Records
from taskspace.bench.transfer.reading import read_splits
from taskspace.errors import DataError
from taskspace.ranking.signals import signals, take
from taskspace.surrogates import load_surrogate
from taskspace.tuning.splits import k_shot


def test_a_folder_is_read_as_far_as_it_has_come_and_a_table_as_it_is(toy, tmp_path, one_sentence):
    found, settings = read_truth(toy.truth, tmp_path / "out")
    assert settings == Records(toy.truth / "runs.db").settings
    assert found.sources == ("echo", "mood", "topic", "trip")
    assert set(found.targets) == {"sky", "feeling", "mood"}
    again, nothing = read_truth(tmp_path / "out" / "transfers.csv", tmp_path)
    assert nothing == {}
    np.testing.assert_array_equal(again.scores, found.scores)
    shutil.copy(tmp_path / "out" / "transfers.csv", tmp_path / "transfers.csv")
    np.testing.assert_array_equal(read_truth(tmp_path, tmp_path)[0].gain, found.gain)
    with pytest.raises(DataError, match="no ground truth at") as error:
        read_truth(tmp_path / "nowhere", tmp_path)
    assert one_sentence(error.value)


def test_rows_are_those_that_were_tuned_on(toy, toy_plan):
    rows = rows_of(toy.data, Records(toy.truth / "runs.db").settings)
    assert (rows.source_rows, rows.target_rows, rows.test_rows) == (24, 12, 20)
    train = read_splits(toy.data / "sky", "sky", test_rows=20).train
    assert rows.target("sky").fingerprint == k_shot(train, 12, seed=0).fingerprint
    assert len(rows.source("topic")) == 24
    assert rows_of(toy.data, {}).target_rows == 128
    assert len(rows_of(toy.data, {}, 10, 8).source("topic")) == 10


def test_a_task_that_is_not_there_is_told_the_nearest(toy, one_sentence):
    with pytest.raises(DataError, match="did you mean 'sky'") as error:
        TaskRows(folder=toy.data).target("skye")
    assert one_sentence(error.value)


def test_shared_texts_are_counted_plainly(toy, tmp_path):
    shutil.copytree(toy.data, tmp_path / "tasks")
    source = (tmp_path / "tasks" / "topic" / "train.jsonl").read_text().splitlines()
    test = (tmp_path / "tasks" / "sky" / "test.jsonl").read_text().splitlines()
    copied = [test[0], *source[1:]]
    (tmp_path / "tasks" / "topic" / "train.jsonl").write_text("\n".join(copied).upper().replace('"TEXT', '"text')
                                                              .replace('"LABEL', '"label').replace("NULL", "null")
                                                              .replace("_PAIR", "_pair") + "\n")  # fmt: skip
    rows = TaskRows(folder=tmp_path / "tasks", source_rows=30, target_rows=12, test_rows=30)
    assert rows.shared("topic", "sky") >= 1 / (12 + 30)
    found = near_duplicates(rows, ("topic", "trip", "distilled"), ("sky",), share=0.001)
    assert [each[:2] for each in found][:1] == [("topic", "sky")]
    assert near_duplicates(rows, ("topic",), ("sky",), share=0.9) == []


def test_everything_can_be_read_of_what_is_opened(opened):
    asked = opened.question("sky")
    assert asked.names == ("echo", "mood", "topic", "trip")
    silent = []
    for name, signal in signals().items():
        try:
            scores = take(signal, asked).scores
        except DataError:
            silent.append(name)
        else:
            assert scores.shape == (4,)
            assert not np.isnan(scores).all()
    learners = {name.partition("+")[0] for name in silent}
    assert learners == {"in_context", "fisher", "tuned:prompt", "tuned:prefix", "tuned:lora", "tuned:bitfit"}


def test_a_second_opening_computes_nothing(toy, encoder, opened, monkeypatch):
    transfers, settings = read_truth(toy.truth, toy.out)
    monkeypatch.setattr(type(encoder), "last_states", lambda *_: pytest.fail("it was there"))
    told = []
    again = Opening(
        transfers=transfers, tasks=rows_of(toy.data, settings), surrogate=encoder, out=toy.out, truth=toy.truth,
        learners=("response", "text"), settings={"response": {"components": 8}}, tell=told.append,
    ).open()  # fmt: skip
    assert told == []
    view, before = (each.question("sky").vectors["response"] for each in (again, opened))
    np.testing.assert_array_equal(view.sources, before.sources)


def test_a_task_as_a_source_and_as_a_target_has_other_rows(opened):
    view = opened.vectors["response"]
    assert not np.allclose(view.sources["mood"], view.targets["mood"])


def test_a_source_without_rows_can_still_be_run(toy, encoder, tmp_path):
    shutil.copytree(toy.data, tmp_path / "tasks")
    shutil.rmtree(tmp_path / "tasks" / "trip")
    transfers, settings = read_truth(toy.truth, tmp_path / "out")
    ground = Opening(
        transfers=transfers, tasks=rows_of(tmp_path / "tasks", settings), surrogate=encoder, out=tmp_path / "out",
        truth=toy.truth, learners=("text",),
    ).open()  # fmt: skip
    asked = ground.question("sky")
    at = asked.names.index("trip")
    known = {name: ~np.isnan(take(signals()[name], asked).scores) for name in ("logme", "text", "esm", "mmd")}
    assert known["logme"].all()
    assert all(not known[name][at] and known[name].sum() == 3 for name in ("text", "esm", "mmd"))


def test_another_model_than_was_tuned_is_refused(toy, encoder, tiny_encoder, one_sentence):
    settings = Records(toy.truth / "runs.db").settings
    require_same_model(encoder, settings)
    require_same_model(encoder, {})
    with pytest.raises(DataError, match="16 tokens") as error:
        require_same_model(load_surrogate(tiny_encoder, max_length=16, cache=False), settings)
    assert one_sentence(error.value)


def test_half_a_truth_is_read_too(toy, tmp_path):
    with (toy.truth / "transfers.csv").open() as file:
        lines = list(csv.reader(file))
    part = [lines[0], *[line for line in lines[1:] if line[2] == "0" or line[0] in ("none", "echo")]]
    (tmp_path / "part.csv").write_text("\n".join(",".join(line) for line in part) + "\n")
    found, _ = read_truth(tmp_path / "part.csv", tmp_path)
    assert np.isnan(found.scores[found.sources.index("topic"), :, 1]).all()
    assert not np.isnan(found.gain[found.sources.index("topic"), found.targets.index("sky")])
