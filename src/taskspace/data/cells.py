"""What a cell may hold, whichever format it came in.

The same rows must give the same task from JSON, CSV, Parquet and frames, so everything is brought
to plain Python values here.  A :class:`ValueError` says what is wrong; the caller adds where.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.labels import RawLabel

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def as_text(value: Any) -> str | None:
    """A text, or ``None`` for an empty cell: null, NaN, or nothing but white space.

    Numbers become the text that a CSV file would hold.  Half a surrogate pair, which JSON can spell
    but no text may hold, becomes U+FFFD.
    """
    value = _plain(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"holds {_named(value)} where a text was expected")
    text = value if isinstance(value, str) else _number_text(value)
    if not text or text.isspace():
        return None
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def as_label(value: Any) -> RawLabel:
    """A plain label, or ``None`` where it is missing: null, NaN, white space, or ``"nan"`` as written into CSV."""
    value = _plain(value)
    if isinstance(value, str):
        return None if not value or value.isspace() or value in ("nan", "NaN") else value
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"holds {_named(value)} where one label per row was expected")


class ClassNames:
    """Class names that are known beforehand; labels may hold the names or their codes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.code_of = {name: code for code, name in enumerate(self.names)}

    def of(self, label: RawLabel) -> str | None:
        """The class name that a label means; ``None`` where it is missing or -1."""
        if label is None or (isinstance(label, str) and label in self.code_of):
            return label
        code = _code(label)
        if code == -1:
            return None
        if code is None or not 0 <= code < len(self.names):
            raise ValueError(f"holds {label!r}, which is neither one of the {len(self.names)} class names nor its code")
        return self.names[code]


def _plain(value: Any) -> Any:
    """Numpy scalars, decimals and bytes as plain values; NaN as ``None``."""
    if isinstance(value, str):
        return value
    if hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return None if isinstance(value, float) and math.isnan(value) else value


def _number_text(value: int | float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _code(label: RawLabel) -> int | None:
    try:
        number = float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def _named(value: Any) -> str:
    kinds = {list: "a list", tuple: "a list", dict: "an object", bool: "true or false"}
    return kinds.get(type(value), f"a {type(value).__name__}")  # pyright: ignore[reportUnknownArgumentType]
