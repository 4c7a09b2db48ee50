from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.labels import Numbers, Targets
from taskspace.task import Task
from taskspace.tuning import metrics
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.bank import Bank
from taskspace.tuning.evaluation import evaluate, truth_of, worded
from taskspace.tuning.examples import Verbaliser
from taskspace.tuning.parts import Head, Prompts

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def t5(tiny_t5):
    return load_backbone(tiny_t5)


@pytest.fixture(scope="module")
def encoder_backbone(tiny_encoder):
    return load_backbone(tiny_encoder)


def _bank(backbone, rows=3):
    return Bank(backbone, Prompts.start(backbone, rows, 2, seed=list(range(rows))))


@pytest.mark.parametrize("folder", ["tiny_encoder", "tiny_mlm", "tiny_t5", "tiny_decoder"])
def test_classes_are_answered_by_the_likeliest(folder, request, tasks):
    bank = _bank(load_backbone(request.getfixturevalue(folder)))
    task = tasks["mood" if folder == "tiny_encoder" else "topic"]  # "paint" is no word of that one
    scores = bank.scores(worded(bank.backbone, task), [2, 0], max_length=64)
    said = [[task.label_names[row.argmax()] for row in each] for each in scores]
    right = [np.mean([a == b for a, b in zip(each, truth_of(task), strict=True)]) for each in said]
    np.testing.assert_allclose(evaluate(bank, task, [2, 0], metric="accuracy", max_length=64), right)
    macro = [metrics.macro_f1(truth_of(task), each) for each in said]
    np.testing.assert_allclose(evaluate(bank, task, [2, 0], max_length=64), macro)


def test_rows_without_a_label_are_left_out(t5, tasks):
    bank, task = _bank(t5), tasks["mood"]
    labels = [None if row % 3 else truth_of(task)[row] for row in range(len(task))]
    some = Task(task.inputs.texts, labels, name="mood")
    kept = task.take(range(0, len(task), 3))
    np.testing.assert_array_equal(
        evaluate(bank, some, [0, 1], max_length=64), evaluate(bank, kept, [0, 1], max_length=64)
    )
    with pytest.raises(DataError, match="no labels"):
        evaluate(bank, Task(["a", "b"], name="mood"), [0], max_length=64)


def test_the_metric_is_given_the_answers_in_the_truth_s_order(t5):
    # Perfect answers by construction: the truth is what the bank says.
    bank, texts = _bank(t5), ["the soup is good", "snow", "we saw the bridge", "it was dull", "red train"]
    wording = Verbaliser("{text}", answers={"x": "good", "y": "bad"})
    first = Task(texts, ["x", "y", "x", "y", "x"], name="any")
    said = bank.scores(worded(t5, first, wording), [1], max_length=64)[0].argmax(1)
    truth = Task(texts, [first.label_names[code] for code in said], name="any")
    assert evaluate(bank, truth, [1], metric="accuracy", verbaliser=wording, max_length=64).tolist() == [1.0]


def test_free_text_is_generated(t5):
    bank, texts = _bank(t5), ["the soup is good", "snow"]
    wording = Verbaliser("{text}")
    blank = Task(texts, Targets(("x", "y")), name="free")
    written = bank.generate(worded(t5, blank, wording), 1, max_length=64, max_tokens=4)
    truth = Task(texts, Targets((written[0], written[1] + " more")), name="free")
    found = evaluate(bank, truth, [1], metric="exact_match", verbaliser=wording, max_length=64, max_tokens=4)
    assert found.tolist() == [0.5]


def test_numbers_among_known_answers_are_chosen(t5):
    bank, texts = _bank(t5), ["the soup is good", "snow", "it was a dull train"]
    task = Task(texts, Numbers(np.array([0.0, 2.5, 4.0])), name="warm")
    wording = Verbaliser("{text}", answers={word: word for word in ("0.0", "2.4", "4.0")})
    scores = bank.scores(worded(t5, task, wording), [0, 2], max_length=64)
    said = np.array([0.0, 2.4, 4.0])[scores.argmax(2)]
    expected = [metrics.pearson([0.0, 2.5, 4.0], each.tolist()) for each in said]
    found = evaluate(bank, task, [0, 2], verbaliser=wording, max_length=64)
    np.testing.assert_allclose(found, expected)


