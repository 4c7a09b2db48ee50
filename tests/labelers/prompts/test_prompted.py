from dataclasses import dataclass, replace

import numpy as np
import pytest

from taskspace.errors import TaskspaceWarning
from taskspace.labelers import Labeler
from taskspace.labelers.prompts import Prompt, PromptModel, Reading, from_prompt
from taskspace.labelers.store import AnswerStore
from taskspace.task import Inputs, Pool

PROMPT = Prompt("mood", "{text}?", {"good": ("fine", "great"), "bad": ("poor",)}, note="a note")


@dataclass(frozen=True)
class Fixed:
    """A model that finds long texts good, and says so in the numbers of each answer."""

    fingerprint: str = "f1"
    name: str = "fixed"

    @property
    def provenance(self):
        return {"model": self.name}

    def readings(self, prompt, inputs):
        for row in reversed(range(len(inputs))):
            good = min(len(inputs.texts[row]) / 10, 0.9)
            yield {row: Reading(tuple(np.log([good / 2, good / 2, 1 - good])), (1, 1, 1))}

    def write(self, request, *, max_tokens, chat=False):
        return request[:max_tokens]


@pytest.fixture
def labeler():
    return from_prompt(PROMPT, Fixed(), store=AnswerStore(None))


def test_a_model_under_a_prompt_is_a_labeler(labeler):
    assert isinstance(Fixed(), PromptModel)
    assert isinstance(labeler, Labeler)
    assert (labeler.name, labeler.kind, labeler.reads) == ("mood", "prompt", "texts")
    answers = labeler.answer(Inputs.of(["12345", "12"]))
    assert np.allclose(answers.values, [[0.5, 0.5], [0.2, 0.8]])


def test_it_may_be_given_a_name_and_reads_pairs_if_the_template_does():
    pairs = replace(PROMPT, template="{text} {text_pair}")
    labeler = from_prompt(pairs, Fixed(), name="other", store=AnswerStore(None))
    assert (labeler.name, labeler.reads) == ("other", "pairs")


def test_where_it_comes_from_is_written_down(labeler):
    assert labeler.provenance == {
        "source": "prompt", "model": "fixed", "prompt": "mood", "template": "{text}?", "labels": ["good", "bad"],
        "answers": {"good": ["fine", "great"], "bad": ["poor"]}, "note": "a note",
    }  # fmt: skip


def test_another_model_prompt_or_rule_is_another_labeler(labeler):
    store = AnswerStore(None)
    same = from_prompt(replace(PROMPT, name="renamed", note=""), Fixed(name="renamed"), store=store)
    assert same.fingerprint == labeler.fingerprint
    others = [
        from_prompt(PROMPT, Fixed("f2"), store=store),
        from_prompt(replace(PROMPT, template="{text}!"), Fixed(), store=store),
        from_prompt(replace(PROMPT, words="max"), Fixed(), store=store),
        from_prompt(replace(PROMPT, length="token"), Fixed(), store=store),
    ]
    assert len({labeler.fingerprint, *(other.fingerprint for other in others)}) == 5
    keys = [other.answerer.key for other in others]
    assert (keys[0] != keys[1], keys[2] == keys[3] == labeler.answerer.key) == (True, True), "rules cost no answers"


def test_it_is_embedded_like_any_labeler(labeler):
    from taskspace.labelers import ask

    inputs, answers = ask(labeler, Pool(["12345", "a pair"], [None, "second"]))
    assert inputs.texts == ("12345",)
    assert np.allclose(answers.values, [[0.5, 0.5]])


def test_a_model_that_would_rather_say_something_else_is_told_of():
    class Elsewhere:
        name = fingerprint = "elsewhere"
        provenance = {}  # noqa: RUF012

        def readings(self, prompt, inputs):
            for row in range(len(inputs)):
                yield {row: Reading((np.log(0.02), np.log(0.03)), (1, 1))}

        def write(self, request, *, max_tokens, chat=False):
            raise NotImplementedError

    labeler = from_prompt(Prompt("p", "{text}?", {"no": "no", "yes": "yes"}), Elsewhere(), store=AnswerStore(None))
    with pytest.warns(TaskspaceWarning, match=r"under prompt 'p' .* probability of 0\.05 \(median\)"):
        labeler.answer(Inputs.of(["a", "b", "c"]))
