from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes
from taskspace.task import Task, plain_letters
from taskspace.tuning.splits import LARGE, Splits, held_out, k_shot, split, validation_within

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "tasks"
LABELS = st.lists(st.sampled_from("aaaabbc"), min_size=2, max_size=60)


def task_of(labels, name="t", word="text", **options):
    return Task([f"{word} number {i}" for i in range(len(labels))], labels, name=name, **options)


def counts(task):
    return Counter(task.label_names[code] for code in task.labels.codes)


def rows(*tasks):
    """The rows of some tasks, by what they say."""
    return Counter(
        (text, pair, key)
        for task in tasks
        for text, pair, key in zip(task.texts, task.text_pairs, task.labels.row_keys(), strict=True)
    )


def shuffled(task, seed):
    order = list(range(len(task)))
    random.Random(seed).shuffle(order)
    return task.take(order)


# k-shot


def test_k_shot_by_hand():
    task = task_of(["a"] * 70 + ["b"] * 25 + ["c"] * 5)
    assert counts(k_shot(task, 20, 0)) == {"a": 14, "b": 5, "c": 1}
    # 7, 2.5 and 0.5: c gets one row at least; 9 are left for 70 : 25, which is 6.63 and 2.37
    assert counts(k_shot(task, 10, 0)) == {"a": 7, "b": 2, "c": 1}
    assert counts(k_shot(task, 3, 0)) == {"a": 1, "b": 1, "c": 1}
    assert rows(k_shot(task, 100, 0)) == rows(task)


def between(labels, share):
    """As many shots as there are classes, as many as there are rows, or some number between."""
    return len(set(labels)) + round(share * (len(labels) - len(set(labels))))


@given(LABELS, st.floats(0, 1), st.integers(0, 9))
def test_k_shot_is_stratified_and_doubles_nothing(labels, share, seed):
    task, k = task_of(labels), between(labels, share)
    drawn = k_shot(task, k, seed)
    assert len(drawn) == k
    assert rows(drawn) <= rows(task)
    assert drawn.label_names == task.label_names
    for name, n in counts(task).items():
        # Within one row of its share, but for what goes to classes that would have got none.
        assert 1 <= counts(drawn)[name] <= max(1, n * k / len(task) + 1)
        assert counts(drawn)[name] > n * k / len(task) - len(set(labels))


@given(LABELS, st.floats(0, 1), st.integers(0, 9), st.integers(0, 9))
def test_the_order_of_the_rows_changes_nothing(labels, share, seed, order):
    task, k = task_of(labels), between(labels, share)
    one, other = k_shot(task, k, seed), k_shot(shuffled(task, order), k, seed)
    assert one.texts == other.texts
    assert one.labels.row_keys() == other.labels.row_keys()


def test_seeds_vary_and_repeat():
    task = task_of(["a", "b"] * 100)
    draws = {k_shot(task, 10, seed).texts for seed in range(20)}
    assert len(draws) == 20
    assert k_shot(task, 10, 3).texts in draws


def test_every_row_is_as_likely():
    task = task_of(["a"] * 8 + ["b"] * 4)
    seen = Counter(text for seed in range(600) for text in k_shot(task, 6, seed).texts)
    # Each with probability 1/2: 300 +- 12.2; five deviations leave one failure in 10^5 for a fair draw.
    assert set(seen) == set(task.texts)
    assert all(abs(n - 300) < 62 for n in seen.values())


@given(st.integers(2, 39))
def test_larger_draws_hold_smaller_ones_where_classes_are_even(k):
    task = task_of(["a", "b"] * 20)
    assert rows(k_shot(task, k - k % 2, 0)) <= rows(k_shot(task, k, 0)) <= rows(k_shot(task, 40, 0))


def test_copies_count_once():
    task = Task(["same"] * 50 + ["x", "y", "z"], ["a"] * 50 + ["a", "b", "b"])
    assert rows(k_shot(task, 4, 0)) == Counter(dict.fromkeys(rows(task), 1))
    with pytest.raises(SettingError, match="has 4 distinct rows, fewer than 5 shots"):
        k_shot(task, 5, 0)


def test_numbers_and_targets_are_drawn_plainly():
    for options in ({"kind": "numbers"}, {"kind": "targets"}):
        task = task_of([i + 0.5 for i in range(30)], **options)
        assert rows(k_shot(task, 7, 1)) <= rows(task)
        assert len(k_shot(task, 1, 0)) == 1
        assert k_shot(task, 7, 1).texts == k_shot(shuffled(task, 0), 7, 1).texts != k_shot(task, 7, 2).texts


def test_rows_without_a_label_are_no_shots():
    task = task_of(["a", None, "b", None, None])
    assert set(k_shot(task, 2, 0).texts) == {"text number 0", "text number 2"}


