from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import LabelerError
from taskspace.labelers._answers import checked, to_answers
from taskspace.labelers._origin import Origin
from taskspace.labels import Answers

X = Origin("x")


def of(rows, kind=None):
    return to_answers(rows, X, kind)


def test_probabilities_are_kept_and_rescaled_to_a_sum_of_one():
    answers = of([[0.2, 0.8004], [0.5, 0.5]])
    np.testing.assert_allclose(answers.values, [[0.2 / 1.0004, 0.8004 / 1.0004], [0.5, 0.5]], rtol=1e-15)
    assert answers.kind == "classes"
    assert answers.known.all()


@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(0.01, 1)))
def test_any_normalised_matrix_comes_back(weights):
    p = weights / weights.sum(axis=1, keepdims=True)
    answers = of(list(p))
    np.testing.assert_allclose(answers.values, p, rtol=1e-12)
    np.testing.assert_allclose(answers.values.sum(axis=1), 1, rtol=1e-14)


def test_rows_of_nothing_abstain():
    nan = math.nan
    answers = of([[nan, nan], [0.5, 0.5], None, [None, None]])
    assert answers.known.tolist() == [False, True, False, False]
    assert answers.values.tolist() == [[0, 0], [0.5, 0.5], [0, 0], [0, 0]]
    assert answers.coverage == 0.25


def test_one_column_is_the_probability_of_one_of_two_classes():
    np.testing.assert_allclose(of([[0.25], [1.0], None]).values, [[0.75, 0.25], [0, 1], [0, 0]])


def test_integer_rows_are_one_hot_probabilities():
    assert of([[0, 1], [1, 0]]).values.tolist() == [[0, 1], [1, 0]]


def test_hard_labels_become_one_hot_columns_in_natural_order():
    answers = of(["10", "9", None, "9"])
    assert answers.values.tolist() == [[0, 1], [1, 0], [0, 0], [1, 0]]
    assert answers.known.tolist() == [True, True, False, True]


@pytest.mark.parametrize("rows", [["a", "b", "a"], [3, 7, 3], [True, False, True], [1.0, 2.0, 1.0]])
def test_any_two_labels_give_two_columns(rows):
    values = of(rows).values
    assert values.shape == (3, 2)
    np.testing.assert_array_equal(values[0], values[2])
    assert values[0] @ values[1] == 0


def test_numbers_with_a_fraction_are_numbers():
    answers = of([1.5, 2.0, None])
    assert answers.kind == "numbers"
    assert answers.values.tolist() == [[1.5], [2.0], [0.0]]
    assert answers.known.tolist() == [True, True, False]


def test_whole_numbers_are_numbers_when_said():
    answers = of([1, 2, 5], "numbers")
    assert answers.kind == "numbers"
    assert answers.values.tolist() == [[1], [2], [5]]


