"""Tables as text."""

from __future__ import annotations

import csv
import io

from taskspace.prompting.study.rows import to_csv, to_markdown, write_table

ROWS = [
    {"task": "a|b", "n": 3, "mean": 0.1 + 0.2, "p": 0.00012, "note": ""},
    {"task": "ü, quoted", "n": 1, "mean": -0.25, "p": None, "note": "", "extra": "x"},
]


def test_csv_keeps_every_digit_and_leaves_empty_what_is_not_known():
    read = list(csv.DictReader(io.StringIO(to_csv(ROWS))))
    assert float(read[0]["mean"]) == 0.1 + 0.2
    assert read[1]["task"] == "ü, quoted"
    assert (read[1]["p"], read[0]["extra"], read[1]["extra"]) == ("", "", "x")


def test_markdown_rounds_and_leaves_out_empty_columns():
    assert to_markdown(ROWS) == (
        "| task | n | mean | p | extra |\n"
        "| --- | ---: | ---: | ---: | --- |\n"
        "| a\\|b | 3 | 0.300 | < 0.001 | – |\n"
        "| ü, quoted | 1 | -0.250 | – | x |\n"
    )


def test_both_are_written_beside_each_other(tmp_path):
    write_table(ROWS, tmp_path / "tables" / "v1.5")
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["v1.5.csv", "v1.5.md"]
    assert (tmp_path / "tables" / "v1.5.csv").read_text(encoding="utf-8") == to_csv(ROWS)
