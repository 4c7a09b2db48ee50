from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError
from taskspace.labels import Classes, Numbers, Targets
from taskspace.task import Inputs, Pool, Task

TEXT = st.text(max_size=6)
ROWS = st.lists(st.tuples(TEXT, st.none() | TEXT, st.sampled_from(["x", "y", "z", None])), min_size=1, max_size=8)


def task_of(rows, **options):
    texts, pairs, labels = zip(*rows, strict=True)
    return Task(texts, labels, pairs, **options)


# Inputs


def test_columns_of_different_length():
    with pytest.raises(DataError, match="2 texts but 1 second texts"):
        Inputs.of(["a", "b"], ["c"])
    with pytest.raises(DataError, match="2 texts but 3 labels"):
        Task(["a", "b"], ["x", "y", "z"])


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", ["list"]])
def test_a_text_that_is_none(wrong, one_sentence):
    with pytest.raises(DataError, match="row 1 holds") as caught:
        Task(["a", wrong], ["x", "y"])
    assert one_sentence(caught.value)


def test_an_empty_second_text_is_none():
    inputs = Inputs.of(["a", "b", "c"], ["", None, "d"])
    assert inputs.pairs == (None, None, "d")
    assert inputs.is_pair.tolist() == [False, False, True]
    assert Inputs.of(["a"]).pairs == (None,)


@given(st.lists(st.tuples(TEXT, st.none() | TEXT.filter(bool)), max_size=8))
def test_digests_are_equal_where_rows_are(rows):
    inputs = Inputs.of([text for text, _ in rows], [pair for _, pair in rows])
    assert len(set(inputs.digests)) == len(set(rows))
    assert all(len(digest) == 16 for digest in inputs.digests)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), (("a", None), ("a", "-")), (("a", "b"), ("b", "a")), (("1:a", None), ("", "1:a"))],
)
def test_the_border_between_texts_counts(one, other):
    assert Inputs.of([one[0]], [one[1]]).digests != Inputs.of([other[0]], [other[1]]).digests


def test_half_characters_have_a_digest():
    assert len(set(Inputs.of(["\ud800", "\ud801", "?"]).digests)) == 3


# Task


@pytest.mark.parametrize(
    ("labels", "kind"), [([1, 2], "classes"), ([1.5, 2], "numbers"), (Targets(("a", "b")), "targets"), (None, None)]
)
def test_the_kind_follows_the_labels(labels, kind):
    assert Task(["a", "b"], labels).kind == kind


def test_label_names():
    assert Task(["a", "b"], ["no", "yes"]).label_names == ("no", "yes")
    assert Task(["a", "b"], [0.5, 1]).label_names == ()
    assert Task(["a", "b"]).label_names == ()


def test_no_rows(one_sentence):
    with pytest.raises(DataError, match="task 'empty' has no rows") as caught:
        Task([], [], name="empty")
    assert one_sentence(caught.value)


def test_repr_is_short():
    assert repr(Task(["a", "b"], ["x", "y"], name="t")) == "Task('t', 2 rows, 2 classes)"
    assert repr(Task(["a"], name="t")) == "Task('t', 1 rows, no labels)"
    assert repr(Pool(["a", "b"], [None, "c"])) == "Pool(2 rows, 1 of them pairs)"


@given(ROWS, st.randoms(use_true_random=False), st.permutations(["x", "y", "z"]))
def test_the_fingerprint_ignores_order_name_and_numbering(rows, shuffler, names):
    task = task_of(rows, name="one", description="something")
    shuffled = shuffler.sample(rows, len(rows))
    codes = np.array([-1 if label is None else names.index(label) for *_, label in shuffled])
    other = Task([r[0] for r in shuffled], Classes(codes, tuple(names)), [r[1] for r in shuffled], name="two")
    assert other.fingerprint == task.fingerprint


ROW = [("a b", "c", "x"), ("d", None, "y"), ("e", None, None)]


