"""A pool of single texts and pairs, small fitted estimators, and a way to run code in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskspace.task import Pool

TEXTS = [
    "a warm bright film",
    "a dull grey film",
    "the train was late",
    "warm soup at last",
    "grey dull rain",
    "late again",
]
PAIRS = [("it rains", "it is wet"), ("he ran", "he sat"), ("she sings", "there is a song"), ("it snows", "it is hot")]


@pytest.fixture
def pool() -> Pool:
    """Ten rows: six single texts with four pairs in between."""
    order = [0, 1, 10, 2, 11, 3, 12, 4, 13, 5]
    rows = [(TEXTS[i], None) if i < 10 else PAIRS[i - 10] for i in order]
    return Pool([text for text, _ in rows], [pair for _, pair in rows])


@pytest.fixture
def single_pool() -> Pool:
    return Pool(TEXTS)


@pytest.fixture
def fitted():
    """``fitted(estimator, labels)``: a pipeline from raw texts."""
    sklearn_pipeline = pytest.importorskip("sklearn.pipeline")
    text = pytest.importorskip("sklearn.feature_extraction.text")

    def fit(estimator, labels=("good", "bad", "other", "good", "bad", "other")):
        return sklearn_pipeline.make_pipeline(text.TfidfVectorizer(), estimator).fit(TEXTS, list(labels))

    return fit


@pytest.fixture
def elsewhere(tmp_path):
    """Run a script in a fresh process with another hash seed, and give what it prints."""

    def run(script: str, *arguments: str, seed: str = "1") -> str:
        file = tmp_path / "elsewhere.py"
        file.write_text(script, encoding="utf-8")
        source = str(Path(__file__).parents[2] / "src")
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": source}
        command = [sys.executable, str(file), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
