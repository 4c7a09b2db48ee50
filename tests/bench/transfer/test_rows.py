"""What a source is tuned on and a target is tested on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from taskspace.bench.transfer import Distilled, Plan, distilled, shared_rows
from taskspace.bench.transfer.rows import contents, metric_of, require_measurable, rows_for_test, source_rows
from taskspace.errors import DataError, SettingError
from taskspace.labelers import from_callable
from taskspace.task import Inputs, Pool, Task
from taskspace.tuning.rows import Examples
from taskspace.tuning.splits import Splits, k_shot, split


def numbered(names, *, start=0):
    """A task of distinct texts with these class names."""
    return Task([f"text {start + i}" for i in range(len(names))], names, name="numbered")


def splits(train, test):
    return split(train, test, seed=0, validation=None)


ROWS = splits(numbered(["a", "b", "b", "b"] * 25), numbered(["a", "b"] * 10, start=1000))


def test_a_source_is_a_draw_by_class_that_its_order_does_not_change():
    drawn = source_rows(ROWS, 20)
    assert Counter(drawn.labels.codes.tolist()) == {0: 5, 1: 15}
    assert drawn.texts == k_shot(ROWS.train, 20, seed=0).texts
    backwards = splits(ROWS.train.take(range(100)[::-1]), ROWS.test)
    assert source_rows(backwards, 20).texts == drawn.texts


def test_a_small_source_is_used_whole_each_row_once_in_an_order_of_its_own():
    train = numbered(["a", "b"] * 5)
    doubled = splits(train.take([*range(10), *range(10)]), ROWS.test)
    drawn = source_rows(doubled, 1000)
    assert sorted(drawn.texts) == sorted(train.texts)
    assert source_rows(splits(train.take(range(10)[::-1]), ROWS.test), 1000).texts == drawn.texts


def test_test_rows_are_as_they_are_or_a_draw_by_class():
    assert rows_for_test(ROWS, 20).texts == ROWS.test.texts
    assert Counter(rows_for_test(ROWS, 10).labels.codes.tolist()) == {0: 5, 1: 5}


def test_answers_of_a_labeler_become_a_source():
    """Second copies and abstentions are left out; fewer rows are wanted than there are."""
    pool = Pool([f"word {i % 30}" for i in range(40)])

    def even(texts):
        return [
            None if text == "word 7" else [0.75, 0.25] if int(text.split()[1]) % 2 == 0 else [0, 1] for text in texts
        ]

    labeler = from_callable(even, name="even")
    found = distilled(labeler, pool)
    assert found.examples.kind == "classes"
    assert sorted(found.examples.inputs.texts) == sorted({f"word {i}" for i in range(30)} - {"word 7"})
    drawn = source_rows(found, 10)
    assert len(drawn) == len(set(drawn.inputs.texts)) == 10
    for text, values in zip(drawn.inputs.texts, drawn.values, strict=True):
        assert values.tolist() == even([text])[0]
    other = distilled(from_callable(lambda texts: [len(text) % 2 for text in texts], name="even"), pool)
    assert other.fingerprint != found.fingerprint
    assert distilled(labeler, Pool(pool.texts[:39])).fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("wanted", "classes", "found"),
    [("macro_f1", 3, "macro_f1"), ("f1", 2, "f1"), ("spearman", 2, "accuracy"), ("accuracy", 0, "spearman"),
     ("pearson", 0, "pearson"), ("f1", 0, "spearman")],
)  # fmt: skip
def test_a_metric_that_fits_the_labels(wanted, classes, found):
    labels = [f"c{i % classes}" for i in range(12)] if classes else [i + 0.5 for i in range(12)]
    assert metric_of(wanted, numbered(labels)).name == found


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("f1", "f1 is of two classes and target 'numbered' has 3"),
        ("rouge_l", "rouge_l is of texts that a model writes"),
        ("acuracy", "did you mean 'accuracy'"),
    ],
)
def test_a_metric_that_cannot_be(one_sentence, wanted, told):
    with pytest.raises(SettingError, match=told) as error:
        metric_of(wanted, numbered(["a", "b", "c"]))
    assert one_sentence(error.value)


DULL = splits(numbered(["a"] * 9), numbered(["a"] * 4, start=50))


def answers(values):
    return Distilled(Examples(Inputs.of([f"t {i}" for i in range(len(values))]), "classes", np.array(values)), "mark")


def test_contents_are_what_decides_a_number(plan, data):
    plan = replace(plan, sources=("mood", "topic", "box"))
    found = contents(plan, data | {"box": answers([[0.5, 0.5], [1, 0]])})
    assert found == {
        ("mood", "train"): data["mood"].train.fingerprint,
        ("mood", "test"): data["mood"].test.fingerprint,
        ("topic", "train"): data["topic"].train.fingerprint,
        ("box", "answers"): "mark",
        ("trip", "train"): data["trip"].train.fingerprint,
        ("trip", "test"): data["trip"].test.fingerprint,
    }


@pytest.mark.parametrize(
    ("rows", "changes", "kind", "told"),
    [
        ({"b": None}, {}, DataError, "no rows were given for task 'b'"),
        ({"b": answers([[0.5, 0.5], [1, 0]])}, {}, DataError, "'b' is a labeler's answers, and a target needs rows"),
        ({"a": answers([[0.5, 0.5]] * 4)}, {}, DataError, "says the same of all its 4 texts"),
        (
            {"b": splits(numbered(["a"] * 9), numbered(["a"] * 4, start=50))},
            {},
            DataError,
            "task 'numbered' says the same",
        ),
        ({}, {"shots": 500}, SettingError, "has 100 distinct rows, fewer than 500 shots"),
        ({}, {"metric": "rouge_l"}, SettingError, "rouge_l is of texts"),
    ],
)
def test_what_would_stop_it_later_is_said_now(one_sentence, rows, changes, kind, told):
    plan = Plan(sources=("a",), targets=("b",), **({"shots": 8} | changes))
    given = {name: each for name, each in ({"a": ROWS, "b": ROWS} | rows).items() if each is not None}
    with pytest.raises(kind, match=told) as error:
        require_measurable(plan, given)
    assert one_sentence(error.value)


def test_rows_that_a_source_and_a_test_share_are_counted():
    """Case and punctuation aside; a source is not held against itself."""
    train = Task(["One, two.", "three", "four", "five"], ["x", "y", "x", "y"])
    test = Task(["one two", "three!", "six", "seven"], ["u", "v", "u", "v"])
    data = {"a": splits(train, numbered(["x", "y"])), "b": splits(numbered(["u", "v"] * 2), test)}
    found = shared_rows(Plan(sources=("a", "b"), targets=("b",), shots=2), data)
    assert [(each.source, each.target, each.rows) for each in found] == [("a", "b", 2)]
    assert isinstance(data["a"], Splits)
