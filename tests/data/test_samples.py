from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

from taskspace.data import sample_tasks
from taskspace.labels import Classes


def index() -> list[dict]:
    return json.loads(files("taskspace.data").joinpath("samples/index.json").read_text("utf-8"))


def test_there_are_enough_tasks_families_and_rows():
    tasks = sample_tasks()
    assert [task.name for task in tasks] == [entry["name"] for entry in index()]
    assert len(tasks) >= 10
    assert len({entry["family"] for entry in index()}) >= 5
    assert {task.name: len(task) for task in tasks if len(task) < 60} == {}
    for task in tasks:
        task.require_learnable()


def test_tasks_are_as_the_index_says():
    for task, entry in zip(sample_tasks(), index(), strict=True):
        assert isinstance(task.labels, Classes)
        assert list(task.label_names) == entry["label_names"]
        assert task.description == entry["description"]
        assert bool(task.inputs.is_pair.all()) == (entry["input"] == "pair"), task.name
        assert bool(task.inputs.is_pair.any()) == (entry["input"] == "pair"), task.name
        counts = Counter(task.labels.codes.tolist())
        assert all(counts[code] >= 5 for code in range(len(task.label_names))), task.name
        assert -1 not in counts, task.name


def test_no_text_stands_twice():
    texts = Counter(
        " ".join(text.casefold().split())
        for task in sample_tasks()
        for row in zip(task.inputs.texts, task.inputs.pairs, strict=True)
        for text in row
        if text is not None
    )
    assert [text for text, n in texts.items() if n > 1] == []