def test_dicts_meet_in_the_union_of_their_names():
    answers = of([{"b": 0.25, "a": 0.75}, {"c": 1.0}, {}, None])
    assert answers.values.tolist() == [[0.75, 0.25, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert answers.known.tolist() == [True, True, False, False]


def test_all_scores_of_a_pipeline_are_probabilities_in_any_order():
    yes, no = {"label": "YES", "score": 0.9}, {"label": "NO", "score": 0.1}
    answers = of([[yes, no], [no, yes]])
    np.testing.assert_allclose(answers.values, [[0.1, 0.9], [0.1, 0.9]])


def test_the_best_score_alone_is_exact_for_two_labels():
    answers = of([{"label": "YES", "score": 0.9}, {"label": "NO", "score": 0.7}, None])
    np.testing.assert_allclose(answers.values, [[0.1, 0.9], [0.7, 0.3], [0, 0]])


def test_what_the_best_scores_leave_is_shared_evenly():
    best = [{"label": name, "score": score} for name, score in [("a", 0.7), ("b", 0.1), ("c", 0.4), ("d", 0.4)]]
    answers = of([best[:2], best[2:]])
    np.testing.assert_allclose(answers.values, [[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]])


def test_one_label_ever_named_is_one_of_two_classes():
    answers = of([[{"label": "LABEL_0", "score": 0.3}], [{"label": "LABEL_0", "score": 0.8}]])
    np.testing.assert_allclose(answers.values, [[0.7, 0.3], [0.2, 0.8]])


def test_five_thousand_classes(rng):
    names = [f"class {code}" for code in rng.permutation(5000)]
    values = of(names).values
    assert values.shape == (5000, 5000)
    np.testing.assert_array_equal(values.sum(axis=0), 1)
    np.testing.assert_array_equal(values.sum(axis=1), 1)
    logits = rng.normal(size=(40, 5000)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(of(list(p)).values, p, rtol=1e-3)


def test_a_constant_predictor_is_fine():
    assert of(["spam"] * 4).values.tolist() == [[1]] * 4
    assert of([[1.0, 0.0]] * 3).values.tolist() == [[1, 0]] * 3


def test_half_of_the_rows_may_abstain():
    answers = of(["a", None] * 50)
    assert answers.coverage == 0.5
    assert not answers.values[1::2].any()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, 0.5], [0.5, math.nan]], r"gave \[0.5, nan\] in row 1, some of them NaN"),
        ([[0.5, 0.5], [-0.2, 1.2]], r"gave \[-0.2, 1.2\] in row 1, some of them negative"),
        ([[0.5, 0.5], [math.inf, 0]], r"gave \[inf, 0\] in row 1, which are not all finite"),
        ([[0.5, 0.5], [0.5, 0.502]], r"gave \[0.5, 0.502\] in row 1, which sum to 1.002, not 1"),
        ([[2.0, -1.0], [0.5, 0.5]], r"in row 0, some of them negative; give probabilities \(apply a softmax\)"),
        ([None, [0.5, 0.5], [0.2, 0.3, 0.5]], "gave 3 probabilities in row 2 but 2 in row 1"),
        ([[0.5, 0.5], []], "gave 0 probabilities in row 1 but 2 in row 0"),
        ([[], []], "gave rows without any probability"),
        ([[0.5], [1.5]], r"gave \[1.5\] in row 1, outside \[0, 1\]"),
        ([["a", "b"], ["c", "d"]], r"gave \['a', 'b'\] in row 0, which are not all numbers"),
        ([{"a": 0.5, "b": 0.2}], "in row 0, which sum to 0.7, not 1"),
        ([{"a": 0.5, "b": None}, {"a": 1}], "in row 0, some of them NaN"),
        ([{"a": "much"}], "in row 0, which are not all numbers"),
        ([[{"label": "a", "score": 0.9}, {"label": "b", "score": 0.9}]], "in row 0, which sum to 1.8, not 1"),
        ([[{"label": "a", "score": 0.4}, {"label": "b", "score": 0.4}]], "in row 0, which sum to 0.8, not 1"),
        ([{"label": "a", "score": math.nan}, {"label": "b", "score": 1.0}], "gave a score of NaN in row 0"),
        (["a", [0.5, 0.5]], "gave labels in row 0 but probabilities in row 1"),
        ([None, "a", {"a": 1.0}], "gave labels in row 1 but named probabilities in row 2"),
        ([1.5, math.inf], "gave inf in row 1"),
        ([object(), "a"], "gave a object in row 0"),
        ([None, None], "abstained on all 2 texts"),
        ([[math.nan] * 2] * 3, "abstained on all 3 texts"),
        ([{}, {}], "abstained on all 2 texts"),
    ],
)
def test_bad_answers_get_one_sentence_with_the_row(rows, message):
    with pytest.raises(LabelerError, match=f"^x .*{message}") as caught:
        of(rows)
    assert "\n" not in str(caught.value)


def test_words_where_numbers_were_said():
    with pytest.raises(LabelerError, match="^x: label 'much' is not a number"):
        of([0.5, "much"], "numbers")


def test_rows_of_a_file_are_named_by_their_line():
    with pytest.raises(LabelerError, match="^f.csv gave .* in line 9, which sum to 2"):
        to_answers([[0.5, 0.5], [1, 1]], Origin("f.csv", "line", [2, 9]))


def test_long_rows_are_shown_in_part():
    with pytest.raises(LabelerError, match=r"gave \[1, 1, 1, 1, 1, 1, …\] in row 0, which sum to 100, not 1"):
        of([np.ones(100)])


class TestChecked:
    def test_good_answers_pass_and_unknown_rows_are_zeroed(self):
        given = Answers(np.array([[0.5, 0.5], [7.0, math.nan]]), np.array([True, False]))
        assert checked(given, 2, X).values.tolist() == [[0.5, 0.5], [0, 0]]

    def test_numbers_pass(self):
        given = Answers(np.array([[-3.5], [2.0]]), np.array([True, True]), "numbers")
        assert checked(given, 2, X).values.tolist() == [[-3.5], [2.0]]

    @pytest.mark.parametrize(
        ("values", "known", "kind", "message"),
        [
            ([[0.5, 0.5]], [True], "classes", "for 2 texts"),
            ([[0.5, 0.5]] * 2, [True], "classes", "for 2 texts"),
            ([0.5, 0.5], [True, True], "numbers", "for 2 texts"),
            ([[0.5, 0.6]] * 2, [True, True], "classes", "in row 0, which sum to 1.1"),
            ([[0.5, 0.5]] * 2, [False, False], "classes", "abstained on all 2"),
            ([[0.5], [math.nan]], [True, True], "numbers", "in row 1, which are not all finite"),
        ],
    )
    def test_bad_ones_do_not(self, values, known, kind, message):
        with pytest.raises(LabelerError, match=message):
            checked(Answers(np.array(values), np.array(known), kind), 2, X)