@pytest.mark.parametrize(
    ("k", "says"),
    [
        (0, "zero shots cannot be trained on"),
        (2, "2 shots are too few for the 3 classes of task 't'"),
        (7, "has 6 distinct rows, fewer than 7 shots"),
        (-1, "k=-1 is not a number of rows"),
        (2.5, "k=2.5 is not a number of rows"),
        (True, "k=True is not a number of rows"),
    ],
)
def test_shots_that_cannot_be(k, says, one_sentence):
    with pytest.raises(SettingError, match=says) as caught:
        k_shot(task_of(list("abcabc")), k, 0)
    assert one_sentence(caught.value)


def test_only_classes_that_occur_need_a_shot():
    task = Task(["x", "y"], Classes(np.array([0, 2]), ("a", "b", "c")))
    assert len(k_shot(task, 2, 0)) == 2


# Validation out of few


@given(LABELS, st.floats(0.05, 0.9), st.integers(0, 9))
def test_validation_within_loses_nothing_and_leaves_every_class(labels, share, seed):
    task = task_of(labels)
    assume(len(task) > len(set(labels)))
    assume(round(share * len(task)) <= len(task) - len(set(labels)))
    train, validation = validation_within(task, share, seed)
    assert rows(train, validation) == rows(task)
    assert set(counts(train)) == set(labels)
    assert len(validation) == max(1, round(share * len(task)))
    again = validation_within(shuffled(task, 1), share, seed)
    assert rows(again[1]) == rows(validation)


def test_validation_within_by_hand():
    train, validation = validation_within(task_of(["a"] * 12 + ["b"] * 7 + ["c"]), 0.25, 0)
    # 3, 1.75 and 0.25 of five
    assert counts(validation) == {"a": 3, "b": 2}
    assert counts(train) == {"a": 9, "b": 5, "c": 1}
    _, one = validation_within(task_of(["a", "a", "b"]), 0.01, 0)
    assert counts(one) == {"a": 1}


def test_no_row_to_spare(one_sentence):
    with pytest.raises(DataError, match="task 't' has 3 rows, of which 0 can be spared where 1 should") as caught:
        validation_within(task_of(["a", "b", "c"]), 0.2, 0)
    assert one_sentence(caught.value)
    for share in (0, 1, 1.5):
        with pytest.raises(SettingError, match="is not a share of the rows") as caught:
            validation_within(task_of(["a", "a"]), share, 0)
        assert one_sentence(caught.value)


@given(
    st.lists(
        st.tuples(st.sampled_from(["Hi", "hi!", "h i", "yo", "YO", "so", "no"]), st.sampled_from("ab")), min_size=4
    )
)
def test_near_copies_never_part(pairs):
    task = Task([text for text, _ in pairs], [label for _, label in pairs])
    try:
        train, validation = validation_within(task, 0.4, 0)
    except DataError:
        return
    assert rows(train, validation) == rows(task)
    assert not {plain_letters(t) for t in train.texts} & {plain_letters(t) for t in validation.texts}
    assert set(counts(train)) == set(counts(task))


# Splits of a task


def test_small_tasks_halve_their_test_split():
    train, test = task_of(["a", "b"] * 50), task_of(["a"] * 30 + ["b"] * 10 + ["c"], word="other")
    parts = split(train, test, seed=0)
    assert rows(parts.train) == rows(train)
    assert rows(parts.validation, parts.test) == rows(test)
    # Half of 41 is 20; 30 : 10 : 1 of that is 14.63, 4.88 and 0.49.
    assert counts(parts.validation) == {"a": 15, "b": 5}
    assert counts(parts.test) == {"a": 15, "b": 5, "c": 1}
    assert parts.train.label_names == parts.validation.label_names == parts.test.label_names == ("a", "b", "c")


