"""From whatever a model returns (lists, arrays, tensors, frames, generators) to one plain item per text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from taskspace.errors import LabelerError


def rows_of(output: Any, count: int, who: str) -> list[Any]:
    """One item per text: ``None`` where nothing was said, else a label, a number, a row of numbers or a dict.

    No package is imported for it: tensors, frames and sparse matrices are known by their methods.
    A generator is read no further than one item past ``count``.
    """
    value = _array_like(output)
    if isinstance(value, str | bytes | Mapping | set | frozenset) or not isinstance(value, Iterable):
        raise LabelerError(
            f"{who} gave one {type(output).__name__} for {count} texts; it must give a list with one answer per text"
        )
    if not isinstance(value, np.ndarray):
        rows = [_plain(item, who) for item in islice(value, count + 1)]
    elif value.ndim in (1, 2):
        rows = [_plain(item, who) for item in (value.tolist() if value.ndim == 1 else value)]
    else:
        raise LabelerError(
            f"{who} gave an array of shape {value.shape} for {count} texts; one or two axes are expected"
        )
    if len(rows) != count:
        seen = (
            f"more than {count}" if len(rows) > count and not hasattr(value, "__len__") else str(_length(value, rows))
        )
        raise LabelerError(f"{who} gave {seen} answers for {count} texts; it must give one answer per text")
    return rows


def _length(value: Any, rows: list[Any]) -> int:
    return len(value) if hasattr(value, "__len__") else len(rows)


def _array_like(value: Any) -> Any:
    """A numpy array for anything that can become one by itself; the rest as it came."""
    if isinstance(value, np.ndarray | np.generic | type):
        return value
    if hasattr(value, "detach"):
        return _from_tensor(value.detach().cpu())
    for method in ("toarray", "to_numpy"):
        if hasattr(value, method):
            return getattr(value, method)()
    return np.asarray(value) if hasattr(value, "__array__") else value


def _from_tensor(tensor: Any) -> Any:
    try:
        return np.asarray(tensor)
    except (TypeError, RuntimeError):  # bfloat16 has no numpy counterpart
        return np.asarray(tensor.tolist())


def _plain(item: Any, who: str) -> Any:
    if item is None or isinstance(item, bool | int | str):
        return None if item == "" else item
    value = _array_like(item)
    if isinstance(value, np.ndarray):
        if value.ndim > 1:
            raise LabelerError(f"{who} gave a block of shape {value.shape} for one text; a row of numbers is expected")
        if value.ndim == 1:
            return value
    if isinstance(value, np.generic | np.ndarray):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, Mapping | list | tuple):
        return value
    return None if _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    """None, "", NaN, and the missing values of data frames, which refuse to say whether they equal themselves."""
    try:
        return value is None or bool(value != value) or value == ""
    except (TypeError, ValueError):
        return True