@pytest.mark.parametrize(
    "changed",
    [
        [("a B", "c", "x"), *ROW[1:]],
        [("a b ", "c", "x"), *ROW[1:]],
        [("a b", "C", "x"), *ROW[1:]],
        [("a b", None, "x"), *ROW[1:]],
        [("c", "a b", "x"), *ROW[1:]],
        [("a b", "c", "y"), *ROW[1:]],
        [("a b", "c", None), *ROW[1:]],
        [ROW[0], ("d", "new", "y"), ROW[2]],
        [*ROW[:2], ("e", None, "x")],
        [("a b", "c", "y"), ("d", None, "x"), ROW[2]],
        ROW[:2],
        [*ROW, ROW[0]],
    ],
)
def test_the_fingerprint_changes_with_any_text_pair_or_label(changed):
    assert task_of(changed).fingerprint != task_of(ROW).fingerprint


def test_the_fingerprint_knows_the_kind_of_label():
    prints = {Task(["a", "b"], ["1", "2"], kind=kind).fingerprint for kind in ("classes", "numbers", "targets")}
    prints |= {Task(["a", "b"]).fingerprint, Pool(["a", "b"]).fingerprint}
    assert len(prints) == 5


def test_take_keeps_class_names_name_and_description():
    task = Task(["a", "b", "c"], ["x", "y", "z"], [None, "p", None], name="t", description="d")
    part = task.take([2, 1])
    assert (part.texts, part.text_pairs) == (("c", "b"), (None, "p"))
    assert part.label_names == ("x", "y", "z")
    assert part.stated_labels.codes.tolist() == [2, 1]
    assert (part.name, part.description, part.kind) == ("t", "d", "classes")


@given(ROWS, st.randoms(use_true_random=False))
def test_canonical_is_one_order_of_the_same_rows(rows, shuffler):
    canonical = task_of(rows).canonical()
    again = task_of(shuffler.sample(rows, len(rows))).canonical()
    assert canonical.inputs == again.inputs
    assert canonical.stated_labels.row_keys() == again.stated_labels.row_keys()
    assert canonical.fingerprint == task_of(rows).fingerprint


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task(["a", "b"], name="t"), r"task 't' has no labels; .*learner='text'"),
        (Task(["a", "a", "a"], ["x", "y", "x"], name="t"), "all 3 texts of task 't' are equal"),
        (Task(["a", "b"], ["x", "x"], name="t"), r"task 't' has one label only \('x'\)"),
        (Task(["a", "b"], ["x", None], name="t"), r"task 't' has one label only \('x'\)"),
        (Task(["a", "b"], [None, ""], name="t"), "task 't' has no label that is filled in"),
        (Task(["a", "b"], Numbers(np.array([2.5, 2.5])), name="t"), r"one label only \('2.5'\)"),
        (Task(["a", "b"], Targets(("see: this", "see: this")), name="t"), r"one label only \('see: this'\)"),
    ],
)
def test_what_cannot_be_learned(task, said, one_sentence):
    with pytest.raises(DataError, match=said) as caught:
        task.require_learnable()
    assert one_sentence(caught.value)


@pytest.mark.parametrize(
    "task",
    [
        Task(["a", "b"], ["x", "y"]),
        Task(["a", "a"], ["x", "y"], [None, "b"]),
        Task(["a", "b", "c"], [0.5, None, 0.25]),
        Task(["a", "b"], ["p", "q"], kind="targets"),
    ],
)
def test_what_can(task):
    task.require_learnable()


