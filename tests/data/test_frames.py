from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from taskspace.data import task_from_frame
from taskspace.errors import DataError
from taskspace.labels import Classes, Numbers


def test_every_missing_value_is_missing():
    texts = ["a", "b", "c", "d"]
    columns = [
        pd.DataFrame({"text": texts, "label": [1.0, np.nan, 2.0, 1.0]}),
        pd.DataFrame({"text": texts, "label": pd.array([1, None, 2, 1], dtype="Int64")}),
        pd.DataFrame({"text": texts, "label": np.array([1, None, "2", 1], dtype=object)}),
        pd.DataFrame({"text": texts, "label": pd.Categorical(["1", None, "2", "1"])}),
        pl.DataFrame({"text": texts, "label": [1, None, 2, 1]}),
        pl.DataFrame({"text": texts, "label": [1.0, float("nan"), 2.0, 1.0]}),
        pl.DataFrame({"text": texts, "label": ["1", None, "2", "1"]}, schema_overrides={"label": pl.Categorical}),
        pa.table({"text": texts, "label": [1, None, 2, 1]}),
    ]
    for frame in columns:
        labels = task_from_frame(frame).labels
        assert isinstance(labels, Classes)
        assert labels.names == ("1", "2")
        assert labels.codes.tolist() == [0, -1, 1, 0]


def test_numbers_with_a_fraction_are_numbers():
    labels = task_from_frame(pd.DataFrame({"text": ["a", "b"], "score": [0.5, np.nan]})).labels
    assert isinstance(labels, Numbers)
    np.testing.assert_array_equal(labels.values, [0.5, np.nan])


def test_a_half_empty_pair_column_and_an_odd_index():
    frame = pd.DataFrame({"premise": ["a", "b"], "hypothesis": ["c", None], "label": [0, 1]}, index=[7, 7])
    assert task_from_frame(frame).inputs.pairs == ("c", None)


def test_names_of_frame_and_task():
    frame = pd.DataFrame({0: ["a", "b"], "text": ["c", "d"], "label": ["x", "y"]})
    assert task_from_frame(frame).name == "frame"
    assert task_from_frame(frame, name="mine").name == "mine"
    with pytest.raises(DataError, match=r"the frame has no column 'lable' for --label; did you mean 'label'\?"):
        task_from_frame(frame, label="lable")


def test_more_rows_than_a_batch():
    frame = pl.DataFrame({"text": [f"t{i}" for i in range(2500)], "label": [i % 3 for i in range(2500)]})
    task = task_from_frame(frame)
    assert task.inputs.texts == tuple(frame["text"])
    assert task.labels.codes.tolist() == frame["label"].to_list()


def test_errors_name_the_row():
    with pytest.raises(DataError, match="the frame, row 2: column 'label' holds a list"):
        task_from_frame(pl.DataFrame({"text": ["a", "b"], "label": [None, [1]]}))


@pytest.mark.parametrize("thing", [{"text": ["a"]}, [1, 2], "file.csv", None, pd.Series([1])])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(DataError, match="is not a data frame"):
        task_from_frame(thing)


def test_a_frame_with_a_name_twice_is_refused():
    with pytest.raises(DataError, match="give each column its own name"):
        task_from_frame(pd.DataFrame([["a", "b", 1]], columns=["text", "text", "label"]))


def test_an_empty_frame():
    with pytest.raises(DataError, match="the frame has no rows"):
        task_from_frame(pd.DataFrame({"text": [], "label": []}))
    with pytest.raises(DataError, match="the frame has no rows"):
        task_from_frame(pl.DataFrame())
