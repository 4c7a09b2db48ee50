"""From one item per text to :class:`taskspace.labels.Answers`, or one sentence that says what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from taskspace.errors import DataError, LabelerError
from taskspace.labels import Answers, LabelKind, parse_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.labelers._origin import Origin

SUM_TOLERANCE = 1e-3
"""How far the probabilities of one text may be from a sum of 1; within it they are rescaled."""

_ROUNDING = 1e-6

_Shape = Literal["labels", "probabilities", "named probabilities", "scores"]


def to_answers(rows: Sequence[Any], who: Origin, kind: LabelKind | None = None) -> Answers:
    """Read items of :func:`taskspace.labelers._rows.rows_of`: all labels, all rows of numbers, or all dicts.

    ``kind="numbers"`` says that whole numbers are quantities, not classes.  ``who`` is named in each error.
    """
    shapes = [None if row is None else _shape_of(row, number, who) for number, row in enumerate(rows)]
    first = next((number for number, shape in enumerate(shapes) if shape), None)
    if first is None:
        raise LabelerError(f"{who} abstained on all {len(rows)} texts; at least one must get an answer")
    for number, shape in enumerate(shapes):
        if shape not in (None, shapes[first]):
            raise LabelerError(
                f"{who} gave {shapes[first]} in {who.at(first)} but {shape} in {who.at(number)}; "
                f"give the same in all rows"
            )
    if shapes[first] == "labels":
        return _from_labels(rows, who, kind)
    if shapes[first] == "scores":
        return _from_scores(rows, who)
    return _from_matrix(_stack(rows, who) if shapes[first] == "probabilities" else _spread(rows, who), who)


def checked(answers: Answers, count: int, who: Origin) -> Answers:
    """The answers of a labeler that makes its own, held to the same rules."""
    values, known = np.asarray(answers.values, dtype=np.float64), np.asarray(answers.known, dtype=bool)
    if values.ndim != 2 or values.shape[0] != count or known.shape != (count,):
        raise LabelerError(
            f"{who} gave values of shape {values.shape} and known of shape {known.shape} for {count} texts; "
            f"it must give one row per text"
        )
    if not known.any():
        raise LabelerError(f"{who} abstained on all {count} texts; at least one must get an answer")
    if answers.kind == "classes":
        return _normalised(np.where(known[:, None], values, np.nan), who)
    _refuse(~np.isfinite(values).all(axis=1) & known, values, who, "which are not all finite; mend or abstain")
    return Answers(np.where(known[:, None], values, 0.0), known, answers.kind)


def _shape_of(row: Any, number: int, who: Origin) -> _Shape:
    if isinstance(row, str | bool | int | float):
        return "labels"
    if _is_score(row):
        return "scores"
    if isinstance(row, Mapping):
        return "named probabilities"
    if isinstance(row, list | tuple) and row and all(_is_score(item) for item in row):
        return "scores"
    if isinstance(row, np.ndarray | list | tuple):
        return "probabilities"
    raise LabelerError(
        f"{who} gave a {type(row).__name__} in {who.at(number)}; labels, numbers, probabilities or dicts are expected"
    )


def _is_score(item: Any) -> bool:
    """What text-classification pipelines give: ``{"label": "spam", "score": 0.9}``."""
    return isinstance(item, Mapping) and set(item) == {"label", "score"} and isinstance(item["label"], str | int)


def _from_labels(rows: Sequence[Any], who: Origin, kind: LabelKind | None) -> Answers:
    for number, row in enumerate(rows):
        if isinstance(row, float) and math.isinf(row):
            raise LabelerError(f"{who} gave {row} in {who.at(number)}; give a finite number, or None to abstain")
    try:
        labels = parse_labels(rows, kind)
    except DataError as error:
        raise LabelerError(f"{who}: {error}") from error
    return Answers.from_labels(labels)  # pyright: ignore[reportArgumentType]  # targets are never asked for


def _stack(rows: Sequence[Any], who: Origin) -> NDArray[np.float64]:
    """float64[n, c], all NaN where a row is missing."""
    width, first = next((len(row), number) for number, row in enumerate(rows) if row is not None)
    values = np.full((len(rows), width), np.nan)
    for number, row in enumerate(rows):
        if row is None:
            continue
        if len(row) != width:
            raise LabelerError(
                f"{who} gave {len(row)} probabilities in {who.at(number)} but {width} in {who.at(first)}; "
                f"give one per class in every row"
            )
        values[number] = _numbers(row, number, who)
    if not width:
        raise LabelerError(f"{who} gave rows without any probability; give one per class")
    return values


def _numbers(row: Any, number: int, who: Origin) -> Any:
    try:
        return np.asarray(row, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LabelerError(f"{who} gave {_shown(row)} in {who.at(number)}, which are not all numbers") from error


def _spread(rows: Sequence[Any], who: Origin) -> NDArray[np.float64]:
    """Dicts as a matrix over all names that occur, sorted; a name that a row leaves out has probability 0."""
    column = _columns(str(name) for row in rows if row is not None for name in row)
    if not column:
        raise LabelerError(f"{who} abstained on all {len(rows)} texts; at least one must get an answer")
    values = np.zeros((len(rows), len(column)))
    for number, row in enumerate(rows):
        if not row:
            values[number] = np.nan
            continue
        given = np.atleast_1d(_numbers(list(row.values()), number, who))
        values[number, [column[str(name)] for name in row]] = given
        if np.isnan(given).all():
            values[number] = np.nan
    return values


def _columns(names: Iterable[str]) -> dict[str, int]:
    return {name: code for code, name in enumerate(sorted(set(names)))}


def _from_matrix(values: NDArray[np.float64], who: Origin) -> Answers:
    """Probabilities row by row; a single column is the probability of one of two classes."""
    if values.shape[1] > 1:
        return _normalised(values, who)
    outside = (values < -_ROUNDING) | (values > 1 + _ROUNDING)
    _refuse(outside[:, 0], values, who, "outside [0, 1]; give real numbers as a flat list, not as a column")
    p = np.clip(values, 0.0, 1.0)
    return _normalised(np.hstack([1 - p, p]), who)


def _normalised(values: NDArray[np.float64], who: Origin) -> Answers:
    """Rows that are NaN throughout are abstentions; all others must be class probabilities."""
    gaps = np.isnan(values)
    known = np.asarray(~gaps.all(axis=1))
    if not known.any():
        raise LabelerError(f"{who} abstained on all {len(values)} texts; at least one must get an answer")
    _refuse(gaps.any(axis=1) & known, values, who, "some of them NaN; give a number for each class, or none at all")
    _refuse(np.isinf(values).any(axis=1), values, who, "which are not all finite; give probabilities")
    _refuse(
        (values < -_ROUNDING).any(axis=1), values, who, "some of them negative; give probabilities (apply a softmax)"
    )
    filled = np.clip(np.where(known[:, None], values, 0.0), 0.0, None)
    sums = filled.sum(axis=1)
    wrong = np.asarray(known & (np.abs(sums - 1) > SUM_TOLERANCE))
    if wrong.any():
        total = sums[wrong][0]
        _refuse(wrong, values, who, f"which sum to {total:.6g}, not 1; give probabilities (apply a softmax in float32)")
    return Answers(filled / np.where(known, sums, 1.0)[:, None], known)


def _from_scores(rows: Sequence[Any], who: Origin) -> Answers:
    """Pipelines name the best few labels: what is left of 1 is shared evenly by the labels not named.

    With two labels that is exact.  If one label is ever named, its score is the probability of one of
    two classes.
    """
    listed = [[row] if isinstance(row, Mapping) else list(row or ()) for row in rows]
    column = _columns(str(item["label"]) for row in listed for item in row)
    values = np.full((len(rows), len(column)), np.nan)
    for number, row in enumerate(listed):
        if row:
            codes = [column[str(item["label"])] for item in row]
            values[number, codes] = _numbers([item["score"] for item in row], number, who)
            if np.isnan(values[number, codes]).any():
                raise LabelerError(f"{who} gave a score of NaN in {who.at(number)}; give a number, or None to abstain")
    if len(column) == 1:
        return _from_matrix(values, who)
    unnamed = np.isnan(values)
    left = np.clip(1 - np.where(unnamed, 0.0, values).sum(axis=1), 0.0, None)
    share = left / np.maximum(unnamed.sum(axis=1), 1)
    asked = np.array([bool(row) for row in listed])
    return _normalised(np.where(unnamed & asked[:, None], share[:, None], values), who)


def _refuse(wrong: Any, values: NDArray[np.float64], who: Origin, what: str) -> None:
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0])
        raise LabelerError(f"{who} gave {_shown(values[number])} in {who.at(number)}, {what}")


def _shown(row: Any) -> str:
    items = [f"{item:.6g}" if isinstance(item, float) else repr(item) for item in list(row)[:6]]
    return f"[{', '.join(items)}{', …' if len(row) > 6 else ''}]"
