"""Microscopic tasks in folders, tuned sources beside them, and a truth that was made up."""

from __future__ import annotations

import json
import random

import pytest

from taskspace.bench.fute.plan import Plan

SOURCES, TARGETS = ("mood", "topic", "trip", "echo"), ("feeling", "sky", "twin")
SMALL = {
    "source_rows": 30, "fitted_rows": 40, "shots": 20, "pool_size": 60, "pair_share": 0.3, "sizes": (20, 40),
    "domain_size": 20, "counts": (4, 8), "t5_steps": 2,
}  # fmt: skip
LEARNERS = {
    "fisher": {"rows": 8}, "tuned:prompt": {"steps": 2, "batch": 2, "length": 2}, "response": {"components": 12},
    "text": {},
}  # fmt: skip
TRUTH = {  # by target, in the order of SOURCES
    "feeling": (0.9, 0.5, 0.6, 0.4), "sky": (0.5, 0.9, 0.8, 0.4), "twin": (0.5, 0.6, 0.4, 0.9),
}  # fmt: skip


def _write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def data(tmp_path_factory, make_tasks):
    """``tasks/NAME``, the targets with other rows of a source's task, and ``texts.jsonl`` from three places."""
    folder = tmp_path_factory.mktemp("fute")
    named = {"mood": "mood", "topic": "topic", "trip": "trip", "echo": "echo", "feeling": "mood", "sky": "topic"}
    families = {"mood": "opinion", "feeling": "opinion", "topic": "topic", "sky": "topic", "trip": "topic"}
    for seed, (name, like) in enumerate({**named, "twin": "echo"}.items()):
        task = make_tasks(rows=120, seed=seed)[like]
        rows = zip(task.texts, task.text_pairs, task.labels.codes, strict=True)
        lines = [{"text": t, "text_pair": p, "label": int(code)} for t, p, code in rows]
        _write(folder / "tasks" / name / "train.jsonl", lines)
        card = {"name": name, "label_names": list(task.label_names), "family": families.get(name, "pairs")}
        (folder / "tasks" / name / "task.json").write_text(json.dumps(card))
    pool = [text for seed in (50, 51) for each in make_tasks(rows=40, seed=seed).values() for text in each.texts]
    rng = random.Random(0)
    _write(folder / "texts.jsonl", [{"text": t, "source": rng.choice(["here", "there", "else"])} for t in pool])
    return folder


@pytest.fixture(scope="session")
def models(data, tiny_encoder, encoder):
    """A folder with each source as ``taskspace bench transfer`` keeps it."""
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    from taskspace.bench.fute.tasks import TaskFolders
    from taskspace.tuning.fine_tuning import FineTuning, fine_tune

    (data / "models").mkdir()
    for name in SOURCES:
        tuned = fine_tune(encoder, TaskFolders(data / "tasks").rows(name, 40), FineTuning(epochs=1), seed=0)
        save_file(tuned.state(), data / "models" / f"{name}.safetensors")
    return data


@pytest.fixture(scope="session")
def truth(data):
    """A table as ``taskspace bench transfer`` writes it."""
    lines = ["source,target,seed,metric,score,baseline,seconds"]
    for target, scores in TRUTH.items():
        lines += [f"{s},{target},0,accuracy,{score},0.5,1.0" for s, score in zip(SOURCES, scores, strict=True)]
    (data / "transfers.csv").write_text("\n".join(lines) + "\n")
    return data / "transfers.csv"


@pytest.fixture
def make_study(data, models, encoder, tmp_path, shared_home):
    """``make_study(parts, **plan)``; ``.told`` is what it said."""
    from taskspace.bench.fute.study import Study
    from taskspace.bench.fute.tasks import Corpus, TaskFolders

    def make(*parts, folder=tmp_path / "study", models=models, tell=lambda line: None, **settings):
        plan = Plan(sources=SOURCES, targets=TARGETS, parts=parts, learners=LEARNERS, **(SMALL | settings))
        tasks, corpus = TaskFolders(data / "tasks"), Corpus(data / "texts.jsonl", seed=0)
        return Study(plan, tasks, corpus, encoder, folder, models, tell=tell)

    return make
