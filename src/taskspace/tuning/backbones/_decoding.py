"""Writing from left to right: kept keys and values, and the greedy loop."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from taskspace.tuning.parts._part import Tensor


def greedy(
    first: Tensor, step: Callable[[Tensor], Tensor], ends: Collection[int], *, max_tokens: int
) -> list[list[int]]:
    """The likeliest tokens of each row, up to an end mark, which is left out.

    ``first`` [n, V] are logits of the first token; ``step(tokens [n, 1])`` reads one more token of each row, keeps its
    keys and values, and gives the logits [n, V] of the next.  Rows that have ended go on unheard.
    """
    said: list[list[int]] = [[] for _ in range(first.shape[0])]
    going = set(range(len(said)))
    logits = first
    for left in reversed(range(max_tokens)):
        tokens = logits.argmax(dim=1)
        for row, token in enumerate(tokens.tolist()):
            if row in going and token in ends:
                going.remove(row)
            elif row in going:
                said[row].append(token)
        if not going or not left:
            break
        logits = step(tokens.unsqueeze(1))
    return said


def taken(cache: Any, rows: Tensor) -> Any:
    """These rows of the keys and values, as a cache of its own: what is added to it leaves the other as it was."""
    if hasattr(cache, "cross_attention_cache"):
        both = (cache.self_attention_cache, cache.cross_attention_cache)
        return type(cache)(*(taken(one, rows) for one in both))
    own = copy.copy(cache)
    own.layers = [copy.copy(layer) for layer in cache.layers]
    own.batch_select_indices(rows)
    return own


def size_per_row(cache: Any) -> int:
    """How many numbers the keys and values of one row are."""
    if hasattr(cache, "cross_attention_cache"):
        return size_per_row(cache.self_attention_cache) + size_per_row(cache.cross_attention_cache)
    return sum(layer.keys[0].numel() + layer.values[0].numel() for layer in cache.layers if layer.is_initialized)
