"""CSV and TSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.data.lines import opened, text_lines
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LARGEST_FIELD = 1 << 28  # characters; keeps a quote that nobody closed from swallowing a file of gigabytes


@dataclass(frozen=True)
class Delimited:
    """CSV or TSV whose first line names the columns.

    Quotes follow the usual rule (doubled inside, line ends allowed).  Semicolons or tabs in a CSV
    header that has no comma are taken as its delimiter.  A TSV file in which no field spans lines is
    read line by line, so that a lone quote in a text is an ordinary character.
    """

    path: Path
    delimiter: str = ","
    unit: str = "line"

    @property
    def what(self) -> str:
        return str(self.path)

    def columns(self) -> Sequence[str]:
        return next(self._records(), (0, ()))[1]

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        records = self._records()
        _, header = next(records, (0, ()))
        for number, fields in records:
            if len(fields) != len(header):
                seen = f"{self.path}, line {number}: {len(fields)} fields where the header has {len(header)}"
                raise DataError(f"{seen}; mend the line, or quote fields that hold the delimiter")
            yield number, dict(zip(header, fields, strict=True))

    def _records(self) -> Iterator[tuple[int, Sequence[str]]]:
        """First line number and fields of each record, the header first."""
        delimiter = self._delimiter()
        records = self._plain_records() if delimiter == "\t" and self._is_plain() else self._quoted_records(delimiter)
        for index, (number, fields) in enumerate(records):
            twice = [name for name in set(fields) if fields.count(name) > 1] if index == 0 else []
            if twice:
                raise DataError(f"{self.path}, line {number}: column {twice[0]!r} is named twice; rename one")
            yield number, fields

    def _delimiter(self) -> str:
        header = next((line for _, line in text_lines(self.path) if not line.isspace()), "")
        others = [mark for mark in ";\t" if mark in header] if "," not in header else []
        return others[0] if others and self.delimiter == "," else self.delimiter

    def _is_plain(self) -> bool:
        """Every line has as many tabs as the header, and there are some."""
        with opened(self.path) as file:
            counts = {line.count(b"\t") for line in file if line.strip(b" \r\n")}
        return len(counts) == 1 and 0 not in counts

    def _plain_records(self) -> Iterator[tuple[int, Sequence[str]]]:
        for number, line in text_lines(self.path):
            if line.strip(" \r\n"):
                yield number, [_unquoted(field) for field in line.rstrip("\r\n").split("\t")]

    def _quoted_records(self, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
        reader = csv.reader((line for _, line in text_lines(self.path)), delimiter=delimiter, strict=True)
        while True:
            number = reader.line_num + 1
            try:
                fields = _next_record(reader)
            except csv.Error as error:
                seen = f"{self.path}, line {number}: not readable as a row ({error}, seen at line {reader.line_num})"
                raise DataError(f"{seen}; check its quotes and line ends") from error
            if fields is None:
                return
            if fields and not (len(fields) == 1 and fields[0].isspace()):
                yield number, fields


def _next_record(reader: Any) -> list[str] | None:
    """The next record with room for large fields; the limit is global to :mod:`csv`, so it is put back each time."""
    usual = csv.field_size_limit(_LARGEST_FIELD)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(usual)


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return field
