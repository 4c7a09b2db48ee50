"""Rows that every format must carry alike, and writers for each format."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def _write(path: Path, rows: list[dict], delimiter: str | None = None, lineterminator: str = "\n") -> Path:
    if path.suffix not in (".csv", ".tsv"):
        lines = [json.dumps(row, ensure_ascii=False) + lineterminator for row in rows]
        path.write_bytes("".join(lines).encode())
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        mark = delimiter or {".csv": ",", ".tsv": "\t"}[path.suffix]
        lone = any("\r" in str(cell) for row in rows for cell in row.values())  # Python 3.13 quotes these by itself
        quoting = csv.QUOTE_ALL if lone else csv.QUOTE_MINIMAL
        writer = csv.DictWriter(file, list(rows[0]), delimiter=mark, lineterminator=lineterminator, quoting=quoting)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _zipped(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


@pytest.fixture(scope="session")
def write():
    """Write rows as CSV, TSV or (any other suffix) JSONL with the standard library alone."""
    return _write


@pytest.fixture(scope="session")
def zipped():
    """A gzipped copy beside a file."""
    return _zipped


@pytest.fixture
def rows() -> list[dict]:
    """Quotes, line ends, tabs, other scripts, a half-empty pair column, a missing label."""
    texts = [
        "plain words", 'she said "no"', '"all of it quoted"', "two\nlines", "a\ttab, a comma; a semicolon",
        "naïve café", "日本語の文", "emoji 🙂", "line\u2028separator", " spaces around ",
    ]  # fmt: skip
    pairs = [None, "second", None, "with\nnewline", None, 'a "quote', None, "x", "y", None]
    labels = ["good", "bad", "good", None, "bad", "bad", "good", "good", "bad", "good"]
    return [
        {"text": t, "text_pair": p, "label": lab, "extra": i}
        for i, (t, p, lab) in enumerate(zip(texts, pairs, labels, strict=True))
    ]