def test_large_tasks_validate_on_training_rows():
    train, test = task_of((["a"] * 3 + ["b"]) * (LARGE // 4) + ["b"]), task_of(["a", "b"] * 5, word="other")
    parts = split(train, test, seed=0)
    assert counts(parts.validation) == {"a": 750, "b": 250}
    assert rows(parts.train, parts.validation) == rows(train)
    assert rows(parts.test) == rows(test)
    small = train.take(range(LARGE))
    assert len(split(small, test, seed=0).validation) == 5


def test_the_way_can_be_chosen():
    train, test = task_of(["a", "b"] * 50), task_of(["a", "b"] * 10, word="other")
    parts = split(train, test, seed=0, validation="train", rows=20)
    assert counts(parts.validation) == {"a": 10, "b": 10}
    assert (len(parts.train), rows(parts.test)) == (80, rows(test))
    own = task_of(["b", "a"], word="third")
    assert rows(split(train, test, seed=0, validation=own).validation) == rows(own)
    none = split(train, test, seed=0, validation=None)
    assert (none.validation, rows(none.train), rows(none.test)) == (None, rows(train), rows(test))


@given(LABELS, st.integers(0, 99), st.sampled_from([0.2, 0.5]))
def test_without_a_test_split_one_is_held_out(labels, seed, share):
    task = task_of(labels + ["a"] * 10 + ["b"] * 10)
    parts = split(task, seed=seed, held_out=share)
    assert rows(parts.train, parts.validation, parts.test) == rows(task)
    held = round(share * len(task))
    assert (len(parts.validation), len(parts.test)) == (held // 2, held - held // 2)
    assert set(counts(parts.train)) == set(counts(task))
    again = split(shuffled(task, 5), seed=seed, held_out=share)
    assert rows(again.test) == rows(parts.test)


def test_split_seeds_vary():
    task = task_of(["a", "b"] * 100)
    assert len({split(task, seed=seed).test.texts for seed in range(10)}) == 10


def test_too_few_rows_to_split(one_sentence):
    train, test = task_of(["a", "b"] * 5), task_of(["a"], word="other")
    for given_test, options in ((test, {}), (task_of(["a", "b"], word="o"), {"validation": "train"})):
        with pytest.raises(DataError, match="can be spared where") as caught:
            split(train, given_test, seed=0, **options)
        assert one_sentence(caught.value)


@pytest.mark.parametrize("options", [{"validation": "dev"}, {"overlap": "keep"}, {"held_out": 0}, {"held_out": 1.0}])
def test_unknown_settings_of_split(options, one_sentence):
    with pytest.raises(SettingError) as caught:
        split(task_of(["a", "b"] * 5), seed=0, **options)
    assert one_sentence(caught.value)


def test_rows_without_labels_are_in_no_split():
    parts = split(task_of(["a", "b", None] * 5), task_of(["a", "b", None, "a"], word="other"), seed=0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (10, 1, 2)


# Overlap


def test_validation_that_overlaps_the_test_split(one_sentence):
    train, test = task_of(["a", "b"]), Task(["Great film!", "dull", "so so"], ["a", "b", "a"])
    validation = Task(["fine", "great  FILM", "dull"], ["a", "a", "b"])
    for attempt in (
        lambda: split(train, test, seed=0, validation=validation),
        lambda: Splits(train, validation, test),
    ):
        with pytest.raises(DataError) as caught:
            attempt()
        assert "2 of the 3 validation rows also stand in the test split" in str(caught.value)
        assert "(row 1, 'great  FILM')" in str(caught.value)
        assert one_sentence(caught.value)


@pytest.mark.parametrize(("pair", "apart"), [("y.", False), ("z", True), (None, True)])
def test_both_texts_of_a_pair_count(pair, apart):
    train, test = Task(["X", "b"], ["a", "b"], ["y", "c"]), Task(["x!", "c"], ["a", "b"], [pair, "d"])
    if apart:
        assert Splits(train, None, test).validation is None
    else:
        with pytest.raises(DataError, match="1 of the 2 training rows also stand in the test split"):
            Splits(train, None, test)


def test_training_rows_are_refused_too():
    one, two = task_of(["a", "b"]), task_of(["a", "b"], word="other")
    with pytest.raises(DataError, match="2 of the 2 training rows also stand in the test"):
        Splits(one, two, one)
    with pytest.raises(DataError, match="2 of the 2 training rows also stand in the validation"):
        Splits(one, one, two)


def test_overlap_can_be_dropped(one_sentence):
    train = Task(["One", "two", "three", "four"], ["a", "b", "a", "b"])
    validation, test = Task(["ONE", "five"], ["a", "b"]), Task(["two!", "Five", "six"], ["b", "b", "a"])
    parts = split(train, test, seed=0, validation=validation, overlap="drop")
    assert (parts.train.texts, parts.validation.texts, parts.test.texts) == (("three", "four"), ("ONE",), test.texts)
    assert len(split(train, test, seed=0, overlap="drop").train) == 3
    with pytest.raises(DataError, match="every row of task 'task' stands in another split too") as caught:
        split(test, test, seed=0, overlap="drop")
    assert one_sentence(caught.value)


def test_classes_are_numbered_alike():
    train = Task(["x", "y", "z"], Classes(np.array([0, 1, 0]), ("good", "bad")))
    test = Task(["u", "v", "w"], ["bad", "good", "odd"])
    parts = split(train, test, seed=0, validation=None)
    assert parts.test.label_names == parts.train.label_names == ("good", "bad", "odd")
    assert parts.test.labels.row_keys() == test.labels.row_keys()
    assert parts.train.labels.row_keys() == train.labels.row_keys()


def test_classes_that_are_not(one_sentence):
    with pytest.raises(DataError, match="test split has the classes bad, good but the training split the") as caught:
        Splits(Task(["x", "y"], Classes(np.array([0, 1]), ("good", "bad"))), None, Task(["u", "v"], ["bad", "good"]))
    assert one_sentence(caught.value)
    with pytest.raises(DataError, match="test split has numbers but the training split the classes a, b"):
        split(task_of(["a", "b"]), task_of([0.5, 1.5], word="other"), seed=0)


# Real tasks


def real(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"the shared task {name} is not there")
    return tuple(Task.from_file(SHARED / name, split=part) for part in ("train", "test"))


@pytest.mark.parametrize("name", ["sst2", "rte", "trec", "trec_fine", "stsb"])
def test_real_tasks_split_and_shoot(name):
    train, test = real(name)
    parts = split(train, test, seed=0)
    assert rows(parts.validation, parts.test) == rows(test)
    assert abs(len(parts.validation) - len(parts.test)) <= 1
    share = {key: n / len(test) for key, n in counts(test).items()}
    assert all(abs(counts(parts.test)[key] - share[key] * len(parts.test)) < 1 + 1e-9 for key in share)
    few, held = validation_within(k_shot(parts.train, 100, 0), 0.2, 0)
    assert (len(few), len(held)) == (80, 20)
    assert len({k_shot(parts.train, 100, seed).texts for seed in range(3)}) == 3


def test_files_of_one_task_read_apart():
    """Without the folder's card each file numbers only the classes that it has."""
    if not (SHARED / "trec_fine").is_dir():
        pytest.skip("the shared task trec_fine is not there")
    train, test = (Task.from_file(SHARED / "trec_fine" / f"{part}.jsonl.gz") for part in ("train", "test"))
    assert train.label_names != test.label_names
    parts = split(train, test, seed=0)
    assert parts.test.label_names == train.label_names
    assert rows(parts.validation, parts.test) == rows(test)


# what is held out while one prompt is tuned


def test_a_share_is_taken_out_of_the_shots():
    task, test = task_of(["a", "b"] * 20), task_of(["a", "b"] * 3, word="other")
    train, held, rest = held_out(task, validation=0.25, test=test, shots=8, seed=4)
    assert rows(train, held) == rows(k_shot(task, 8, 4))
    assert (counts(held), rows(rest)) == ({"a": 1, "b": 1}, rows(test))


def test_nothing_is_held_out_unless_asked_for():
    task = task_of(["a", "b", None])
    train, held, rest = held_out(task)
    assert (rows(train), held, rest) == (rows(task.take([0, 1])), None, None)


def test_parts_of_one_task_count_their_classes_alike():
    train, held, rest = held_out(
        task_of(["b", "a"]), validation=task_of(["c"], word="one"), test=task_of(["a"], word="two")
    )
    assert train.label_names == held.label_names == rest.label_names
    assert [counts(part) for part in (train, held, rest)] == [{"a": 1, "b": 1}, {"c": 1}, {"a": 1}]


@pytest.mark.parametrize(
    ("validation", "test", "says"),
    [
        ("text", "one", "training rows also stand in the validation split"),
        ("one", "text", "training rows also stand in the test split"),
        ("one", "ONE", "validation rows also stand in the test split"),
    ],
)
def test_parts_that_share_rows_are_refused_or_lose_them(validation, test, says, one_sentence):
    task = task_of(["a", "b"] * 4)
    parts = {
        "validation": task_of(["a", "b"] * 2, word=validation),
        "test": task_of(["a", "b"], word=test),
    }
    with pytest.raises(DataError, match=says) as told:
        held_out(task, **parts)
    assert one_sentence(told.value)
    train, held, rest = held_out(task, **parts, overlap="drop")
    plain = [{plain_letters(text) for text in part.texts} for part in (train, held, rest)]
    assert all(one.isdisjoint(other) for one, other in combinations(plain, 2))
    assert rows(rest) == rows(parts["test"])


def test_overlap_is_refuse_or_drop(one_sentence):
    with pytest.raises(SettingError, match="'refuse' or 'drop'") as told:
        held_out(task_of(["a", "b"]), overlap="keep")
    assert one_sentence(told.value)


@pytest.mark.parametrize("wrong", ["0.2", True, [0.2]])
def test_a_validation_that_is_no_share_is_refused(wrong, one_sentence):
    task = Task([f"text {i}" for i in range(20)], ["a", "b"] * 10, name="t")
    with pytest.raises(SettingError, match="validation") as error:
        held_out(task, validation=wrong)
    assert one_sentence(error.value)
    assert len(held_out(task, validation=np.float32(0.2))[1]) == len(held_out(task, validation=0.2)[1]) == 4
