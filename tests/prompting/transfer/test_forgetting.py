from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.prompting.bank import PromptBank
from taskspace.prompting.transfer import forget


def _scored(monkeypatch, tables):
    """Scores by task and scale, said beforehand."""

    def evaluate(bank, task, *, metric=None, max_tokens=32):
        return np.array([tables[task.name][-float(prompt.provenance["scale"])] for prompt in bank.prompts])

    monkeypatch.setattr(PromptBank, "evaluate", evaluate)


def test_the_scale_that_forgets_most_among_those_that_keep_enough(monkeypatch, tiny_backbone, prompts_on, small_tasks):
    _, prompt = prompts_on(tiny_backbone, 1)
    forgotten, kept = small_tasks["mood"], small_tasks["trip"]
    _scored(monkeypatch, {
        "mood": {0.0: 0.9, 0.5: 0.7, 1.0: 0.4, 1.5: 0.1}, "trip": {0.0: 0.8, 0.5: 0.79, 1.0: 0.77, 1.5: 0.7},
    })  # fmt: skip
    found = forget(tiny_backbone, prompt, prompt.vector, forgotten=forgotten, kept=kept, scales=(1.5, 0.5, 1.0))
    assert found.scales == (0.0, 0.5, 1.0, 1.5)
    assert found.chosen == 1.0  # at 1.5 less than 95 % of 0.8 are left
    assert found.forgotten.tolist() == [0.9, 0.7, 0.4, 0.1]
    strict = forget(
        tiny_backbone, prompt, prompt.vector, forgotten=forgotten, kept=kept, scales=(0.5, 1.0), kept_share=1.0
    )
    assert strict.chosen is None


def test_all_scales_as_one_bank_are_the_prompts_less_their_vector(tiny_backbone, prompts_on, small_tasks):
    _, prompt, other = prompts_on(tiny_backbone, 2)
    found = forget(
        tiny_backbone, prompt, other.vector, forgotten=small_tasks["mood"], kept=small_tasks["trip"],
        scales=(0.5, 2.0), metric="accuracy",
    )  # fmt: skip
    for place, scale in enumerate((0.0, 0.5, 2.0)):
        by_hand = prompt.tokens - scale * other.vector.values.astype(np.float64)
        bank = PromptBank(tiny_backbone, [type(prompt)(by_hand, tiny_backbone.identity)])
        assert found.forgotten[place] == bank.evaluate(small_tasks["mood"], metric="accuracy")[0]
        assert found.kept[place] == bank.evaluate(small_tasks["trip"], metric="accuracy")[0]


def test_adding_is_not_forgetting(tiny_backbone, prompts_on, small_tasks, one_sentence):
    _, prompt = prompts_on(tiny_backbone, 1)
    with pytest.raises(SettingError, match="-0.5 would add") as error:
        forget(
            tiny_backbone, prompt, prompt.vector, forgotten=small_tasks["mood"], kept=small_tasks["trip"],
            scales=(-0.5, 1.0),
        )  # fmt: skip
    assert one_sentence(error.value)
