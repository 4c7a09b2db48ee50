from __future__ import annotations

import gzip

import pytest

from taskspace.errors import DataError
from taskspace.ranking.history import Row, read_rows

HEAD = "source,target,score,baseline,seed,metric\n"


def write(folder, text, name="transfers.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_reads_all_that_a_row_says(tmp_path):
    path = write(tmp_path, HEAD + "a,b,0.5,0.25,3,f1\nb,a,1e-2,,,\n")
    assert read_rows(path) == (Row("a", "b", 0.5, 0.25, 3, "f1"), Row("b", "a", 0.01))


def test_reads_compressed_tables_and_json_lines_alike(tmp_path):
    packed = tmp_path / "transfers.csv.gz"
    packed.write_bytes(gzip.compress(b"source,target,score,seed\na,b,0.5,1\n"))
    lines = write(tmp_path, '{"source": "a", "target": "b", "score": 0.5, "seed": 1, "baseline": null}\n', "t.jsonl")
    assert read_rows(packed) == read_rows(lines) == (Row("a", "b", 0.5, seed=1),)


def test_empty_numbers_of_parquet_are_no_numbers(tmp_path):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"source": ["a", "b"], "target": ["t", "t"], "score": [1.0, 2.0]})
    frame["baseline"], frame["seed"] = [0.5, None], [7, None]  # pandas makes both columns float64 with NaN
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_rows(tmp_path / "t.parquet") == (Row("a", "t", 1.0, 0.5, 7), Row("b", "t", 2.0))


def test_keeps_one_model_of_several(tmp_path):
    path = write(tmp_path, "source,target,model,score\na,b,m1,1\na,b,m2,2\n")
    assert read_rows(path, model="m2") == (Row("a", "b", 2.0),)


@pytest.mark.parametrize(
    ("text", "model", "says"),
    [
        ("source,score\na,1\n", None, "has no column 'target'; it has 'source', 'score'"),
        (HEAD, None, "has no rows; give one per source and target"),
        (HEAD + "a,b,1,,,\n", "m", "has no column 'model'"),
        ("source,target,model,score\na,b,m1,1\na,b,m2,1\n", None, "transfers of 2 models; say which"),
        ("source,target,model,score\na,b,bert,1\n", "bart", "no transfers of the model 'bart'; did you mean 'bert'"),
        (HEAD + "a,b,1,,,\na,c,,,,\n", None, "line 3: the score '' is not a number; mend or drop the row"),
        (HEAD + "a,b,nan,,,\n", None, "the score 'nan' is not a number"),
        (HEAD + "a,b,inf,,,\n", None, "the score 'inf' is not a number"),
        (HEAD + "a,b,1,low,,\n", None, "the baseline 'low' is not a number"),
        (HEAD + "a,b,1,,1.5,\n", None, "the seed '1.5' is not a whole number; mend it, or leave it empty"),
        (HEAD + ",b,1,,,\n", None, "line 2: the source has no name"),
    ],
)
def test_says_what_is_wrong_with_a_table(tmp_path, text, model, says):
    with pytest.raises(DataError, match=says):
        read_rows(write(tmp_path, text), model=model)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_rows(tmp_path / "none.csv")
