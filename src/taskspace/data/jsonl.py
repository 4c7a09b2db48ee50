"""JSON: an object per line, or a list of objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.data.lines import text_lines
from taskspace.data.rows import MemoryTable
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class JsonLines:
    """One JSON object per line; blank lines are skipped.  Columns are the keys of all rows."""

    path: Path
    unit: str = "line"

    @property
    def what(self) -> str:
        return str(self.path)

    def columns(self) -> Sequence[str]:
        found: dict[str, None] = {}
        for _, row in self.rows(()):
            if not row.keys() <= found.keys():
                found |= dict.fromkeys(row)
        return tuple(found)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, line in text_lines(self.path):
            if line.isspace():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                seen = f"{self.path}, line {number}: not valid JSON ({_trouble(error)})"
                raise DataError(f"{seen}; mend or remove the line") from error
            if not isinstance(row, dict):
                seen = f"{self.path}, line {number}: {line.strip()[:40]!r} is not a JSON object"
                raise DataError(f'{seen}; write rows as {{"text": …, "label": …}}')
            yield number, row


def json_table(path: Path) -> JsonLines | MemoryTable:
    """A ``.json`` file: a list of objects, which is read whole, or JSON lines under another name."""
    first = next((line.lstrip()[0] for _, line in text_lines(path) if not line.isspace()), "{")
    if first != "[":
        return JsonLines(path)
    try:
        content = json.loads("".join(line for _, line in text_lines(path)))
    except (ValueError, RecursionError) as error:
        where = f"{path}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(path)
        raise DataError(f"{where}: not valid JSON ({_trouble(error)}); mend the file") from error
    for number, row in enumerate(content, 1):
        if not isinstance(row, dict):
            raise DataError(f'{path}, row {number} is not a JSON object; write rows as {{"text": …, "label": …}}')
    return MemoryTable(str(path), content)


def _trouble(error: Exception) -> str:
    """Without the decoder's own line number, which counts from the start of what it was given."""
    return f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
