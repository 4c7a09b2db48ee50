from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.prompting.bank import PromptBank
from taskspace.prompting.transfer import GRID, search_scale, search_scales
from taskspace.task import Task


@pytest.fixture(scope="module", params=["tiny_encoder", "tiny_t5", "tiny_decoder"])
def backbone(request):
    from taskspace.tuning.backbones import load_backbone

    return load_backbone(request.getfixturevalue(request.param))


def test_the_grid_is_that_of_the_paper():
    assert tuple(i / 20 for i in range(21)) == GRID


def test_the_grid_as_one_bank_is_the_loop_over_it(backbone, prompts_on, small_tasks):
    (init, prompt) = prompts_on(backbone, 1)
    mood, trip = (small_tasks[name].take(range(10)) for name in ("mood", "trip"))
    grid = (0.0, 0.3, 1.0, 2.0)
    found = search_scale(backbone, init, prompt.vector, [mood, trip], grid=grid, first_rows=0, metric="accuracy")
    loop = [
        [
            PromptBank(backbone, [prompt.vector.apply(init, scale)]).evaluate(task, metric="accuracy")[0]
            for task in (mood, trip)
        ]
        for scale in grid
    ]
    np.testing.assert_allclose(found.scores, loop)
    assert found.best == grid[int(np.argmax(np.mean(loop, axis=1)))]
    together = PromptBank(backbone, [prompt.vector.apply(init, scale) for scale in grid]).scores(mood)
    for scale, scores in zip(grid, together, strict=True):
        single = PromptBank(backbone, [prompt.vector.apply(init, scale)]).scores(mood)[0]
        np.testing.assert_allclose(scores, single, atol=1e-5)


class Judge:
    """Stands for a backbone: what a scale scores on so many rows is said beforehand."""

    def __init__(self, monkeypatch, score):
        self.asked = []

        def evaluate(bank, task, *, metric=None, max_tokens=32):
            scales = [float(prompt.provenance["scale"]) for prompt in bank.prompts]
            self.asked.append((scales, task.inputs.texts))
            return np.array([score(scale, task) for scale in scales])

        monkeypatch.setattr(PromptBank, "evaluate", evaluate)


def _rows(n):
    return Task([f"text {i}" for i in range(n)], ["a", "b"] * (n // 2), name="rows")


def test_the_better_half_goes_on_to_twice_as_many_rows(monkeypatch, tiny_backbone, prompts_on):
    init, prompt = prompts_on(tiny_backbone, 1)
    judge = Judge(monkeypatch, lambda scale, task: -abs(scale - 0.6))
    found = search_scale(
        tiny_backbone, init, prompt.vector, [_rows(40)], grid=(0, 0.2, 0.4, 0.6, 0.8, 1.0), first_rows=10
    )
    assert [(scales, len(texts)) for scales, texts in judge.asked] == [
        ([0, 0.2, 0.4, 0.6, 0.8, 1.0], 10), ([0.4, 0.6, 0.8], 20), ([0.4, 0.6], 40),
    ]  # fmt: skip
    assert (found.best, found.rows) == (0.6, 40)
    assert np.isnan(found.scores[:, 0]).tolist() == [True, True, False, False, True, True]


def test_first_rows_are_spread_over_a_task_that_is_sorted_by_class(monkeypatch, tiny_backbone, prompts_on):
    init, prompt = prompts_on(tiny_backbone, 1)
    judge = Judge(monkeypatch, lambda scale, task: len(set(task.stated_labels.codes)) + scale)
    by_class = Task([f"text {i}" for i in range(30)], ["a"] * 15 + ["b"] * 15, name="rows")
    found = search_scale(tiny_backbone, init, prompt.vector, [by_class], grid=(0.0, 1.0), first_rows=4)
    assert judge.asked[0][1] == ("text 0", "text 7", "text 15", "text 22")
    assert found.scores[1, 0] == 3.0


def test_of_equal_scales_the_smallest_is_taken_in_any_order_of_the_grid(monkeypatch, tiny_backbone, prompts_on):
    init, prompt = prompts_on(tiny_backbone, 1)
    Judge(monkeypatch, lambda scale, task: 0.5)
    for first_rows in (0, 4):
        found = search_scale(
            tiny_backbone, init, prompt.vector, [_rows(20)], grid=(1.0, 0.25, 0.5), first_rows=first_rows
        )
        assert found.best == 0.25


def test_each_vector_finds_a_scale_of_its_own(monkeypatch, tiny_backbone, prompts_on):
    init, one, two = prompts_on(tiny_backbone, 2)

    def score(bank, task, *, metric=None, max_tokens=32):
        # How near a prompt lies to init + 0.5 one + 2 two.
        aim = init.tokens + 0.5 * one.vector.values + 2.0 * two.vector.values
        return np.array([-np.linalg.norm(prompt.tokens - aim) for prompt in bank.prompts])

    monkeypatch.setattr(PromptBank, "evaluate", score)
    grid = (0.0, 0.5, 1.0, 2.0)
    found = search_scales(tiny_backbone, init, [one.vector, two.vector], [_rows(8)], grid=grid, rounds=3)
    assert found == (0.5, 2.0)


def test_nothing_to_search_is_refused(tiny_backbone, prompts_on, one_sentence):
    init, prompt = prompts_on(tiny_backbone, 1)
    for tasks, grid in (([], (1.0,)), ([_rows(4)], ())):
        with pytest.raises(SettingError, match="nothing to search") as error:
            search_scale(tiny_backbone, init, prompt.vector, tasks, grid=grid)
        assert one_sentence(error.value)
