"""A table that was made up, and a toy ground truth that was measured on the microscopic encoder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from taskspace.bench.rank import Embedded, GroundTruth
from taskspace.ranking.history import Transfers
from taskspace.ranking.signals import Source

if TYPE_CHECKING:
    from pathlib import Path

SOURCES, TARGETS = ("a", "b", "c", "d", "e"), ("p", "q", "r", "s", "e")
BLOCKS = (("all", 3),)


@pytest.fixture(scope="session")
def transfers():
    """Five sources, five targets of which one is a source too, two runs; ``d`` was not tried on ``q``."""
    rng = np.random.default_rng(0)
    base = np.array([0.5, 0.6, 0.4, 0.7, 0.5])
    gains = rng.normal(scale=0.1, size=(5, 5))
    scores = (base + gains)[..., None] + rng.normal(scale=0.01, size=(5, 5, 2))
    scores[3, 1] = np.nan
    scores[0, 2, 1] = np.nan
    return Transfers(SOURCES, TARGETS, scores, np.stack([base, base + 0.02], axis=1), "accuracy")


@pytest.fixture(scope="session")
def vectors():
    rng = np.random.default_rng(1)
    as_source = {name: rng.normal(size=3).astype(np.float32) for name in SOURCES}
    as_target = {name: rng.normal(size=3).astype(np.float32) for name in TARGETS}
    return Embedded(as_source, as_target, BLOCKS)


@pytest.fixture(scope="session")
def ground(transfers, vectors):
    known = {name: Source(name, rows=10 * row) for row, name in enumerate(SOURCES, 1)}
    return GroundTruth(transfers=transfers, sources=known, vectors={"response": vectors})


@dataclass(frozen=True)
class Toy:
    """Task folders, and what was measured on them."""

    data: Path
    truth: Path
    out: Path


@pytest.fixture(scope="session")
def toy_plan():
    pytest.importorskip("torch")
    from taskspace.bench.transfer import Plan
    from taskspace.tuning.fine_tuning import FineTuning

    return Plan(
        sources=("mood", "topic", "echo", "trip"), targets=("sky", "feeling", "mood"), seeds=(0, 1), shots=12,
        source_rows=24, test_rows=20, on_source=FineTuning(epochs=1, rate=1e-3, head_rate=1e-2, batch=8),
        on_target=FineTuning(epochs=1, rate=1e-2, head_rate=1e-1, batch=4),
    )  # fmt: skip


@pytest.fixture(scope="session")
def toy(tmp_path_factory, make_tasks, encoder, toy_plan):
    from taskspace.bench.transfer import measure_transfers
    from taskspace.bench.transfer.reading import read_splits

    folder = tmp_path_factory.mktemp("toy")
    like = {"mood": "mood", "topic": "topic", "echo": "echo", "trip": "trip", "sky": "topic", "feeling": "mood"}
    for seed, (name, kind) in enumerate(like.items()):
        for split, more in (("train", 0), ("test", 50)):
            task = make_tasks(rows=30, seed=seed + more)[kind]
            rows = zip(task.texts, task.text_pairs, task.labels.codes, strict=True)
            lines = [json.dumps({"text": t, "text_pair": p, "label": task.label_names[c]}) for t, p, c in rows]
            (folder / "tasks" / name).mkdir(parents=True, exist_ok=True)
            (folder / "tasks" / name / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    splits = {name: read_splits(folder / "tasks" / name, name, test_rows=20) for name in like}
    measure_transfers(toy_plan, splits, encoder, folder / "truth")
    return Toy(folder / "tasks", folder / "truth", folder / "out")


@pytest.fixture(scope="session")
def opened(toy, encoder):
    """The toy ground truth with vectors, features and maps."""
    from taskspace.bench.rank import Opening, read_truth, rows_of

    transfers, settings = read_truth(toy.truth, toy.out)
    return Opening(
        transfers=transfers, tasks=rows_of(toy.data, settings), surrogate=encoder, out=toy.out, truth=toy.truth,
        learners=("response", "text"), settings={"response": {"components": 8}},
    ).open()  # fmt: skip
