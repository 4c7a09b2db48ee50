"""Examples of a source before the target's rows: the gain over none."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from taskspace import Task
from taskspace.errors import DataError
from taskspace.labelers.prompts import Reading
from taskspace.labelers.prompts._rendering import plain_text
from taskspace.labels import Classes
from taskspace.ranking.signals import Corpus, Question, Source, signal_named
from taskspace.ranking.signals.in_context import InContext, _sample


class Copies:
    """Says the class that the examples before the question say most often; without any, the first."""

    name = fingerprint = "copies"
    provenance = {"model": "copies"}  # noqa: RUF012

    def __init__(self):
        self.asked: list[str] = []

    def readings(self, prompt, inputs):
        for row in range(len(inputs)):
            whole = plain_text(prompt, inputs.texts[row], inputs.pairs[row])
            self.asked.append(whole)
            seen = Counter(line.removeprefix("Answer: ") for line in whole.splitlines() if line.startswith("Answer: "))
            most = max(prompt.labels, key=lambda label: seen[label])
            yield {row: Reading(said=prompt.labels.index(most))}

    def write(self, request, *, max_tokens, chat=False):
        return ""


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("TASKSPACE_HOME", str(tmp_path))


TARGET = Task([f"text {i}" for i in range(10)], ["bad"] * 3 + ["good"] * 7, name="target")
GOOD = Task([f"fine {i}" for i in range(6)], ["good"] * 5 + ["bad"], name="fine")
BAD = Task([f"poor {i}" for i in range(6)], ["bad"] * 5 + ["good"], name="poor")


def test_the_score_is_accuracy_after_examples_less_accuracy_without():
    context = InContext(Copies(), shots=5, draws=2)
    # Without examples it says "bad" always: .3.  After examples that are mostly good: .7; mostly bad: .3.
    assert context.score(GOOD, TARGET) == pytest.approx(0.4)
    assert context.score(BAD, TARGET) == pytest.approx(0.0)


def test_examples_stand_before_the_question_and_pairs_on_two_lines():
    model = Copies()
    pairs = Task(["one", "two"], ["yes", "no"], ["uno", "dos"], name="pairs")
    InContext(model, shots=1, draws=1).score(GOOD, pairs)
    after = [asked for asked in model.asked if asked.startswith("fine")]
    assert len(after) == 2
    assert all(asked.count("Answer:") == 2 and asked.endswith("Answer:") for asked in after)
    assert {tuple(asked.splitlines()[-3:-1]) for asked in after} == {("one", "uno"), ("two", "dos")}


def test_as_a_signal_it_needs_a_model_and_skips_sources_without_rows():
    signal = signal_named("in_context")
    sources = (Source("fine", Corpus(GOOD)), Source("poor", Corpus(BAD)), Source("gone"))
    asked = Question(target="target", sources=sources, corpus=Corpus(TARGET), demonstrates=InContext(Copies()))
    scores = signal.read(asked)
    assert scores[0] > scores[1]
    assert np.isnan(scores[2])
    with pytest.raises(DataError, match="needs a language model"):
        signal.read(Question(target="target", sources=sources, corpus=Corpus(TARGET)))


def test_numbers_are_no_classes():
    numbers = Task(["a", "b"], [0.1, 0.7], name="numbers")
    with pytest.raises(DataError, match="'numbers' has no classes"):
        InContext(Copies()).score(numbers, TARGET)


def test_rows_without_a_label_are_neither_asked_nor_shown():
    model = Copies()
    texts, labels = [f"text {i}" for i in range(10)], ["bad"] * 3 + ["good"] * 7
    target = Task([*texts, *[f"open {i}" for i in range(30)]], [*labels, *[None] * 30], name="target")
    source = Task(
        ["fine 0", "fine 1", "fine 2", *[f"bare {i}" for i in range(30)]], ["good"] * 3 + [None] * 30, name="part"
    )
    # All three labelled rows are shown, all ten are asked: .7 right after them, .3 without.
    assert InContext(model, shots=3, draws=2, rows=10).score(source, target) == pytest.approx(0.4)
    assert len(model.asked) == 20  # the same three rows each time, so the second draw is already answered
    assert not any("bare" in asked or "open" in asked for asked in model.asked)


class Silent(Copies):
    """Never says a class."""

    name = fingerprint = "silent"

    def readings(self, prompt, inputs):
        yield {row: Reading(said=None) for row in range(len(inputs))}


def test_saying_nothing_is_right_for_no_row():
    part = Task(["a", "b", "c", "d"], ["bad", "good", None, None], name="part")
    assert InContext(Silent())._accuracy(_sample(part, 4, 0), "") == 0


def test_a_task_without_any_label_is_refused(one_sentence):
    bare = Task(["a", "b"], Classes(np.array([-1, -1]), ("bad", "good")), name="bare")
    for source, target in ((GOOD, bare), (bare, TARGET)):
        with pytest.raises(DataError, match="no row of task 'bare' has a label") as error:
            InContext(Copies()).score(source, target)
        assert one_sentence(error.value)


def test_it_is_found_beside_the_signals_and_loaded_on_first_use():
    code = (
        "import sys, taskspace.ranking.signals as s; late = 'taskspace.ranking.signals.in_context' not in sys.modules; "
        "print(late, s.InContext.__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "InContext", "False"]
