"""One task through every format; what is hard but fine; what is refused and how."""

from __future__ import annotations

import csv
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskspace.data import read_task, task_from_frame
from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes, Numbers, Targets
from taskspace.task import Task

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "tasks"


@pytest.fixture
def every_format(write, zipped, tmp_path):
    """Write rows in every format, each also gzipped."""

    def write_all(rows: list[dict]) -> dict[str, Path]:
        frame = pl.DataFrame(rows)
        files = {
            "jsonl": write(tmp_path / "t.jsonl", rows),
            "csv": write(tmp_path / "t.csv", rows),
            "csv by pandas": tmp_path / "pandas.csv",
            "csv by polars": tmp_path / "polars.csv",
            "csv with semicolons": write(tmp_path / "semi.csv", rows, ";"),
            "csv with windows line ends": write(tmp_path / "windows.csv", rows, lineterminator="\r\n"),
            "tsv": write(tmp_path / "t.tsv", rows, "\t"),
            "parquet": tmp_path / "t.parquet",
            "parquet by pandas": tmp_path / "pandas.parquet",
            "json": tmp_path / "t.json",
            "json that is jsonl": write(tmp_path / "lines.json", rows),
            "ndjson": write(tmp_path / "t.ndjson", rows),
            "jsonl with BOM": tmp_path / "bom.jsonl",
            "csv with BOM": tmp_path / "bom.csv",
        }
        pd.DataFrame(rows).to_csv(files["csv by pandas"], index=False)
        frame.write_csv(files["csv by polars"])
        frame.write_parquet(files["parquet"])
        pd.DataFrame(rows).to_parquet(files["parquet by pandas"])
        files["json"].write_text(json.dumps(rows, indent=1), encoding="utf-8")
        files["jsonl with BOM"].write_bytes(b"\xef\xbb\xbf" + files["jsonl"].read_bytes())
        files["csv with BOM"].write_bytes(b"\xef\xbb\xbf" + files["csv"].read_bytes())
        return files | {f"{name}, gzipped": zipped(path) for name, path in files.items()}

    return write_all


def expected_of(rows: list[dict]) -> Task:
    columns = {key: [row[key] for row in rows] for key in ("text", "label", "text_pair")}
    return Task(columns["text"], columns["label"], columns["text_pair"])


def test_every_format_gives_the_same_task(tmp_path, rows, every_format):
    expected = expected_of(rows)
    for name, path in every_format(rows).items():
        task = read_task(path)
        assert task.inputs == expected.inputs, name
        assert task.fingerprint == expected.fingerprint, name
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows), pl.DataFrame(rows).lazy(), pl.DataFrame(rows).to_arrow()):
        assert task_from_frame(frame).fingerprint == expected.fingerprint, type(frame)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 1, 0, 2, 1, 0, 2, 1, 0],
        [0, 1, None, 0, 2, 1, 0, None, 1, 0],
        [0.5, 1.0, 2.25, None, 3.0, 0.1, 0.2, 0.3, 1e-9, 5.0],
        [True, False, True, True, False, None, True, False, True, False],
        ["0", "1", "1", "10", "2", "1", "0", "", "1", "0"],
        ["true", "false", "half true", "true", "true", "false", "false", "true", "true", "true"],
        [None] * 9 + ["a"],
    ],
    ids=["codes", "codes with nulls", "numbers", "booleans", "number strings", "truth", "nearly all missing"],
)
@pytest.mark.parametrize("limit", [None, 6])
def test_labels_are_read_alike_from_every_format(tmp_path, rows, labels, limit, every_format):
    rows = [row | {"label": label} for row, label in zip(rows, labels, strict=True)]
    files = every_format(rows)
    expected = read_task(files["jsonl"], limit=limit)
    if limit is None:
        assert expected.fingerprint == expected_of(rows).fingerprint
    for name, path in files.items():
        assert read_task(path, limit=limit).fingerprint == expected.fingerprint, name
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows)):
        assert task_from_frame(frame, limit=limit).fingerprint == expected.fingerprint, type(frame)


