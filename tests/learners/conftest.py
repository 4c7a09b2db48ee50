from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taskspace.labels import Answers
from taskspace.learners import Ground, gather


def _of_tuning():
    """The microscopic T5 is made in the conftest of what is tuned on it."""
    spec = importlib.util.spec_from_file_location("of_tuning", Path(__file__).parents[1] / "tuning" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


words, save_t5, tiny_t5 = (getattr(_of_tuning(), name) for name in ("words", "save_t5", "tiny_t5"))


@pytest.fixture(scope="session")
def ground(encoder, mixed_pool):
    return Ground(encoder, mixed_pool, seed=0)


@pytest.fixture(scope="session")
def evidence_of():
    """A task's evidence, as a space gathers it."""
    return lambda task: gather(task.inputs, Answers.from_labels(task.stated_labels))


@pytest.fixture(scope="session")
def soft(tasks):
    """Soft answers to the texts of the topic task, a third of them missing."""
    rng = np.random.default_rng(5)
    task = tasks["topic"]
    values = rng.dirichlet([0.7, 0.7, 0.7], size=len(task)) * 0.4 + Answers.from_labels(task.stated_labels).values * 0.6
    known = rng.random(len(task)) < 0.67
    return gather(task.inputs, Answers(values * known[:, None], known))


@pytest.fixture(scope="session")
def with_seed():
    return lambda ground, seed: replace(ground, seed=seed)
