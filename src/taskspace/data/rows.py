"""Tables as the rest of the door sees them: named columns, rows that can be read again and again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from taskspace.data.cells import ClassNames, as_label, as_text
from taskspace.errors import DataError, TaskspaceWarning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.data.columns import Columns
    from taskspace.labels import RawLabel


class Source(Protocol):
    """A table.  ``what`` names it in errors, ``unit`` says what its row numbers count: lines or rows."""

    @property
    def what(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def columns(self) -> Sequence[str]:
        """All column names."""
        ...

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Row number and cells, from the start at each call; at least ``columns`` where the row has them."""
        ...


@dataclass(frozen=True, eq=False)
class MemoryTable:
    """Rows that are in memory already."""

    what: str
    content: Sequence[Mapping[str, Any]]
    unit: str = "row"

    def columns(self) -> Sequence[str]:
        return tuple(dict.fromkeys(name for row in self.content for name in row))

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        return enumerate(self.content, 1)


class Example(NamedTuple):
    """One row of a task."""

    text: str
    pair: str | None
    label: RawLabel


class Examples:
    """The rows of a table that hold a text.

    Rows without a text (null or nothing but white space) are left out with one warning that counts
    them; where they are more than a tenth, the column is likely the wrong one and a
    :class:`DataError` says so.  ``class_names`` turn codes into names.
    """

    def __init__(self, source: Source, columns: Columns, class_names: ClassNames | None = None) -> None:
        self.source = source
        self.columns = columns
        self.class_names = class_names
        self._warned = False

    def __iter__(self) -> Iterator[Example]:
        total = blank = first = 0
        for number, row in self.source.rows(self.columns.names):
            total += 1
            example = self._example(number, row)
            if example is not None:
                yield example
                continue
            blank += 1
            first = first or number
        self._judge(total, blank, first)

    def _example(self, number: int, row: Mapping[str, Any]) -> Example | None:
        column = self.columns.text
        try:
            text = as_text(row.get(column))
            column = self.columns.text_pair
            pair = None if column is None else as_text(row.get(column))
            column = self.columns.label
            label = None if column is None else self._label(row.get(column))
        except ValueError as error:
            where = f"{self.source.what}, {self.source.unit} {number}: column {column!r}"
            raise DataError(f"{where} {error}; mend the row, or name another column") from error
        return None if text is None else Example(text, pair, label)

    def _label(self, value: Any) -> RawLabel:
        label = as_label(value)
        return label if self.class_names is None else self.class_names.of(label)

    def _judge(self, total: int, blank: int, first: int) -> None:
        if not total:
            raise DataError(f"{self.source.what} has no rows; give at least two")
        seen = f"{blank} of {total} rows of {self.source.what} have no text in column {self.columns.text!r}"
        if blank * 10 > total:
            raise DataError(f"{seen} (first: {self.source.unit} {first}); mend them, or name another column (--text)")
        if blank and not self._warned:
            self._warned = True
            warnings.warn(
                f"{seen} (first: {self.source.unit} {first}) and are left out", TaskspaceWarning, stacklevel=2
            )
