"""A hand-made question: three sources, of which the last is known by name only, and two tasks measured before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from taskspace.ranking.estimators import fit_map
from taskspace.ranking.history import Transfers
from taskspace.ranking.signals import Corpus, Question, Source, Vectors
from taskspace.task import Task

ROWS, WIDTH = 12, 4
WORDS = {
    "target": ["good fine rain", "bad dull snow", "great lovely sun"],
    "near": ["good fine wind", "bad dull rain", "great lovely fog"],
    "far": ["soup bread cheese", "apple rice soup", "bread apple rice"],
}


@dataclass(frozen=True, eq=False)
class Fixed:
    """A model that says what was written down."""

    states: np.ndarray
    answers: np.ndarray

    def features(self, inputs):
        assert len(inputs) == len(self.states)
        return self.states

    def probabilities(self, inputs):
        assert len(inputs) == len(self.answers)
        return self.answers


@pytest.fixture(scope="session")
def labels():
    return np.arange(ROWS) % 3


def _corpus(name, seed):
    texts = [f"{WORDS[name][row % 3]} {row}" for row in range(ROWS)]
    task = Task(
        texts, ["one" if row % 3 == 0 else "two" if row % 3 == 1 else "three" for row in range(ROWS)], name=name
    )
    states = np.random.default_rng(seed).normal(size=(ROWS, WIDTH)).astype(np.float32)
    return Corpus(task, lambda: states)


@pytest.fixture(scope="session")
def corpora():
    return {name: _corpus(name, seed) for seed, name in enumerate(WORDS)}


@pytest.fixture(scope="session")
def models(labels):
    rng = np.random.default_rng(3)
    told = rng.normal(size=(ROWS, WIDTH)).astype(np.float32) + np.eye(3, WIDTH, dtype=np.float32)[labels] * 3
    noise = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    knows = np.eye(2)[(labels > 0).astype(int)] * 0.8 + 0.1
    return {"near": Fixed(told, knows), "far": Fixed(noise, rng.dirichlet([1, 1, 1, 1], size=ROWS))}


@pytest.fixture(scope="session")
def maps(corpora):
    rng = np.random.default_rng(4)
    base = rng.normal(size=(20, WIDTH))
    return {name: fit_map(base, base @ rng.normal(size=(WIDTH, WIDTH))) for name in ("near", "far")}


@pytest.fixture(scope="session")
def transfers():
    """Gains of the three sources on two tasks, of which ``unseen`` was tried from one source only on the second."""
    scores = np.array([[0.9, 0.6], [0.7, 0.7], [np.nan, 0.5]])
    return Transfers(("near", "far", "unseen"), ("first", "second"), scores[..., None], np.array([[0.6], [0.5]]))


@pytest.fixture(scope="session")
def vectors():
    """Two blocks of two; the last source has no vector and the second pivot neither."""
    sources = np.array([[3, 4, 1, 0], [0, 1, -1, 2], [np.nan] * 4], dtype=np.float32)
    pivots = np.array([[1, 0, 0, 1], [np.nan] * 4], dtype=np.float32)
    return Vectors(np.array([1, 1, 1, 0], dtype=np.float32), sources, (("a", 2), ("b", 2)), pivots)


@pytest.fixture(scope="session")
def question(corpora, models, maps, transfers, vectors):
    known = [Source(n, corpora[n], model=models[n], space_map=maps[n]) for n in ("near", "far")]
    return Question(
        target="target", sources=(*known, Source("unseen")), corpus=corpora["target"],
        vectors=dict.fromkeys(("response", "text"), vectors), transfers=transfers,
    )  # fmt: skip
