from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.prompting.likeness import (
    Transfer,
    by_target,
    known_transfers,
    read_transfers,
    source_prior,
    standardised,
)

NAN = np.nan


def write(folder, text, name="transfers.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_reads_rows_and_one_model_of_several(tmp_path):
    path = write(tmp_path, "source,target,model,score\na,b,m1,0.5\nb,a,m1,0.25\na,b,m2,0.75\n")
    assert read_transfers(path, model="m1") == (Transfer("a", "b", 0.5), Transfer("b", "a", 0.25))
    assert read_transfers(path, model="m2") == (Transfer("a", "b", 0.75),)


def test_reads_json_lines_without_a_model(tmp_path):
    path = write(tmp_path, '{"source": "a", "target": "b", "score": 0.5}\n', "t.jsonl")
    assert read_transfers(path) == (Transfer("a", "b", 0.5),)


@pytest.mark.parametrize(
    ("text", "model", "says"),
    [
        ("source,target\na,b\n", None, "has no column 'score'; it has 'source', 'target'"),
        ("source,target,score\na,b,1\n", "m", "has no column 'model'"),
        (
            "source,target,model,score\na,b,m1,1\na,b,m2,1\n",
            None,
            "transfers of 2 models; say which; there is 'm1', 'm2'",
        ),
        ("source,target,model,score\na,b,m1,1\n", "m3", "no transfers of the model 'm3'; there is 'm1'"),
        ("source,target,score\na,b,\n", None, "line 2: the score '' is not a number"),
        ("source,target,score\na,b,nan\n", None, "line 2: the score 'nan' is not a number"),
        ("source,target,score\n", None, "has no rows"),
    ],
)
def test_says_what_is_wrong_with_a_table(tmp_path, text, model, says):
    with pytest.raises(DataError, match=says):
        read_transfers(write(tmp_path, text), model=model)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_transfers(tmp_path / "none.csv")


def test_runs_of_one_cell_are_averaged():
    rows = [Transfer("a", "t", 0.2), Transfer("a", "t", 0.4), Transfer("b", "t", 1.0)]
    assert by_target(rows) == {"t": {"a": pytest.approx(0.3), "b": 1.0}}


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="the score of 'a' on 't' is nan"):
        by_target([Transfer("a", "t", NAN)])


def test_standardised_by_hand():
    # Foreign scores 1 and 3: mean 2, deviation 1.  The own prompt's 9 stands at 7 and moves neither.
    np.testing.assert_allclose(standardised({"a": 1, "b": 3, "t": 9}, "t", ["a", "t", "b", "c"]), [-1, 7, 1, NAN])
    assert np.isnan(standardised({"a": 1, "t": 9}, "t", ["a", "t"])).all()  # one foreign score has no spread
    np.testing.assert_allclose(standardised({"a": 2, "b": 2, "t": 9}, "t", ["a", "b", "t", "c"]), [0, 0, 0, NAN])


def test_prior_by_hand():
    scores = {
        "t": {"a": 0.9, "b": 0.1, "c": 0.5},  # the target: must not count
        "u": {"a": 1, "b": 3, "c": 2},
        "a": {"a": 99, "b": 5, "c": 7},  # its own prompt's 99 counts neither for it nor for the spread
    }
    high = 1.5**0.5
    np.testing.assert_allclose(source_prior(scores, "t", ["a", "b", "c"]), [-high, (high - 1) / 2, (0 + 1) / 2])
    np.testing.assert_allclose(source_prior({"t": {"a": 1, "b": 2}}, "t", ["a", "b"]), [0, 0])


def test_known_transfers_by_hand():
    scores = {"a": {"a": 4, "b": 0, "c": 2}, "t": {"a": 1, "b": 2, "c": 3}, "u": {"a": 1, "b": 2, "c": 3}}
    expected = [[3, -1, 1], [NAN, NAN, NAN], [NAN, NAN, NAN]]
    np.testing.assert_allclose(known_transfers(scores, "t", ["a", "b", "c"]), expected)
    # A source that carries the target's name does not open its column.
    assert np.isnan(known_transfers(scores, "a", ["a", "b", "c"])).all()


def test_the_published_table_has_the_shape_its_page_states(published):
    for backbone, sources, targets in (("roberta-base", 15, 14), ("t5-small", 18, 17)):
        prompts, rows = published(backbone)
        assert len(rows) == sources * targets
        assert {row.source for row in rows} == {*prompts, "random"}
    scores = by_target(published("roberta-base")[1])
    assert scores["IMDB"]["IMDB"] == 0.8971  # the first row of the file
    assert scores["IMDB"]["MNLI"] == 0.5706