# Line ends inside quotes are content, and a text of white space is none: both are tested elsewhere.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda t: not t.isspace())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(triples=st.lists(st.tuples(TEXT, st.none() | TEXT, st.sampled_from(["a", "b"])), min_size=1, max_size=5))
def test_any_text_survives_csv_tsv_and_jsonl(tmp_path, triples, write):
    rows = [{"text": t, "text_pair": p, "label": label} for t, p, label in triples]
    expected = expected_of(rows).fingerprint
    assert read_task(write(tmp_path / "x.jsonl", rows)).fingerprint == expected
    assert read_task(write(tmp_path / "x.csv", rows)).fingerprint == expected
    assert read_task(write(tmp_path / "x.tsv", rows, "\t")).fingerprint == expected


# --- names, kinds, columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"), [("reviews.jsonl", "reviews"), ("reviews.v2.JSONL.gz", "reviews.v2"), ("a b.jsonl", "a b")]
)
def test_a_task_is_named_after_its_file(tmp_path, rows, file, name, write, zipped):
    path = write(tmp_path / "x.jsonl", rows)
    (tmp_path / file).write_bytes(zipped(path).read_bytes() if file.endswith(".gz") else path.read_bytes())
    assert read_task(tmp_path / file).name == name
    assert read_task(str(tmp_path / file), name="mine").name == "mine"


def test_kinds_can_be_said(tmp_path, write):
    rows = [{"text": f"t{i}", "label": i % 3, "summary": f"s {i}"} for i in range(9)]
    path = write(tmp_path / "x.jsonl", rows)
    assert isinstance(read_task(path).labels, Classes)
    assert isinstance(read_task(path, kind="numbers").labels, Numbers)
    targets = read_task(path, kind="targets").labels
    assert isinstance(targets, Targets)
    assert targets.texts[1] == "s 1"
    with pytest.raises(SettingError, match="'class' is not one of"):
        read_task(path, kind="class")


def test_columns_can_be_said(tmp_path, write):
    rows = [{"a": "first", "b": "second", "c": "x"}, {"a": "third", "b": "", "c": "y"}]
    task = read_task(write(tmp_path / "x.csv", rows), text="a", text_pair="b", label="c")
    assert task.inputs.texts == ("first", "third")
    assert task.inputs.pairs == ("second", None)
    with pytest.raises(DataError, match=r"x\.csv has no column 'd' for --label"):
        read_task(tmp_path / "x.csv", text="a", label="d")


def test_keys_that_appear_late_in_a_jsonl_file_count(tmp_path, write):
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(3000)] + [
        {"text": "last", "text_pair": "pair", "label": 1}
    ]
    task = read_task(write(tmp_path / "x.jsonl", rows))
    assert int(task.inputs.is_pair.sum()) == 1


# --- hard but fine ----------------------------------------------------------------------------------------------


def test_five_thousand_classes_and_one_row_each(tmp_path, write):
    rows = [{"text": f"text {i}", "label": f"class {i}"} for i in range(5000)]
    path = write(tmp_path / "x.jsonl", rows)
    assert len(read_task(path).label_names) == 5000
    assert len(read_task(path, limit=100)) == 100


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_text_of_ten_megabytes(tmp_path, suffix, write):
    long = "word " * 2_000_000
    limit = csv.field_size_limit()
    task = read_task(write(tmp_path / f"x{suffix}", [
        {"text": long, "label": "a"}, {"text": "short", "label": "b"}]))  # fmt: skip
    assert task.inputs.texts == (long, "short")
    assert csv.field_size_limit() == limit


