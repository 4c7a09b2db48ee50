from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from taskspace.errors import LabelerError
from taskspace.labelers._rows import rows_of

MATRIX = [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]

MATRICES = {
    "lists": MATRIX,
    "tuples": tuple(tuple(row) for row in MATRIX),
    "numpy": np.array(MATRIX),
    "float32": np.array(MATRIX, dtype=np.float32),
    "rows of numpy": [np.array(row) for row in MATRIX],
    "torch": torch.tensor(MATRIX),
    "torch with gradient": torch.tensor(MATRIX, requires_grad=True),
    "bfloat16": torch.tensor(MATRIX, dtype=torch.bfloat16),
    "rows of torch": list(torch.tensor(MATRIX)),
    "pandas": pd.DataFrame(MATRIX, columns=["a", "b"]),
    "polars": pl.DataFrame({"a": [0.25, 1.0, 0.5], "b": [0.75, 0.0, 0.5]}),
    "sparse": scipy.sparse.csr_array(np.array(MATRIX)),
    "generator": (row for row in MATRIX),
}


@pytest.mark.parametrize("form", MATRICES)
def test_every_form_of_a_matrix_gives_its_rows(form):
    rows = rows_of(MATRICES[form], 3, "x")
    np.testing.assert_array_equal(np.array([np.asarray(row) for row in rows]), MATRIX)


LISTS = {
    "list": ["b", "a", None],
    "numpy objects": np.array(["b", "a", None], dtype=object),
    "pandas": pd.Series(["b", "a", None]),
    "pandas strings": pd.Series(["b", "a", pd.NA], dtype="string"),
    "polars": pl.Series(["b", "a", None]),
    "numpy bytes": [np.bytes_(b"b"), b"a", ""],
    "numpy strings": [np.str_("b"), "a", float("nan")],
    "map": map({1: "b", 2: "a", 3: ""}.get, [1, 2, 3]),
}


@pytest.mark.parametrize("form", LISTS)
def test_every_form_of_a_list_gives_plain_labels_and_none_where_missing(form):
    assert rows_of(LISTS[form], 3, "x") == ["b", "a", None]


@pytest.mark.parametrize(
    ("form", "plain"),
    [
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([1, 2]), [1, 2]),
        ([torch.tensor(1), np.int64(2)], [1, 2]),
        (np.array([True, False]), [True, False]),
        (pd.Series([1, pd.NA], dtype="Int64"), [1.0, None]),
        (np.array([0.5, np.nan]), [0.5, None]),
    ],
)
def test_numbers_come_out_as_python_numbers(form, plain):
    rows = rows_of(form, 2, "x")
    assert rows == plain
    assert [type(row) for row in rows] == [type(row) for row in plain]


def test_an_endless_generator_is_not_read_to_its_end():
    with pytest.raises(LabelerError, match="^x gave more than 3 answers for 3 texts"):
        rows_of(itertools.repeat("a"), 3, "x")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (["a"], "gave 1 answers for 3 texts"),
        (["a"] * 7, "gave 7 answers for 3 texts"),
        (iter(["a"]), "gave 1 answers for 3 texts"),
        (np.zeros((2, 3)), "gave 2 answers for 3 texts"),
        ("abc", "gave one str for 3 texts"),
        (None, "gave one NoneType for 3 texts"),
        (0.5, "gave one float for 3 texts"),
        ({"a": 1, "b": 2, "c": 3}, "gave one dict for 3 texts"),
        ({"a", "b", "c"}, "gave one set for 3 texts"),
        (np.zeros((3, 2, 2)), r"array of shape \(3, 2, 2\) for 3 texts"),
        (np.array(1.0), r"array of shape \(\) for 3 texts"),
        ([np.zeros((2, 2))] * 3, r"block of shape \(2, 2\) for one text"),
    ],
)
def test_what_is_not_one_answer_per_text_is_refused(output, message):
    with pytest.raises(LabelerError, match=f"^x {message}|^x gave an {message}|^x gave a {message}"):
        rows_of(output, 3, "x")
