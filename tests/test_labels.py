from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.labels import Answers, Classes, Numbers, Targets, parse_labels

NAN = float("nan")


# Classes


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        ([1, 1.0, "1", "1.0", "1.000", np.int64(1), np.float32(1), np.float64(1)], "1"),
        ([0, 0.0, -0.0, "0", "-0.0"], "0"),
        ([-3, -3.0, "-3", "-3.0"], "-3"),
        ([True, "True", "true", "TRUE", np.bool_(True)], "true"),
        ([False, "False", "false", "FALSE"], "false"),
    ],
)
def test_spellings_of_one_class(spellings, name):
    labels = parse_labels([*spellings, "zebra"], kind="classes")
    assert labels.names == (name, "zebra")
    assert labels.codes.tolist() == [0] * len(spellings) + [1]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=8))
def test_whole_numbers_are_the_same_classes_in_every_form(numbers):
    expected = [str(n) for n in numbers]
    for form in (int, float, str, lambda n: f"{n}.0"):
        labels = parse_labels([form(n) for n in numbers])
        assert isinstance(labels, Classes)
        assert [labels.names[code] for code in labels.codes] == expected


@pytest.mark.parametrize("words", [["Yes", "yes"], ["a", "a "], ["1", "1.5x"], ["01", "1"], ["truE", "true"]])
def test_what_only_looks_alike_stays_apart(words):
    assert len(parse_labels(words).names) == 2


def test_numbers_come_first_and_by_size():
    assert parse_labels(["word", "10", "9", "-1", "Word", "2.50"], kind="classes").names == (
        "-1", "2.50", "9", "10", "Word", "word",
    )  # fmt: skip


@pytest.mark.parametrize("missing", [None, NAN, "", np.float64("nan"), np.float32("nan")])
@pytest.mark.parametrize("kind", [None, "classes", "numbers", "targets"])
def test_missing_labels(missing, kind):
    labels = parse_labels(["1.5", missing, "2"], kind)
    answered = {
        Classes: lambda: labels.codes >= 0,
        Numbers: lambda: ~np.isnan(labels.values),
        Targets: lambda: [text is not None for text in labels.texts],
    }[type(labels)]()
    assert list(answered) == [True, False, True]
    assert [key == "" for key in labels.row_keys()] == [False, True, False]


def test_all_missing():
    labels = parse_labels([None, "", NAN])
    assert labels.names == ()
    assert labels.codes.tolist() == [-1, -1, -1]
    assert Answers.from_labels(labels).values.shape == (3, 0)


def test_zero_is_not_missing():
    assert parse_labels([0, 0.0, False, "0"], kind="classes").codes.min() == 0


# Numbers


@pytest.mark.parametrize("raw", [[1, 2.5, None], ["1", "2.5", ""], [1.0, "2.5", NAN], ["1e0", "+2.5", None]])
def test_a_fraction_makes_numbers(raw):
    labels = parse_labels(raw)
    assert isinstance(labels, Numbers)
    np.testing.assert_array_equal(labels.values, [1.0, 2.5, NAN])


@pytest.mark.parametrize("raw", [[1, 2, 3], ["1.0", "2"], ["0.5", "half"], [0.5, True], [0.5, "inf"], [1, 10**400]])
def test_classes_otherwise(raw):
    assert isinstance(parse_labels(raw), Classes)


def test_whole_numbers_are_numbers_when_asked():
    labels = parse_labels([3, "4", 5.0, None], kind="numbers")
    np.testing.assert_array_equal(labels.values, [3.0, 4.0, 5.0, NAN])
    assert labels.values.dtype == np.float64


@pytest.mark.parametrize("wrong", ["three", True, "inf", float("-inf"), "nan", 10**400])
def test_what_is_no_number_is_named(wrong, one_sentence):
    with pytest.raises(DataError) as caught:
        parse_labels([1, wrong], kind="numbers")
    assert repr(wrong) in str(caught.value)
    assert one_sentence(caught.value)


def test_an_unknown_kind():
    with pytest.raises(SettingError, match=r"'number' is not one of .*'numbers'"):
        parse_labels([1], kind="number")


def test_targets_are_texts():
    labels = parse_labels([12, "a b", None, 1.5], kind="targets")
    assert labels.texts == ("12", "a b", None, "1.5")


# Rows


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1), st.permutations(["a", "b", "c"]))
def test_row_keys_do_not_know_the_numbering(raw, names):
    renumbered = Classes(np.array([-1 if v is None else names.index(v) for v in raw]), tuple(names))
    assert renumbered.row_keys() == parse_labels(raw).row_keys()


def test_row_keys_tell_kinds_apart():
    keys = [parse_labels(["1"], kind).row_keys()[0] for kind in ("classes", "numbers", "targets")]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("kind", ["classes", "numbers", "targets"])
def test_take(kind):
    raw = ["3", None, "1", "2"]
    rows = np.array([2, 1, 1, 0])
    taken = parse_labels(raw, kind).take(rows)
    assert len(taken) == 4
    assert taken.row_keys() == parse_labels([raw[i] for i in rows], kind).row_keys()


def test_present_after_take():
    part = parse_labels(["a", "b", "c", None]).take(np.array([2, 0, 3]))
    assert part.names == ("a", "b", "c")
    assert part.present().tolist() == [0, 2]


# Answers


def test_one_hot_by_hand():
    answers = Answers.from_labels(Classes(np.array([2, -1, 0, 2]), ("a", "never", "c")))
    assert answers.values.tolist() == [[0, 1], [0, 0], [1, 0], [0, 1]]
    assert answers.known.tolist() == [True, False, True, True]
    assert answers.kind == "classes"
    assert answers.coverage == 0.75
    assert len(answers) == 4


def test_numbers_as_they_are():
    answers = Answers.from_labels(Numbers(np.array([0.5, math.nan, -2.0])))
    assert answers.values.tolist() == [[0.5], [0.0], [-2.0]]
    assert answers.known.tolist() == [True, False, True]
    assert answers.kind == "numbers"


def test_coverage_of_nothing():
    assert Answers(np.zeros((0, 2)), np.zeros(0, dtype=bool)).coverage == 0.0
