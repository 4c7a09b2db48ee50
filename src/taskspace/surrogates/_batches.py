"""Texts in tokens, in batches whose shape depends on nothing but their own lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.surrogates._shape import ModelKind

ROWS = 16
"""Rows of every batch.  Batches of one shape make a text's features depend on the text alone, bit for bit:
not on its neighbours, so neither a resumed run nor a larger pool changes a number."""

STEP = 16
"""Batches are padded to a multiple of this many tokens."""

_LONGEST_WORD = 100
"""Characters per token allowed for before a text is cut, so that a text of megabytes costs no more than a page."""


def tokenized(
    tokenizer: Any, kind: ModelKind, first: Sequence[str], second: Sequence[str | None], *, max_length: int
) -> dict[str, list[list[int]]]:
    """``input_ids``, ``attention_mask`` and for encoders ``token_type_ids``, as far as the tokenizer has them.

    A decoder reads the two texts of a pair on two lines, since its tokenizer puts nothing between them, and an empty
    text as the token with which texts begin, since something has to be there to read.
    """
    names = ("input_ids", "attention_mask", *(("token_type_ids",) if kind == "encoder" else ()))
    encoded: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": []}
    for text, pair in zip(first, second, strict=True):
        cut = [writable(part, max_length) for part in (text, pair) if part is not None]
        if kind == "decoder":
            cut[1:] = ["\n" + part for part in cut[1:]]
        row = tokenizer(*cut, truncation=True, max_length=max_length)
        if kind != "encoder" and not row["input_ids"]:
            row = {"input_ids": [beginning(tokenizer)], "attention_mask": [1]}
        for name in names:
            if name in row:
                encoded.setdefault(name, []).append(row[name])
    return encoded


def batched(encoded: Mapping[str, Sequence[Sequence[int]]], device: str) -> Iterator[tuple[list[int], dict[str, Any]]]:
    """Row numbers and token tensors [16, tokens], shortest texts first; fillers follow the rows numbered."""
    torch = require("torch", extra="embed", why="a surrogate")
    lengths = [-(-len(ids) // STEP) * STEP for ids in encoded["input_ids"]]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    while order:
        longest = lengths[order[0]]
        rows = [i for i in order[:ROWS] if lengths[i] == longest]
        order = order[len(rows) :]
        tensors = {
            name: torch.tensor(_padded([values[i] for i in rows], longest), device=device)
            for name, values in encoded.items()
        }
        yield rows, tensors


def writable(text: str, max_length: int) -> str:
    """As much of a text as ``max_length`` tokens may need; half characters (lone surrogates), which tokenizers refuse,
    become question marks.
    """
    return text[: max_length * _LONGEST_WORD].encode("utf-8", "replace").decode("utf-8")


def beginning(tokenizer: Any) -> int:
    """A token that may stand before any text."""
    known = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return next((int(token) for token in known if token is not None), 0)


def _padded(rows: Sequence[Sequence[int]], longest: int) -> list[list[int]]:
    """Zero-padded to ``longest`` tokens, and filled up to ``ROWS`` rows with copies of the first."""
    full = [[*row, *[0] * (longest - len(row))] for row in rows]
    return full + [full[0]] * (ROWS - len(rows))
