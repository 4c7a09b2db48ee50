"""Samples that depend on what a corpus holds and on the seed, never on the order of its rows.

Every divergence estimated from samples grows as samples shrink, so a small source looks farther than a large one of
the same kind.  To compare sources, draw as many rows from each of them and from the target, with a ``limit`` that the
smallest can fill.  The same seed draws the same rows from two corpora of the same content, so a corpus is at
distance 0 (or about 0) from its copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

LIMIT = 1000
"""Rows of each cloud that are looked at unless more are asked for: the dearest divergence then takes about a second."""

_LARGEST = float(np.finfo(np.float32).max)


def equal_samples(
    a: Iterable[str], b: Iterable[str], limit: int | None = None, seed: int = 0
) -> tuple[list[str], list[str]]:
    """As many texts of each corpus: ``limit``, or as many as the smaller one has.

    Raises :class:`DataError` for a corpus without texts, :class:`SettingError` for a limit below 1.
    """
    first, second = canonical_texts(a), canonical_texts(b)
    size = min(len(first), len(second), _sound(limit))
    return thinned_texts(first, size, seed), thinned_texts(second, size, seed)


def equal_rows(
    a: ArrayLike, b: ArrayLike, limit: int | None = None, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As many rows of each cloud, float64[n, d] and float64[n, d]; as :func:`equal_samples` of features."""
    first, second = clouds(a, b)
    size = min(len(first), len(second), _sound(limit))
    return first[_drawn(len(first), size, seed)], second[_drawn(len(second), size, seed)]


def canonical_texts(texts: Iterable[str]) -> list[str]:
    """The texts sorted by content; raises :class:`DataError` when there is none, or what is no text."""
    if isinstance(texts, str):
        raise DataError(f"a single string of {len(texts)} characters was given as a corpus; put texts in a list")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] (callers need not type-check)
            raise DataError(f"row {row} holds {text!r} where a text was expected; mend or drop the row")
    if not listed:
        raise DataError("a corpus has no texts; give one at least")
    return sorted(listed)


def thinned_texts(canonical: list[str], limit: int | None, seed: int) -> list[str]:
    """At most ``limit`` of texts that stand in canonical order, by seed."""
    return [canonical[i] for i in _drawn(len(canonical), _sound(limit), seed)]


def clouds(
    a: ArrayLike, b: ArrayLike, limit: int | None = None, seed: int = 0, least: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two clouds float64[n, d] and float64[m, d] in canonical order, at most ``limit`` rows of each, by seed.

    Raises :class:`DataError` for clouds of other widths, with fewer than ``least`` rows, or with NaN.
    """
    first, second = _cloud(a, least), _cloud(b, least)
    if first.shape[1] != second.shape[1]:
        raise DataError(
            f"features of width {first.shape[1]} and {second.shape[1]} do not compare; make both with one surrogate"
        )
    most = _sound(limit)
    if most < least:
        raise SettingError(f"limit is {limit}, and {least} rows are the least that can be compared; raise it")
    return first[_drawn(len(first), most, seed)], second[_drawn(len(second), most, seed)]


def _cloud(features: ArrayLike, least: int) -> NDArray[np.float64]:
    try:
        rows = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"features are no table of numbers ({error}); give rows of one width") from error
    if rows.ndim != 2 or not rows.size:
        raise DataError(f"features of shape {rows.shape} are no table; give one row per text")
    if not np.abs(rows).max() <= _LARGEST:
        raise DataError("features hold NaN, infinite or enormous numbers; make them again")
    if len(rows) < least:
        raise DataError(f"a cloud has {len(rows)} row where this divergence needs {least}; give more texts")
    return _canonical_rows(rows)


def _canonical_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted by their bytes, so that sums add up in one order whatever the order of the file."""
    plain = np.ascontiguousarray(rows + 0.0)  # -0.0 becomes 0.0
    keys = plain.view(np.dtype((np.void, plain.itemsize * plain.shape[1]))).ravel()
    return plain[np.argsort(keys, kind="stable")]


def _drawn(count: int, limit: int, seed: int) -> NDArray[np.int64]:
    """int64[min(count, limit)], ascending: rows drawn without replacement."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit])


def _sound(limit: int | None) -> int:
    if limit is not None and limit < 1:
        raise SettingError(f"limit is {limit}; draw 1 row at least, or say None for all")
    return np.iinfo(np.int64).max if limit is None else limit