def test_numbers_that_may_be_any_are_read_from_what_is_written(t5, monkeypatch):
    bank, task = _bank(t5), Task(["soup", "snow", "train"], Numbers(np.array([1.0, 2.0, 4.0])), name="warm")
    written = iter([["1.0", "2.2", "3.8"], ["much", "2.0", "4.0"]])
    monkeypatch.setattr(bank, "generate", lambda *_, **__: next(written))
    found = evaluate(bank, task, [0, 1], verbaliser=Verbaliser("{text}"), max_length=64)
    truth = [1.0, 2.0, 4.0]
    expected = [np.corrcoef(truth, [1.0, 2.2, 3.8])[0, 1], np.corrcoef(truth, [-1.0, 2.0, 4.0])[0, 1]]
    np.testing.assert_allclose(found, expected)


def test_numbers_of_a_head_are_taken_as_they_are(encoder_backbone, tasks):
    part = Prompts.start(encoder_backbone, 2, 2, seed=[0, 1])
    bank = Bank(encoder_backbone, part, Head(2, [1, 1], encoder_backbone.width, seed=[3, 4]))
    task = tasks["degree"]
    outputs = bank.scores(worded(encoder_backbone, task), [0, 1], max_length=64)[:, :, 0]
    expected = [np.corrcoef(task.stated_labels.values, each)[0, 1] for each in outputs]
    np.testing.assert_allclose(evaluate(bank, task, [0, 1], max_length=64), expected, rtol=1e-5)


def test_a_metric_of_other_labels_is_refused(t5, tasks, one_sentence):
    with pytest.raises(SettingError, match="'pearson' is of numbers, and task 'mood' has classes") as error:
        evaluate(_bank(t5), tasks["mood"], [0], metric="pearson", max_length=64)
    assert one_sentence(error.value)


def test_an_encoder_reads_texts_and_a_writer_reads_them_worded(encoder_backbone, t5, tasks):
    task = tasks["mood"]
    assert worded(encoder_backbone, task).inputs.texts == task.inputs.texts
    assert worded(t5, task).inputs.texts[0] == f"mood sentence: {task.inputs.texts[0]}"
    own = Verbaliser("{text} ?", answers={"good": "positive", "bad": "negative"})
    assert worded(t5, task, own).inputs.texts[0] == f"{task.inputs.texts[0]} ?"
    assert set(worded(encoder_backbone, task, own).answers) == {"positive", "negative"}


class _Said:
    """A bank that says what it is told to say."""

    def __init__(self, scores, kind="decoder"):
        self.backbone, self._scores = SimpleNamespace(kind=kind), np.asarray(scores, np.float32)

    def scores(self, examples, owners, *, max_length):
        return self._scores


def test_answers_stand_for_their_classes_whatever_the_order_of_words():
    # By hand: classes in the order bad, good; their words sort the other way round.
    task = Task(["a", "b", "c", "d"], ["good", "bad", "good", "good"], name="any")
    wording = Verbaliser("{text}", answers={"good": "apple", "bad": "zebra"})
    first = [[-2, -1], [-1, -2], [-2, -1], [-1, -2]]  # good, bad, good, bad: three of four
    second = [[-1, -2], [-2, -1], [-1, -2], [-2, -1]]  # bad, good, bad, good: one of four
    for kind in ("decoder", "encoder"):
        found = evaluate(
            _Said([first, second], kind), task, [0, 1], metric="accuracy", verbaliser=wording, max_length=9
        )
        assert found.tolist() == [0.75, 0.25]


def test_numbers_of_answers_and_of_heads_by_hand():
    task = Task(["a", "b", "c"], Numbers(np.array([1.0, 2.0, 3.0])), name="any")
    wording = Verbaliser("{text}", answers={word: word for word in ("3.0", "1.0", "2.0")})
    chosen = [[[-3, -1, -2], [-3, -2, -1], [-1, -2, -3]], [[-1, -2, -3], [-2, -3, -1], [-2, -1, -3]]]
    found = evaluate(_Said(chosen), task, [0, 1], metric="pearson", verbaliser=wording, max_length=9)
    np.testing.assert_allclose(found, [1, -1])
    outputs = [[[2.0], [4.0], [6.0]], [[0.0], [3.0], [0.0]]]
    np.testing.assert_allclose(
        evaluate(_Said(outputs, "encoder"), task, [0, 1], metric="pearson", max_length=9), [1, 0], atol=1e-6
    )
