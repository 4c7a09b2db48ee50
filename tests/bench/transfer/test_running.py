"""A measurement: what a run is, and that stopping, sharing and going on change nothing."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from taskspace.bench.transfer import Cell, Distilled, Records, measure_transfers, tuned_source
from taskspace.bench.transfer.rows import source_rows
from taskspace.bench.transfer.weights import keep_source, model_file
from taskspace.errors import DataError
from taskspace.task import Task
from taskspace.tuning.fine_tuning import FineTuned, fine_tune
from taskspace.tuning.rows import Examples
from taskspace.tuning.splits import k_shot, split


def table(folder):
    with (folder / "transfers.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_cell_is_measured_once_beside_its_baseline(whole, plan):
    rows = table(whole.folder)
    assert {(row["source"], row["target"], int(row["seed"])) for row in rows} == {
        (cell.source, cell.target, cell.seed) for cell in plan.cells()
    }
    assert len(rows) == 14
    without = {(row["target"], row["seed"]): row["score"] for row in rows if row["source"] == "none"}
    assert all(row["baseline"] == without[row["target"], row["seed"]] for row in rows)
    assert {row["metric"] for row in rows} == {"accuracy"}
    assert whole.told[0] == "14 runs"
    assert [line.partition(":")[0] for line in whole.told if " of " in line] == [f"{i} of 14" for i in range(1, 15)]
    assert len([line for line in whole.told if "is tuned" in line]) == 3


def test_a_run_is_what_it_says(whole, plan, data, encoder):
    """Written out: tune on the source, from there on the drawn rows of the target, count right answers."""
    source = fine_tune(encoder, k_shot(data["topic"].train, 24, 0), plan.on_source, seed=0).state()
    for name, start in (("topic", source), ("none", None)):
        tuned = fine_tune(encoder, k_shot(data["trip"].train, 8, 1), plan.on_target, seed=1, start=start)
        test = data["trip"].test
        score = float(np.mean(tuned.logits(test).argmax(axis=1) == test.labels.codes))
        [mine] = [s for cell, s in whole.scores.items() if (cell.source, cell.target, cell.seed) == (name, "trip", 1)]
        assert mine == score


def test_tuned_sources_are_kept_and_open_again(whole, plan, data, encoder):
    path = model_file(whole.folder, "topic")
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask  # what other files of this user have
    weights = tuned_source(whole.folder, "topic")
    expected = fine_tune(encoder, k_shot(data["topic"].train, 24, 0), plan.on_source, seed=0)
    model = FineTuned.of(encoder, weights)
    np.testing.assert_array_equal(model.logits(data["topic"].test), expected.logits(data["topic"].test))
    assert tuned_source(whole.folder, "unheard of") is None
    assert Records(whole.folder / "runs.db").tunings().keys() == {"mood", "topic", "echo"}


@pytest.mark.parametrize("after", [1, 6])
def test_a_stopped_measurement_goes_on_to_the_same_numbers(whole, plan, data, encoder, measure, tmp_path, after):
    told = []

    def stop(line):
        told.append(line)
        if len([line for line in told if " of 14" in line]) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_transfers(plan, data, encoder, tmp_path, tell=stop)
    assert len(table(tmp_path)) == after
    went_on = measure(tmp_path)
    assert went_on.scores == whole.scores
    assert went_on.told[0].startswith(f"14 runs, {after} of them done; ")
    assert measure(tmp_path).told == []  # nothing left


def test_shares_together_are_the_whole(whole, measure, tmp_path):
    first = measure(tmp_path, share=(0, 2))
    assert 0 < len(first.scores) < len(whole.scores)
    assert first.scores.items() <= whole.scores.items()
    assert measure(tmp_path, share=(1, 2)).scores == whole.scores
    assert len(table(tmp_path)) == len(whole.scores)


def test_a_measurement_may_grow(whole, plan, measure, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "grown")
    grown = measure(tmp_path / "grown", replace(plan, sources=("mood", "trip"), targets=("trip", "topic"), seeds=(0,)))
    assert whole.scores.items() <= grown.scores.items()
    assert {(cell.source, cell.target) for cell in grown.scores.keys() - whole.scores.keys()} == {
        ("none", "topic"), ("mood", "topic"), ("trip", "topic"),
    }  # fmt: skip


def test_other_settings_or_rows_are_refused_before_anything_is_run(whole, plan, data, measure, tmp_path, one_sentence):
    shutil.copytree(whole.folder, tmp_path / "copy")
    with pytest.raises(DataError, match="made with shots=8, not 9") as error:
        measure(tmp_path / "copy", replace(plan, shots=9))
    assert one_sentence(error.value)
    fewer = split(data["topic"].train.take(range(30)), data["topic"].test, seed=0, validation=None)
    with pytest.raises(DataError, match="the train rows of 'topic' are others") as error:
        measure(tmp_path / "copy", data=data | {"topic": fewer})
    assert one_sentence(error.value)
    assert Records(tmp_path / "copy" / "runs.db").runs() == Records(whole.folder / "runs.db").runs()


def test_answers_of_a_black_box_are_a_source(whole, plan, data, measure, encoder, tmp_path):
    drawn = k_shot(data["topic"].train, 24, 0)
    unsure = Examples(drawn.inputs, "classes", 0.7 * np.eye(3)[drawn.labels.codes] + 0.1)
    box = Distilled(unsure, "its fingerprint")
    found = measure(tmp_path, replace(plan, sources=("box",), seeds=(0,)), data=data | {"box": box})
    assert {cell.source for cell in found.scores} == {"none", "box"}
    assert {c: s for c, s in found.scores.items() if c.source == "none"}.items() <= whole.scores.items()
    expected = fine_tune(encoder, source_rows(box, 24), plan.on_source, seed=0)
    taught = FineTuned.of(encoder, tuned_source(tmp_path, "box"))
    np.testing.assert_array_equal(taught.logits(data["topic"].test), expected.logits(data["topic"].test))
    other = Distilled(unsure, "another")
    with pytest.raises(DataError, match="the answers of 'box' are others"):
        measure(tmp_path, replace(plan, sources=("box",)), data=data | {"box": other})


def test_numbers_are_scored_by_their_order(data, plan, measure, encoder, tmp_path):
    from scipy.stats import spearmanr

    plan = replace(plan, sources=("degree",), targets=("degree", "mood"), seeds=(0,))
    found = measure(tmp_path, plan)
    metrics = {(row["source"], row["target"]): row["metric"] for row in table(tmp_path)}
    assert metrics == {("none", "degree"): "spearman", ("none", "mood"): "accuracy", ("degree", "mood"): "accuracy"}
    tuned = fine_tune(encoder, k_shot(data["degree"].train, 8, 0), plan.on_target, seed=0)
    test = data["degree"].test
    expected = spearmanr(tuned.logits(test)[:, 0], test.labels.values).statistic
    assert found.scores[Cell("none", "degree", 0)] == pytest.approx(expected)


def test_a_name_that_no_file_can_have(data, plan, measure, tmp_path):
    plan = replace(plan, sources=("a/b: c",), targets=("trip",), seeds=(0,))
    odd = measure(tmp_path, plan, data=data | {"a/b: c": data["mood"]})
    assert {cell.source for cell in odd.scores} == {"none", "a/b: c"}
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["a%2Fb%3A%20c.safetensors"]


def test_damaged_weights_are_told(whole, plan, measure, tmp_path, one_sentence):
    shutil.copytree(whole.folder, tmp_path / "copy")
    path = model_file(tmp_path / "copy", "topic")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="does not hold weights") as error:
        measure(tmp_path / "copy", replace(plan, seeds=(2,)))
    assert one_sentence(error.value)


def test_weights_that_were_made_otherwise_are_not_used(whole, plan, data, measure, tmp_path, one_sentence):
    """A folder whose runs were deleted, and whose models were not; files that do not say how they were made count."""
    shutil.copytree(whole.folder / "models", tmp_path / "models")
    with pytest.raises(DataError, match=r"mood.safetensors was tuned .* in another way") as error:
        measure(tmp_path, replace(plan, on_source=replace(plan.on_source, epochs=2)))
    assert one_sentence(error.value)
    (tmp_path / "runs.db").unlink()
    again = measure(tmp_path)
    assert again.scores == whole.scores
    assert not any("is tuned" in line for line in again.told)
    older = tmp_path / "older"
    for name in plan.sources:
        keep_source(older, name, dict(tuned_source(whole.folder, name)), {})
        path = model_file(older, name)
        path.write_bytes(save(load(path.read_bytes())))  # says nothing of itself
    assert measure(older).scores == whole.scores


def test_a_target_that_cannot_be_learned_is_told_at_once(data, plan, measure, tmp_path, one_sentence):
    rows = Task([f"text {i}" for i in range(20)], ["x"] * 20)
    dull = split(rows, seed=0, validation=None)
    with pytest.raises(DataError, match="says the same of all its") as error:
        measure(tmp_path, replace(plan, targets=("dull",)), data=data | {"dull": dull})
    assert one_sentence(error.value)
    assert not any(tmp_path.iterdir())