def test_windows_line_ends_and_blank_lines_in_jsonl(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": "a", "label": 0}\r\n\r\n{"text": "b", "label": 1}\r\n\n')
    assert read_task(path).inputs.texts == ("a", "b")


def test_a_tsv_without_quoting_keeps_lone_quotes(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text('sentence\tlabel\n"a lone quote\t1\n5" disk\t0\n"said ""so"""\t1\n', encoding="utf-8")
    assert read_task(path).inputs.texts == ('"a lone quote', '5" disk', 'said "so"')


def test_missing_labels_stay_missing(tmp_path, write):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": None}, {"text": "c"}, {"text": "d", "label": "y"}]
    labels = read_task(write(tmp_path / "x.jsonl", rows)).labels
    assert labels.codes.tolist() == [0, -1, -1, 1]


def test_a_few_rows_without_text_are_left_out_with_a_warning(tmp_path, write):
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(30)]
    rows[6]["text"], rows[9]["text"] = "  ", None
    for path in (write(tmp_path / "x.jsonl", rows), write(tmp_path / "x.csv", rows)):
        line = 7 if path.suffix == ".jsonl" else 8
        for limit in (None, 28):
            with pytest.warns(UserWarning, match=rf"2 of 30 rows of .* 'text' \(first: line {line}\)") as caught:
                task = read_task(path, limit=limit)
            assert len(caught) == 1
            assert task.inputs.texts == tuple(f"t{i}" for i in range(30) if i not in (6, 9))


def test_many_rows_without_text_are_refused(tmp_path, write):
    rows = [{"text": "" if i % 5 == 2 else f"t{i}", "label": i % 2} for i in range(20)]
    with pytest.raises(DataError, match=r"4 of 20 rows .* no text in column 'text' \(first: line 3\); .*--text"):
        read_task(write(tmp_path / "x.jsonl", rows))


# --- samples ----------------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_from_every_format(tmp_path, every_format):
    rows = [{"text": f"t{i}", "text_pair": None, "label": "ab"[i % 7 == 0], "extra": 1} for i in range(700)]
    files = every_format(rows)
    expected = read_task(files["jsonl"], limit=70, seed=5)
    assert Counter(expected.labels.codes.tolist()) == {0: 60, 1: 10}
    for name, path in files.items():
        assert read_task(path, limit=70, seed=5).inputs == expected.inputs, name
    assert task_from_frame(pd.DataFrame(rows), limit=70, seed=5).inputs == expected.inputs
    assert read_task(files["jsonl"], limit=70, seed=6).fingerprint != expected.fingerprint


def test_a_limit_below_one_is_refused(tmp_path, rows, write):
    with pytest.raises(SettingError, match="limit is 0"):
        read_task(write(tmp_path / "x.jsonl", rows), limit=0)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_memory_follows_the_limit_not_the_file(tmp_path, write, suffix):
    pytest.importorskip("resource")
    small, big = tmp_path / f"small{suffix}", tmp_path / f"big{suffix}"
    rng = random.Random(0)
    rows = [{"text": rng.randbytes(1000).hex(), "label": i % 11, "id": i} for i in range(32_000)]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows[:200]), small)
        pq.write_table(pa.Table.from_pylist(rows), big, compression="none", use_dictionary=False, row_group_size=10**6)
    else:
        write(small, rows[:200])
        write(big, rows)
    assert big.stat().st_size > 60e6
    code = """
import resource, sys
from taskspace.data import read_task
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_task(sys.argv[1], limit=100); before = peak()
print(len(read_task(sys.argv[2], limit=2000)), peak() - before)
"""
    command = [sys.executable, "-c", code, str(small), str(big)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    read, grown = map(int, done.stdout.split())
    assert read == 2000
    # Kilobytes (bytes on macOS).  2,000 texts of 2,000 characters are 4 MB; the file has over 60.
    assert grown < (30_000 if sys.platform != "darwin" else 30_000_000)


# --- refused ----------------------------------------------------------------------------------------------------


def refusal(path, content: bytes | str, **options) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_task(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


GOOD = '{"text": "a", "label": 0}\n'


@pytest.mark.parametrize("broken", ['{"text": "b", "label"\n', "{\n", "nonsense\n", '{"text": "b"} {"text": "c"}\n'])
def test_a_broken_json_line_is_named(tmp_path, broken):
    message = refusal(tmp_path / "x.jsonl", GOOD * 2 + broken + GOOD)
    assert "line 3: not valid JSON" in message


@pytest.mark.parametrize("broken", ["[1, 2]\n", '"text"\n', "null\n"])
def test_a_line_that_is_no_object_is_named(tmp_path, broken):
    assert "line 2:" in refusal(tmp_path / "x.jsonl", GOOD + broken + GOOD)


def test_a_broken_json_list_is_named(tmp_path):
    assert "line 2: not valid JSON" in refusal(
        tmp_path / "x.json", '[{"text": "a", "label": 0},\n{"text": "b" "label"}]'
    )
    assert "row 2 is not a JSON object" in refusal(tmp_path / "x.json", '[{"text": "a", "label": 0}, 3]')


def test_cells_of_the_wrong_type_are_named(tmp_path):
    assert "line 2: column 'text' holds a list" in refusal(tmp_path / "x.jsonl", GOOD + '{"text": ["b"], "label": 0}')
    assert "line 2: column 'label' holds a list" in refusal(tmp_path / "x.jsonl", GOOD + '{"text": "b", "label": [0]}')


def test_csv_lines_with_the_wrong_number_of_fields_are_named_after_quoted_line_ends(tmp_path):
    content = 'text,label\n"two\nlines",0\n"three\n\nlines",1\nbad,1,extra\n'
    assert "line 7: 3 fields where the header has 2" in refusal(tmp_path / "x.csv", content)
    assert "line 2: 1 fields where the header has 2" in refusal(tmp_path / "x.csv", "text,label\nbad\n")
    assert "line 3: 1 fields where the header has 2" in refusal(tmp_path / "x.tsv", "text\tlabel\nok\t1\nbad\n")


def test_an_open_quote_is_named_where_it_opens(tmp_path):
    assert "line 3: not readable" in refusal(tmp_path / "x.csv", 'text,label\nok,0\n"open,1\nmore,0\nmore,1\n')


def test_a_column_named_twice_is_refused(tmp_path):
    assert "'text' is named twice" in refusal(tmp_path / "x.csv", "text,text,label\na,b,1\n")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".jsonl.gz"])
