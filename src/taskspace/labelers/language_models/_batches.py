"""Token lists put together: what they share, which go through the model side by side, and their padding."""

from __future__ import annotations

from functools import lru_cache
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.labelers.language_models._query import Query

Tokens: TypeAlias = tuple[int, ...]
Side: TypeAlias = Literal["right", "left"]


def shared_prefix(contexts: Sequence[Tokens]) -> int:
    """How many first tokens all contexts have in common, leaving each at least one of its own."""
    return min(len(commonprefix([min(contexts), max(contexts)])), min(map(len, contexts)) - 1)


def budgeted(costs: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Numbers of items that go together, cheapest first: as many as ``budget`` holds of the dearest among them."""
    batch: list[int] = []
    for item in sorted(range(len(costs)), key=costs.__getitem__):
        if batch and (len(batch) + 1) * costs[item] > budget:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def padded(rows: Sequence[Tokens], side: Side, device: str) -> tuple[Any, Any]:
    """Token ids and mask, int64[rows, longest]; padding is token 0 under a mask of 0."""
    torch = require("torch", extra="embed", why="a language model")
    longest = max(map(len, rows))
    gaps = [[0] * (longest - len(row)) for row in rows]
    right = side == "right"
    ids = [[*row, *gap] if right else [*gap, *row] for row, gap in zip(rows, gaps, strict=True)]
    mask = [[1] * len(row) + gap if right else gap + [1] * len(row) for row, gap in zip(rows, gaps, strict=True)]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


@lru_cache(maxsize=1024)
def stems(continuations: tuple[Tokens, ...], start: Tokens = ()) -> tuple[tuple[Tokens, tuple[int, ...]], ...]:
    """What has to be read to predict every token of the continuations, each with the numbers of those it serves.

    A continuation is predicted by ``start`` and all of itself but the last token; what is the beginning
    of another such stem is read with that one.
    """
    needed = [start + continuation[:-1] for continuation in continuations]
    inorder = sorted({stem for stem in needed if stem})
    # In dictionary order a beginning stands right before one of those that go on from it.
    last = [stem for stem, after in zip(inorder, [*inorder, ()][1:], strict=True) if after[: len(stem)] != stem]
    serves: dict[Tokens, list[int]] = {stem: [] for stem in last}
    for number, stem in enumerate(needed):
        if stem:
            serves[next(whole for whole in last if whole[: len(stem)] == stem)].append(number)
    return tuple((stem, tuple(numbers)) for stem, numbers in serves.items())


def longest_stem(query: Query) -> int:
    """Tokens that a query's context needs room for after itself."""
    return max((len(stem) for stem, _ in stems(query.continuations)), default=0)
