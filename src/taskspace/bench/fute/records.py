"""What each part has measured: one CSV per part, written anew and whole after every setting."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, final

from taskspace._files import replacing
from taskspace.prompting.study.rows import to_csv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from taskspace.prompting.study.rows import Row, Value


@final
class Records:
    """The rows of one part by setting; each row names its ``setting``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[Row]] = {}
        for row in read_rows(path) if path.is_file() else ():
            self._rows.setdefault(str(row["setting"]), []).append(row)

    @property
    def kept(self) -> Mapping[str, Sequence[Row]]:
        return self._rows

    @property
    def rows(self) -> list[Row]:
        """All rows, as they read back from the file."""
        return read_rows(self._path) if self._path.is_file() else []

    def put(self, setting: str, rows: Sequence[Row]) -> None:
        """Replace what is there of a setting."""
        self._rows[setting] = list(rows)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as partial:
            partial.write_text(to_csv([row for group in self._rows.values() for row in group]), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Rows of a CSV, numbers as numbers and nothing as None."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _value(cell: str) -> Value:
    if cell == "":
        return None
    for read in (int, float):
        try:
            return read(cell)
        except ValueError:
            continue
    return cell