def test_invalid_utf8_is_named_by_line(tmp_path, suffix):
    lines = {
        ".jsonl": [GOOD.encode(), b'{"text": "caf\xe9", "label": 0}\n'],
        ".csv": [b"text,label\n", b"caf\xe9,0\n"],
        ".tsv": [b"text\tlabel\n", b"caf\xe9\t0\n"],
    }[suffix.removesuffix(".gz")]
    content = b"".join([lines[0], lines[1]])
    message = refusal(tmp_path / f"x{suffix}", gzip.compress(content) if suffix.endswith("gz") else content)
    assert "line 2: byte" in message
    assert "(0xe9) is not valid UTF-8" in message


def test_utf16_is_no_utf8(tmp_path):
    assert "line 1: byte 1 (0xff)" in refusal(tmp_path / "x.csv", "text,label\na,1\n".encode("utf-16"))


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz"])
def test_an_empty_file(tmp_path, suffix):
    assert "is empty" in refusal(tmp_path / f"x{suffix}", b"")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", b"\n \n"),
        ("x.csv", b"text,label\n"),
        ("x.json", b"[]"),
        ("x.jsonl.gz", gzip.compress(b"", mtime=0)),
        ("x.csv", b"\n"),
    ],
)
def test_a_file_without_rows(tmp_path, name, content):
    assert "has no rows" in refusal(tmp_path / name, content)


def test_a_parquet_file_without_rows(tmp_path):
    pl.DataFrame({"text": [], "label": []}, schema={"text": pl.String, "label": pl.Int64}).write_parquet(
        tmp_path / "x.parquet"
    )
    with pytest.raises(DataError, match="has no rows"):
        read_task(tmp_path / "x.parquet")


@pytest.mark.parametrize("cut", [10, 40, -9])
def test_a_gzip_file_that_was_cut_short(tmp_path, cut):
    assert "gzip" in refusal(tmp_path / "x.jsonl.gz", gzip.compress((GOOD * 500).encode())[:cut])


def test_a_gzip_file_that_is_none(tmp_path):
    assert "not gzip at all" in refusal(tmp_path / "x.jsonl.gz", GOOD)


@pytest.mark.parametrize("gz", [False, True])
def test_a_parquet_file_that_is_none(tmp_path, gz):
    content = b"PAR1 nonsense" * 10
    path = tmp_path / ("x.parquet.gz" if gz else "x.parquet")
    assert "not a readable Parquet file" in refusal(path, gzip.compress(content) if gz else content)


def test_a_damaged_parquet_page(tmp_path):
    path = tmp_path / "x.parquet"
    rng = np.random.default_rng(0)
    pl.DataFrame({"text": [rng.bytes(30).hex() for _ in range(2000)], "label": [0, 1] * 1000}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    assert "not a readable Parquet file" in refusal(path, bytes(content))


def test_a_missing_file_gets_a_suggestion(tmp_path, rows, write):
    write(tmp_path / "reviews.jsonl", rows)
    with pytest.raises(DataError, match=r"there is no file .*revews\.jsonl; did you mean 'reviews\.jsonl'\?"):
        read_task(tmp_path / "revews.jsonl")
    with pytest.raises(DataError, match="nor a folder"):
        read_task(tmp_path / "nowhere" / "x.jsonl")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="its folder is empty"):
        read_task(tmp_path / "bare" / "x.jsonl")


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
def test_a_path_that_cannot_be(path):
    with pytest.raises(DataError, match="cannot be opened"):
        read_task(path)


