"""What the benchmarks share: where the real tasks are, bag-of-words models, and how results are written."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from taskspace import Pool, Task, labelers

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DATA = HERE.parent.parent / "shared" / "data"


def single_text_tasks(data: Path) -> list[str]:
    """Names of the tasks with one text per row, sorted."""
    index = json.loads((data / "tasks" / "index.json").read_text())["tasks"]
    return sorted(task["name"] for task in index if task["input"] == "single")


def unlabelled(data: Path) -> Pool:
    return Pool.from_file(data / "unlabeled.jsonl.gz")


def draw(pool: Pool, size: int, seed: int) -> Pool:
    rows = np.random.default_rng(seed).permutation(len(pool))[:size]
    return Pool([pool.inputs.texts[i] for i in rows])


def bag_of_words(task: Task):
    """TF-IDF of words and word pairs with logistic regression, fitted on all rows of the task."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    return model.fit(task.inputs.texts, [task.label_names[code] for code in task.labels.codes])


def recorded(name: str, answers: dict[str, np.ndarray | str]) -> labelers.Labeler:
    """A labeler that repeats answers given earlier, so that the model's own time is not measured."""
    return labelers.from_callable(
        lambda texts: [answers[text] for text in texts], name=name, batch_size=100_000, version="recorded"
    )


def machine() -> dict[str, str | int | None]:
    packages = {name: version(name) for name in ("taskspace", "torch", "transformers", "numpy", "scikit-learn")}
    return {"python": platform.python_version(), "cores": os.cpu_count(), **packages}


def write(name: str, result: dict) -> None:
    """The result beside the command that made it."""
    RESULTS.mkdir(exist_ok=True)
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    text = json.dumps({"command": command, "machine": machine(), **result}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
