"""What a language model writes after a context, always taking the likeliest token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.labelers.language_models._batches import budgeted, padded
from taskspace.labelers.language_models._decoder import reads_in_parts
from taskspace.labelers.language_models._encoder_decoder import decoder_start
from taskspace.labelers.language_models._scoring import require_room, require_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.labelers.language_models._batches import Tokens
    from taskspace.labelers.language_models._loading import Loaded


def generate(
    model: Loaded, contexts: Sequence[tuple[int, ...]], *, max_new_tokens: int, batch_tokens: int = 4096
) -> Iterator[dict[int, tuple[int, ...]]]:
    """New tokens by context number, batch by batch, without the token that ends a text.

    Raises :class:`LabelerError` where a context and ``max_new_tokens`` do not fit the model.
    """
    require_words(contexts)
    longest = max((len(context) for context in contexts), default=0)
    require_room(model, longest + (0 if model.is_encoder_decoder else max_new_tokens), "a prompt with its new text")
    costs = [len(context) + max_new_tokens for context in contexts]
    for rows in budgeted(costs, batch_tokens):
        for part in _alike(model, contexts, rows, max_new_tokens):
            yield dict(zip(part, _written(model, [contexts[row] for row in part], max_new_tokens), strict=True))


def _alike(model: Loaded, contexts: Sequence[Tokens], rows: list[int], max_new_tokens: int) -> list[list[int]]:
    """Rows that may be padded together; a model that cannot tell padding from text gets one at a time."""
    longest = max(len(contexts[row]) for row in rows) + max_new_tokens
    if model.is_encoder_decoder or reads_in_parts(model.module, longest):
        return [rows]
    return [[row] for row in rows]


def _written(model: Loaded, contexts: Sequence[Tokens], max_new_tokens: int) -> list[Tokens]:
    torch = require("torch", extra="embed", why="a language model")
    ends = model.end_tokens
    ids, mask = padded(contexts, "right" if model.is_encoder_decoder else "left", model.device)
    settings: dict[str, Any] = {"max_new_tokens": max_new_tokens, "eos_token_id": list(ends) or None, "pad_token_id": 0}
    begin = ids.shape[1]  # a decoder repeats its context, an encoder-decoder what its answers start with
    if model.is_encoder_decoder:
        start = decoder_start(model)
        settings["decoder_input_ids"] = torch.tensor([start] * len(contexts), device=ids.device)
        begin = len(start)
    with torch.inference_mode():
        written = model.module.generate(input_ids=ids, attention_mask=mask, do_sample=False, **settings)
    return [_until(row[begin:], ends) for row in written.tolist()]


def _until(tokens: list[int], ends: Tokens) -> Tokens:
    first = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    return tuple(tokens[:first])