@pytest.mark.parametrize("name", ["x.xlsx", "x", "x.gz", "x.jsonl.zip"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, name):
    assert ".jsonl, .ndjson, .json, .csv, .tsv, .parquet" in refusal(tmp_path / name, b"data")


def test_no_label_column(tmp_path):
    assert "(--label)" in refusal(tmp_path / "x.txt", "a text\nanother\n")
    assert "it has 'text', 'mood'" in refusal(tmp_path / "x.csv", "text,mood\na,b\n")


def test_pyarrow_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    from taskspace.errors import MissingExtra

    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"reading .*x\.parquet needs pyarrow.*taskspace\[parquet\]"):
        read_task(tmp_path / "x.parquet")


# --- folders ----------------------------------------------------------------------------------------------------


@pytest.fixture
def make_folder(write):
    """A folder with train.jsonl and, if given, task.json."""

    def make(folder: Path, card: object = None, rows: list[dict] | None = None) -> Path:
        folder.mkdir()
        write(folder / "train.jsonl", rows or [{"text": "a", "label": 1}, {"text": "b", "label": 0}])
        if card is not None:
            (folder / "task.json").write_text(card if isinstance(card, str) else json.dumps(card))
        return folder

    return make


def test_a_folder_takes_names_from_its_card(tmp_path, make_folder):
    card = {"name": "mail", "description": "Is it spam?", "label_names": ["spam", "ham", "never seen"]}
    task = read_task(make_folder(tmp_path / "f", card))
    assert (task.name, task.description, task.label_names) == ("mail", "Is it spam?", ("spam", "ham", "never seen"))
    assert task.labels.codes.tolist() == [1, 0]
    assert task.fingerprint == Task(["a", "b"], ["ham", "spam"]).fingerprint


def test_a_folder_without_a_card_is_named_after_itself(tmp_path, monkeypatch, make_folder):
    folder = make_folder(tmp_path / "mails")
    assert read_task(folder).name == "mails"
    assert read_task(f"{folder}/").name == "mails"
    monkeypatch.chdir(folder)
    assert read_task(".").name == "mails"


def test_splits_are_found_by_name(tmp_path, write, make_folder):
    folder = make_folder(tmp_path / "f")
    write(folder / "test.csv", [{"text": "c", "label": 1}])
    assert read_task(folder, split="test").inputs.texts == ("c",)
    with pytest.raises(DataError, match="has no split 'tset'; did you mean 'test'"):
        read_task(folder, split="tset")
    write(folder / "train.csv", [{"text": "c", "label": 1}])
    with pytest.raises(DataError, match=r"both train\.csv and train\.jsonl"):
        read_task(folder)


def test_a_folder_without_a_task(tmp_path):
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(DataError, match="is a folder without a task"):
        read_task(tmp_path)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("{broken", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ({"label_names": ["a", "a"]}, "distinct class names"),
        ({"label_names": "ab"}, "distinct class names"),
        ({"label_names": ["a", 2]}, "distinct class names"),
    ],
)
def test_a_broken_card(tmp_path, card, message, make_folder):
    with pytest.raises(DataError, match=message):
        read_task(make_folder(tmp_path / "f", card))


def test_a_label_that_the_card_does_not_know(tmp_path, make_folder):
    folder = make_folder(
        tmp_path / "f", {"label_names": ["a", "b"]}, [{"text": "x", "label": 0}, {"text": "y", "label": 2}]
    )
    with pytest.raises(DataError, match="line 2: column 'label' holds 2, which is neither one of the 2 class names"):
        read_task(folder)
    assert read_task(folder, kind="numbers").labels.values.tolist() == [0, 2]


@pytest.mark.parametrize("name", ["sick", "trec", "wnli"])
def test_shared_folders_read_as_their_card_says(name):
    if not SHARED.is_dir():
        pytest.skip("the shared development data is not beside the repository")
    card = json.loads((SHARED / name / "task.json").read_text())
    for split in ("train", "test"):
        task = read_task(SHARED / name, split=split)
        with gzip.open(SHARED / name / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        assert len(task) == card[f"n_{split}"] == len(rows)
        assert list(task.label_names) == card["label_names"]
        assert task.labels.codes.tolist() == [row["label"] for row in rows]
        assert task.inputs.pairs == tuple(row["text_pair"] for row in rows)
    assert Counter(read_task(SHARED / name, limit=100).labels.codes.tolist()).total() == 100
