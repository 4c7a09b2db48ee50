"""On models that really know two tasks: prompts learn one, sums serve both, and negation unlearns."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from taskspace.prompting.bank import PromptBank
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.transfer import forget, search_scale
from taskspace.tuning.evaluation import worded
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.training import Job, train

RECIPE = Recipe(steps=60, batch=16, rate=0.05, warmup=5, check=60, max_length=32)
NAMES = ("mood", "topic")


@pytest.fixture(scope="module")
def tuned(taught):
    """Banks of three inits: as they are, tuned on each task, and those tuned further on both tasks at once."""
    starts = PromptBank(taught.backbone, taught.starts, verbaliser=taught.wording, max_length=32)
    alone = {name: starts.tune([taught.tasks[name].train] * len(starts), RECIPE) for name in NAMES}
    both = tuple(worded(taught.backbone, taught.tasks[name].train, taught.wording) for name in NAMES)
    further = {name: _further(bank, both) for name, bank in alone.items()}
    return SimpleNamespace(starts=starts, alone=alone, further=further)


def _further(bank, examples):
    engine = bank.engine()
    train(engine, [Job(examples, seed=row) for row in range(len(bank))], replace(RECIPE, rate=0.02))
    return bank.holding([SoftPrompt(engine.state(row)["tokens"], bank.backbone.identity) for row in range(len(bank))])


def _accuracy(bank, task):
    """float64[K]: among the answers of the task alone."""
    return bank.evaluate(task, metric="accuracy")


def _trust(bank, task):
    """float64[K]: mean probability of the right answer among the four of both tasks."""
    scores = bank.scores(task).astype(np.float64)
    shares = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    return shares[:, np.arange(len(task)), task.stated_labels.codes].mean(1)


def test_prompts_learn_which_question_is_asked(taught, tuned):
    # Among the answers of both tasks, chance is 1/4, and 1/2 for who knows all classes but not what is asked.
    rows = {name: taught.among_all[name].test for name in NAMES}
    assert np.mean([_accuracy(tuned.starts, rows[name]) for name in NAMES]) < 0.5
    for name in NAMES:
        print(taught.kind, name, _accuracy(tuned.starts, rows[name]), _accuracy(tuned.alone[name], rows[name]))
        assert _accuracy(tuned.alone[name], rows[name]).min() > 0.9


def test_sums_of_two_vectors_serve_both_tasks(taught, tuned):
    held = [taught.tasks[name].validation for name in NAMES]
    sums = []
    for start, *prompts in zip(taught.starts, *(tuned.alone[name].prompts for name in NAMES), strict=True):
        vector = prompts[0].vector + prompts[1].vector
        found = search_scale(
            taught.backbone, start, vector, held, metric="accuracy", verbaliser=taught.wording, max_length=32
        )
        assert found.best > 0
        sums.append(vector.apply(start, found.best))
    bank = tuned.starts.holding(sums)
    for name, other in (NAMES, NAMES[::-1]):
        rows, whole = taught.tasks[name].test, taught.among_all[name].test
        print(taught.kind, name, "acc sum", _accuracy(bank, rows), "init", _accuracy(tuned.starts, rows), "other", _accuracy(tuned.alone[other], rows))
        print(taught.kind, name, "trust sum", _trust(bank, whole), "init", _trust(tuned.starts, whole), "other", _trust(tuned.alone[other], whole))


@pytest.mark.parametrize("name", NAMES)
def test_negation_unlearns_one_task_and_keeps_the_other(taught, tuned, name):
    other = NAMES[1 - NAMES.index(name)]
    grid = tuple(0.125 * step for step in range(17))
    for prompt, single in zip(tuned.further[name].prompts, tuned.alone[name].prompts, strict=True):
        found = forget(
            taught.backbone, prompt, single.vector, forgotten=taught.tasks[name].validation,
            kept=taught.tasks[other].validation, scales=grid, metric="accuracy", verbaliser=taught.wording,
            max_length=32,
        )  # fmt: skip
        print(found.forgotten.round(2), found.kept.round(2))
        bank = tuned.starts.holding([prompt, single.vector.apply(prompt, -(found.chosen or 0))])
        scores = np.array([_accuracy(bank, taught.tasks[task].test) for task in (name, other)])
        print(taught.kind, name, found.chosen, scores.tolist(), [_trust(bank, taught.among_all[task].test).round(2).tolist() for task in (name, other)])
