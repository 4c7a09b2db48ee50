from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from taskspace.data.cells import ClassNames, as_label, as_text


@pytest.mark.parametrize("empty", [None, "", " \t\n", float("nan"), np.float32("nan"), np.float64("nan")])
def test_empty_cells_hold_neither_text_nor_label(empty):
    assert as_text(empty) is None
    assert as_label(empty) is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [(" a ", " a "), (1984, "1984"), (1984.0, "1984"), (0.25, "0.25"), (np.int64(3), "3"), (b"caf\xc3\xa9", "café")],
)
def test_texts_are_what_a_csv_file_would_hold(cell, text):
    assert as_text(cell) == text


def test_half_a_surrogate_pair_becomes_the_replacement_character():
    assert as_text("a\ud83d b 🙂") == "a\ufffd b 🙂"


@pytest.mark.parametrize("cell", [["a", "b"], {"a": 1}, True, b"\xff"])
def test_what_is_no_text_is_refused(cell):
    with pytest.raises(ValueError, match=r"where a text was expected|decode"):
        as_text(cell)


@pytest.mark.parametrize(
    ("cell", "label"),
    [("x", "x"), (1, 1), (True, True), (np.int8(2), 2), (np.bool_(False), False), (Decimal("0.5"), 0.5), ("NaN", None)],
)
def test_labels_are_plain_values(cell, label):
    assert as_label(cell) == label
    assert type(as_label(cell)) is type(label)


def test_several_labels_in_a_row_are_refused():
    with pytest.raises(ValueError, match="holds a list where one label per row was expected"):
        as_label([1, 2])


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ham", "ham"),
        (0, "ham"),
        ("1", "spam"),
        (1.0, "spam"),
        (True, "spam"),
        ("1.0", "spam"),
        (-1, None),
        (None, None),
    ],
)
def test_known_class_names_are_found_by_name_or_code(label, name):
    assert ClassNames(["ham", "spam"]).of(label) == name


@pytest.mark.parametrize("label", ["eggs", 2, -2, 0.5, "2", float("inf")])
def test_a_label_outside_the_known_names_is_refused(label):
    with pytest.raises(ValueError, match="neither one of the 2 class names nor its code"):
        ClassNames(["ham", "spam"]).of(label)


def test_a_name_that_looks_like_a_code_is_taken_as_the_name():
    assert ClassNames(["1", "0"]).of("0") == "0"