def test_files_and_frames_come_through_the_door(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "t.csv"
    path.write_text("text,label\none text,x\nanother,y\n", encoding="utf-8")
    frame = pandas.DataFrame({"text": ["another", "one text"], "label": ["y", "x"]})
    assert Task.from_file(path).fingerprint == Task.from_frame(frame).fingerprint
    assert Pool.from_file(path).inputs == Inputs.of(["one text", "another"])


# Pool


def test_a_pool_has_an_order():
    assert Pool(["a", "b"]).fingerprint == Pool(("a", "b"), ["", None]).fingerprint
    others = [Pool(["b", "a"]), Pool(["a"], ["b"]), Pool(["a", "b"], [None, "c"]), Pool(["a", "b", "b"]), Pool(["ab"])]
    assert len({pool.fingerprint for pool in [Pool(["a", "b"]), *others]}) == 6


def test_an_empty_pool(one_sentence):
    with pytest.raises(DataError, match="the pool has no texts") as caught:
        Pool([])
    assert one_sentence(caught.value)


def rows_of(pool):
    return list(zip(pool.texts, pool.text_pairs, strict=True))


def numbered(name, count):
    return Task([f"{name} {i}" for i in range(count)], [str(i % 2) for i in range(count)], name=name)


@given(st.randoms(use_true_random=False), st.integers(1, 40), st.integers(0, 5))
def test_a_draw_does_not_depend_on_any_order(shuffler, size, seed):
    tasks = [numbered("a", 12), numbered("b", 9), Task(["p", "q", "a 1"], ["x", "y", "x"], ["r", "s", None])]
    shuffled = [task.take(shuffler.sample(range(len(task)), len(task))) for task in shuffler.sample(tasks, 3)]
    drawn = Pool.from_tasks(tasks, size=size, seed=seed)
    assert Pool.from_tasks(shuffled, size=size, seed=seed).fingerprint == drawn.fingerprint
    assert len(set(rows_of(drawn))) == len(drawn) == min(size, 23)


def test_a_draw_is_seeded():
    tasks = [numbered("a", 50), numbered("b", 50)]
    draws = [frozenset(rows_of(Pool.from_tasks(tasks, size=20, seed=seed))) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


@pytest.mark.parametrize("size", [4, 5, 30, 31, 32, 59, 60])
def test_a_draw_is_even(size):
    tasks = [numbered("a", 100), numbered("b", 100), numbered("few", 2)]
    counts = Counter(text.split()[0] for text in Pool.from_tasks(tasks, size=size).texts)
    assert sum(counts.values()) == size
    assert counts["few"] in (min(2, size // 3), min(2, -(-size // 3)))
    assert abs(counts["a"] - counts["b"]) <= 1


def test_a_row_in_two_tasks_is_drawn_once_and_repeats_do_not_count():
    twin = Task(["a 1", "a 2", "b 9"], ["x", "y", "x"], name="twin")
    pool = Pool.from_tasks([numbered("a", 4), twin, Task(["a 3"] * 5, ["x"] * 5)], size=100)
    assert sorted(pool.texts) == ["a 0", "a 1", "a 2", "a 3", "b 9"]


def test_a_draw_is_random_within_a_task():
    """Every row is drawn about as often as any other, over seeds."""
    task = numbered("a", 20)
    counts = Counter(text for seed in range(400) for text in Pool.from_tasks([task], size=5, seed=seed).texts)
    assert set(counts) == set(task.texts)
    assert all(abs(n - 100) < 5 * (400 * 0.25 * 0.75) ** 0.5 for n in counts.values())


@pytest.mark.parametrize(
    ("tasks", "size", "said"), [([], 5, "no tasks were given"), ([numbered("a", 3)], 0, "no texts")]
)
def test_draws_that_cannot_be(tasks, size, said):
    with pytest.raises(DataError, match=said):
        Pool.from_tasks(tasks, size=size)


def test_overlap():
    pool = Pool(["The cat, sat!", "other", "???"], [None, "Second Text", None])
    task = Task(
        ["the CAT sat", "the cat sits", "new", "second_text", "!!", "???", "\u2460"],
        ["x", "y", "x", "y", "x", "y", "x"],
        [None, None, "ＯＴＨＥＲ", None, None, None, None],
    )
    assert pool.overlap(task) == 4  # the cat; the full-width pair; the pool's second text; the same signs
    assert pool.overlap(Task(["nothing", "alike"], ["x", "y"])) == 0


@given(st.lists(st.sampled_from(["red", "blue", "Red!", "green", "gr een"]), min_size=1))
def test_overlap_counts_rows(texts):
    shuffled = random.Random(0).sample(texts, len(texts))
    expected = sum(text in ("red", "Red!", "green", "gr een") for text in texts)
    assert Pool(["rED", "GREEN"]).overlap(Task(shuffled, ["x"] * len(texts))) == expected
