"""Rows in files."""

from __future__ import annotations

from taskspace.bench.fute.records import Records, read_rows


def test_rows_come_back_with_their_types(tmp_path):
    records = Records(tmp_path / "deep" / "part.csv")
    records.put("one", [{"setting": "one", "count": 3, "share": 0.1 + 0.2, "name": "a,b", "lacks": None}])
    records.put("two", [{"setting": "two", "count": 4, "other": "x"}])
    records.put("one", [{"setting": "one", "count": 5, "share": 1e-17, "name": "", "lacks": None}])
    again = Records(tmp_path / "deep" / "part.csv")
    assert list(again.kept) == ["one", "two"]
    assert again.kept["one"][0]["count"] == 5
    assert again.kept["one"][0]["share"] == 1e-17
    assert again.rows[1]["share"] is None
    assert again.rows == read_rows(tmp_path / "deep" / "part.csv")


def test_nothing_measured_is_no_row(tmp_path):
    assert Records(tmp_path / "part.csv").rows == []
