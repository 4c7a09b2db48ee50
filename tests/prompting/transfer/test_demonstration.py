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
    train(engine, [Job(examples, seed=row) for row in range(len(bank))], replace(RECIPE, steps=150))
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
    assert np.mean([_accuracy(tuned.starts, rows[name]) for name in NAMES]) < 0.55
    for name in NAMES:
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
        assert _accuracy(bank, rows).mean() > 0.85
        assert _accuracy(bank, rows).mean() > _accuracy(tuned.starts, rows).mean() + 0.05
        # A prompt for one task gives the other's answers no weight; the sum does.
        assert _trust(tuned.alone[other], whole).mean() < 0.05
        assert _trust(bank, whole).mean() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_negation_unlearns_one_task_and_keeps_the_other(taught, tuned, name):
    other = NAMES[1 - NAMES.index(name)]
    seen = []
    for prompt, single in zip(tuned.further[name].prompts, tuned.alone[name].prompts, strict=True):
        found = forget(
            taught.backbone, prompt, single.vector, forgotten=taught.tasks[name].validation,
            kept=taught.tasks[other].validation, scales=tuple(0.125 * step for step in range(17)), metric="accuracy",
            verbaliser=taught.wording, max_length=32,
        )  # fmt: skip
        assert found.chosen is not None
        bank = tuned.starts.holding([prompt, single.vector.apply(prompt, -found.chosen)])
        accuracy = [_accuracy(bank, taught.tasks[task].test) for task in (name, other)]
        trust = [_trust(bank, taught.among_all[task].test) for task in (name, other)]
        seen.append([accuracy, trust])
    # [forgotten, kept] by [before, after], the mean over the inits
    accuracy, trust = np.mean(seen, axis=0)
    assert accuracy[0, 1] < accuracy[0, 0] - 0.1
    assert accuracy[1, 1] > 0.9 * accuracy[1, 0]
    assert trust[0, 1] < 0.65 * trust[0, 0]
    assert trust[1, 1] > 0.8 * trust[1, 0]
