from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.labels import Answers
from taskspace.learners import Evidence, gather
from taskspace.task import Inputs


def rows_of(evidence):
    """Each distinct input with its weight and values, whatever the order."""
    inputs = zip(evidence.inputs.texts, evidence.inputs.pairs, strict=True)
    return {row: (w, v) for row, w, v in zip(inputs, evidence.weights.tolist(), evidence.values.tolist(), strict=True)}


def test_by_hand():
    inputs = Inputs.of(["a", "b", "a", "b", "c", "a", "d"], [None, None, "p", None, None, None, None])
    values = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]])
    known = np.array([True] * 6 + [False])
    evidence = gather(inputs, Answers(values, known, "targets"))
    assert rows_of(evidence) == {
        ("a", None): (2 / 6, [0.5, 0.5, 0.0]),
        ("b", None): (2 / 6, [0.25, 0.75, 0.0]),
        ("a", "p"): (1 / 6, [0.0, 0.0, 1.0]),
        ("c", None): (1 / 6, [0.0, 1.0, 0.0]),
    }
    assert len(evidence) == 4
    assert evidence.kind == "targets"
    assert list(evidence.inputs.digests) == sorted(evidence.inputs.digests)


def test_classes_stand_in_an_order_of_their_own():
    inputs = Inputs.of(list("abcdef"))
    values = np.random.default_rng(0).dirichlet([1, 1, 1, 1], size=6)
    expected = gather(inputs, Answers(values, np.ones(6, dtype=bool))).values
    assert sorted(expected[0]) == sorted(
        values[inputs.texts.index(gather(inputs, Answers(values, np.ones(6, dtype=bool))).inputs.texts[0])]
    )
    for order in ([3, 1, 0, 2], [1, 0, 3, 2]):
        again = gather(inputs, Answers(values[:, order], np.ones(6, dtype=bool)))
        assert again.values.tobytes() == expected.tobytes()


def test_numbers_and_targets_keep_their_columns():
    inputs = Inputs.of(["a", "b"])
    values = np.array([[2.0, 1.0], [5.0, 0.0]])
    for kind in ("numbers", "targets"):
        evidence = gather(inputs, Answers(values, np.ones(2, dtype=bool), kind))
        assert {row: v for (row, _), (_, v) in rows_of(evidence).items()} == {"a": [2.0, 1.0], "b": [5.0, 0.0]}


LABELLED = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([0, 1, 2, None])), min_size=1, max_size=12)


def hard(rows):
    codes = [label for _, label in rows]
    values = np.array([[float(code == c) for c in range(3)] for code in codes])
    return Inputs.of([text for text, _ in rows]), Answers(values, np.array([code is not None for code in codes]))


@given(LABELLED, st.randoms(use_true_random=False))
def test_neither_order_nor_writing_twice_matters(rows, shuffler):
    once = gather(*hard(rows))
    shuffled = gather(*hard(shuffler.sample(rows, len(rows))))
    assert shuffled.values.tobytes() == once.values.tobytes()
    assert shuffled.weights.tobytes() == once.weights.tobytes()
    assert shuffled.inputs == once.inputs
    twice = gather(*hard([*rows, *rows]))
    assert twice.inputs == once.inputs
    np.testing.assert_allclose(twice.values, once.values, rtol=0, atol=1e-15)
    np.testing.assert_allclose(twice.weights, once.weights, rtol=1e-15)
    if len(once):
        assert once.weights.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(once.values.sum(axis=1), 1.0, atol=1e-12)


def test_nothing_answered():
    evidence = gather(Inputs.of(["a", "b"]), Answers(np.zeros((2, 3)), np.zeros(2, dtype=bool)))
    assert len(evidence) == 0
    assert evidence.values.shape == (0, 3)
    assert evidence.inputs.texts == ()


def test_no_answers_to_read():
    """Learners that need no labels get rows without columns, repeats merged."""
    evidence = gather(Inputs.of(["a", "b", "a"]), Answers(np.zeros((3, 0)), np.ones(3, dtype=bool)))
    assert evidence.values.shape == (2, 0)
    assert rows_of(evidence) == {("a", None): (2 / 3, []), ("b", None): (1 / 3, [])}


@pytest.mark.parametrize(
    ("values", "varies"),
    [
        ([[0.7, 0.3]] * 3, False),
        ([[0.1], [0.1], [0.1]], False),
        ([[1e8], [1e8], [1e8]], False),
        ([[0.0], [0.0], [0.0]], False),
        ([[1.0], [1.0], [1.0]], False),
        ([[1e-9], [2e-9], [1e-9]], True),
        ([[1e6], [1e6], [1e6 + 1]], True),
        ([[0.7, 0.3], [0.7, 0.3], [0.70001, 0.29999]], True),
        ([[1, 0], [0, 1], [1, 0]], True),
    ],
)
def test_varies(values, varies):
    weights = np.array([0.1, 0.2, 0.7])
    evidence = Evidence(Inputs.of(["a", "b", "c"]), np.array(values, dtype=float), weights, "numbers")
    assert evidence.varies is varies


def test_target_texts_come_along():
    """Those of a text that occurs twice stand together, in an order of their own; unanswered rows are left out."""
    inputs, targets = Inputs.of(["a", "b", "a", "c"]), ["y", "x", "w", None]
    answers = Answers(np.array([[1.0], [2.0], [3.0], [0.0]]), np.array([True, True, True, False]), "targets")
    evidence = gather(inputs, answers, targets)
    said = dict(zip(evidence.inputs.texts, evidence.targets, strict=True))
    assert said == {"a": ("w", "y"), "b": ("x",)}
    assert rows_of(evidence)["a", None] == (2 / 3, [2.0])
    assert gather(inputs, answers).targets == ()


def test_a_sample_is_drawn_by_the_seed():
    inputs = Inputs.of(list("abcdefgh"))
    values = np.eye(8)
    evidence = gather(inputs, Answers(values, np.ones(8, dtype=bool)))
    some = evidence.sample(3, 0)
    assert len(some) == 3
    assert some.values.shape == (3, 3)  # of eight classes those that are left
    assert some.weights.sum() == pytest.approx(1)
    assert set(some.inputs.texts) <= set("abcdefgh")
    assert some.inputs == evidence.sample(3, 0).inputs
    assert len({evidence.sample(3, seed).inputs.texts for seed in range(9)}) > 3
    assert evidence.sample(8, 0) is evidence
    texts = gather(inputs, Answers(values, np.ones(8, dtype=bool), "targets"), list("ABCDEFGH")).sample(3, 0)
    assert [said for (said,) in texts.targets] == [text.upper() for text in texts.inputs.texts]
