"""What is said about texts: the labels of a data set, and the answers of anything that labels.

A data set states :class:`Classes`, :class:`Numbers` or :class:`Targets`; a labeler gives class
probabilities or numbers.  Learners see only :class:`Answers`, so both take the same path.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LabelKind: TypeAlias = Literal["classes", "numbers", "targets"]


@dataclass(frozen=True, eq=False)
class Classes:
    """One class per row: ``codes`` int64[n] index ``names``; -1 where the label is missing."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64]) -> Classes:
        return Classes(self.codes[rows], self.names)

    def row_keys(self) -> list[str]:
        """The label of each row by name, so that the numbering of classes is not content."""
        return ["" if code < 0 else f"class:{self.names[code]}" for code in self.codes]

    def present(self) -> NDArray[np.int64]:
        """Codes that occur, ascending."""
        return np.unique(self.codes[self.codes >= 0])


@dataclass(frozen=True, eq=False)
class Numbers:
    """One real number per row, ``values`` float64[n]; NaN where it is missing."""

    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.int64]) -> Numbers:
        return Numbers(self.values[rows])

    def row_keys(self) -> list[str]:
        return ["" if math.isnan(v) else f"number:{v!r}" for v in self.values.tolist()]


@dataclass(frozen=True)
class Targets:
    """One target text per row; ``None`` where it is missing."""

    texts: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.int64]) -> Targets:
        return Targets(tuple(self.texts[i] for i in rows))

    def row_keys(self) -> list[str]:
        return ["" if text is None else f"target:{text}" for text in self.texts]


Labels: TypeAlias = Classes | Numbers | Targets
RawLabel: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Answers:
    """What is said of n texts, as learners take it.

    ``values`` float64[n, c]: class probabilities (one-hot for hard labels), or real numbers, or
    features of target texts.  ``known`` bool[n] is False where the labeler abstained or the label
    is missing; those rows of ``values`` are zero.
    """

    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    kind: LabelKind = "classes"

    def __len__(self) -> int:
        return len(self.known)

    @property
    def coverage(self) -> float:
        """Share of the texts that got an answer."""
        return float(self.known.mean()) if len(self.known) else 0.0

    @classmethod
    def from_labels(cls, labels: Classes | Numbers) -> Answers:
        """One-hot rows for classes that occur; numbers as they are."""
        if isinstance(labels, Numbers):
            known = ~np.isnan(labels.values)
            return cls(np.where(known, labels.values, 0.0)[:, None], known, "numbers")
        known = labels.codes >= 0
        values = np.zeros((len(labels), len(labels.names)))
        values[np.flatnonzero(known), labels.codes[known]] = 1.0
        return cls(values[:, labels.present()], known)


def parse_labels(raw: Sequence[RawLabel], kind: LabelKind | None = None) -> Labels:
    """Read a column of labels; without ``kind``, numbers with a fraction are numbers, the rest classes.

    Numbers may come as strings (``"3"``, ``"0.25"``), as CSV gives them.  Whole numbers are classes
    unless ``kind="numbers"`` is said.
    """
    if kind not in (None, "classes", "numbers", "targets"):
        raise SettingError(f"label kind {kind!r} is not one of 'classes', 'numbers', 'targets'")
    values = [None if _is_missing(v) else v for v in raw]
    if kind == "targets":
        return Targets(tuple(None if v is None else str(v) for v in values))
    numbers = [None if v is None else _as_number(v) for v in values]
    if kind == "numbers":
        return Numbers(np.array([_must_be_number(v, n) for v, n in zip(values, numbers, strict=True)]))
    given = [n for v, n in zip(values, numbers, strict=True) if v is not None]
    if kind is None and given and _has_fraction(given):
        return Numbers(np.array([math.nan if n is None else n for n in numbers]))
    return _parse_classes(values)


def _parse_classes(values: Sequence[RawLabel]) -> Classes:
    keys = [None if v is None else _class_name(v) for v in values]
    names = sorted({k for k in keys if k is not None}, key=_natural)
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([-1 if k is None else code_of[k] for k in keys], dtype=np.int64)
    return Classes(codes, tuple(names))


def _is_missing(value: RawLabel) -> bool:
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value)) or value == ""


def _as_number(value: RawLabel) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _must_be_number(value: RawLabel, number: float | None) -> float:
    if value is not None and number is None:
        raise DataError(f"label {value!r} is not a number; say kind='classes', or mend the row")
    return math.nan if number is None else number


def _has_fraction(numbers: Sequence[float | None]) -> bool:
    return all(n is not None for n in numbers) and any(n != int(n) for n in numbers if n is not None)


def _class_name(value: RawLabel) -> str:
    """``1``, ``1.0`` and ``"1.0"`` are one class, and ``True`` and ``"true"``, whichever format the column came in."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    name = str(value)
    if re.fullmatch(r"-?[0-9]+\.0+", name):
        return str(int(float(name)))
    return name.lower() if name in ("True", "TRUE", "False", "FALSE") else name


def _natural(name: str) -> tuple[int, float, str]:
    """Whole numbers first and by size, then words."""
    number = _as_number(name)
    return (1, 0.0, name) if number is None else (0, number, name)
