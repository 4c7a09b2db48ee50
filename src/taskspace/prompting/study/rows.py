"""Tables as lists of rows, written as CSV with every digit and as Markdown for reading."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, TypeAlias

from taskspace._files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Value: TypeAlias = str | int | float | None
Row: TypeAlias = dict[str, Value]


def columns(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """The columns of all rows, in the order they are first met."""
    return list(dict.fromkeys(name for row in rows for name in row))


def to_csv(rows: Sequence[Mapping[str, Value]]) -> str:
    """Full precision: a number reads back as the same float; nothing stands for ``None``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Mapping[str, Value]], *, digits: int = 3) -> str:
    """Numbers rounded to ``digits``, a dash for ``None``; columns in which nothing stands are left out."""
    names = [name for name in columns(rows) if any(row.get(name) not in (None, "") for row in rows)]
    numbers = {name for name in names if any(isinstance(row.get(name), int | float) for row in rows)}
    lines = [
        [name.replace("_", " ") for name in names],
        ["---:" if name in numbers else "---" for name in names],
        *([_cell(name, row.get(name), digits) for name in names] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_table(rows: Sequence[Mapping[str, Value]], path: Path, *, digits: int = 3) -> None:
    """Write ``path`` with the endings ``.csv`` and ``.md``, each whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for ending, text in ((".csv", to_csv(rows)), (".md", to_markdown(rows, digits=digits))):
        with replacing(path.with_name(path.name + ending)) as partial:
            partial.write_text(text, encoding="utf-8")


def shown_p(p: float | None) -> str:
    """A p-value for reading: two digits, never 0."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cell(name: str, value: Value, digits: int) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value).replace("|", "\\|").replace("\n", " ")
    return shown_p(value) if name.split("_")[-1] in ("p", "holm", "bonferroni") else f"{value:.{digits}f}"
