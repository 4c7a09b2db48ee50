"""Filters: the one place where what users wrote enters a query, as literals that LanceDB itself writes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.embedding import Kind

MOST_LITERALS = 500
"""More names than these are looked for in memory, among all names."""


def equals(column: str, value: str | bool) -> Any:
    """Rows with this value; raises :class:`UnicodeEncodeError` for what no table can hold."""
    if isinstance(value, str):
        value.encode()
    expr = _expr()
    return expr.col(column) == expr.lit(value)


def among(column: str, values: Sequence[str]) -> Any:
    """Rows with one of these values."""
    for value in values:
        value.encode()
    expr = _expr()
    return expr.col(column).isin([expr.lit(value) for value in values])


def between(column: str, low: float, high: float) -> Any:
    expr = _expr()
    return (expr.col(column) >= expr.lit(low)) & (expr.col(column) <= expr.lit(high))


def of_kind(where: Any, kind: Kind | None) -> Any:
    """``where``, of one kind or of all."""
    return where if kind is None else where & equals("kind", kind)


def _expr() -> Any:
    return require("lancedb.expr", extra="lance", why="an atlas in LanceDB")
