"""Tables of predictions: which columns hold the answers, and how each cell is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from taskspace.data.cells import as_label, as_text
from taskspace.errors import LabelerError
from taskspace.labelers._answers import to_answers
from taskspace.labelers._rows import rows_of

if TYPE_CHECKING:
    from taskspace.labelers._origin import Origin
    from taskspace.labels import Answers, RawLabel

_TEXT, _PAIR = "text", "text_pair"
_PROBABILITIES = ("probs", "probabilities")
_ROW_NUMBERS = {"", "id", "idx", "index", "Unnamed: 0", "__index_level_0__"}
"""Columns that tools add to number rows; never class names."""

T = TypeVar("T")
Rows: TypeAlias = Sequence[Mapping[str, Any]]


def answers_of_table(rows: Rows, columns: Sequence[str], origin: Origin) -> Answers:
    """Answers from ``probs``, ``label`` (and ``score``), ``score``, or one column per class: the first there is."""
    numbers = "score" in columns and "label" not in columns and not _spelled(columns)
    items = _items(rows, columns, origin)
    return to_answers(rows_of(items, len(items), str(origin)), origin, "numbers" if numbers else None)


def texts_of_table(rows: Rows, origin: Origin) -> list[tuple[str | None, str | None]]:
    """The text and second text of each row, where stated."""
    texts, pairs = (_cells([row.get(name) for row in rows], name, as_text, origin) for name in (_TEXT, _PAIR))
    return list(zip(texts, pairs, strict=True))


def shown(value: Any) -> str:
    """A value for an error sentence, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _items(rows: Rows, columns: Sequence[str], origin: Origin) -> list[Any]:
    spelled = _spelled(columns)
    if spelled:
        return [_decoded(cell, number, origin) for number, cell in enumerate(_column(rows, spelled, origin))]
    if "label" in columns and "score" in columns:
        labels, scores = _labels(rows, origin), _numbers(rows, "score", origin)
        return [
            None if label is None else {"label": str(label), "score": score}
            for label, score in zip(labels, scores, strict=True)
        ]
    if "label" in columns:
        return _labels(rows, origin)
    if "score" in columns:
        return _numbers(rows, "score", origin)
    classes = [name for name in columns if name not in {_TEXT, _PAIR, *_ROW_NUMBERS}]
    if not classes:
        raise LabelerError(
            f"{origin} has only the columns {', '.join(map(repr, columns))}; "
            f"it needs label, probs, score, or one column per class"
        )
    return list(zip(*(_numbers(rows, name, origin) for name in classes), strict=True))


def _spelled(columns: Sequence[str]) -> str | None:
    return next((name for name in _PROBABILITIES if name in columns), None)


def _column(rows: Rows, name: str, origin: Origin) -> list[Any]:
    for number, row in enumerate(rows):
        if name not in row:
            raise LabelerError(f"{origin} has no {name!r} in {origin.at(number)}; write null there to abstain")
    return [row[name] for row in rows]


def _labels(rows: Rows, origin: Origin) -> list[RawLabel]:
    return _cells(_column(rows, "label", origin), "label", as_label, origin)


def _numbers(rows: Rows, name: str, origin: Origin) -> list[float]:
    return [_number(cell, number, name, origin) for number, cell in enumerate(_column(rows, name, origin))]


def _number(cell: Any, number: int, name: str, origin: Origin) -> float:
    if _is_empty(cell):
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError) as error:
        raise LabelerError(
            f"{origin} has {shown(cell)} in {origin.at(number)}, column {name!r}, where a number was expected; "
            f"beside text and text_pair it may have label, probs, score, or one column per class"
        ) from error


def _decoded(cell: Any, number: int, origin: Origin) -> Any:
    """Probabilities in a CSV cell are JSON."""
    if _is_empty(cell) or not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError as error:
        raise LabelerError(
            f"{origin} has {shown(cell)} in {origin.at(number)} where probabilities were expected; write [0.2, 0.8]"
        ) from error


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == ""


def _cells(cells: Sequence[Any], name: str, read: Callable[[Any], T], origin: Origin) -> list[T]:
    """Cells read by the same rules as those of tasks and pools."""
    found: list[T] = []
    for number, cell in enumerate(cells):
        try:
            found.append(read(cell))
        except ValueError as error:
            raise LabelerError(f"{origin}, {origin.at(number)}: column {name!r} {error}; mend the row") from error
    return found
