"""How likely a language model finds given strings after given contexts: exact, by teacher forcing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.errors import LabelerError
from taskspace.labelers.language_models import _decoder, _encoder_decoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.labelers.language_models._batches import Side, Tokens
    from taskspace.labelers.language_models._loading import Loaded
    from taskspace.labelers.language_models._query import Query, Scored


def score(
    model: Loaded,
    queries: Sequence[Query],
    *,
    batch_tokens: int = 4096,
    padding: Side = "right",
    prefix_cache: bool = True,
    with_context: bool = True,
) -> Iterator[dict[int, Scored]]:
    """Log-probabilities of every continuation by query number, batch by batch, shortest contexts first.

    ``batch_tokens`` bounds the tokens held at once.  It, ``padding`` (of decoders) and ``prefix_cache``
    change numbers by no more than float rounding.  ``with_context`` asks for the likelihood of the
    contexts too, which an encoder-decoder cannot tell.

    Raises :class:`LabelerError`, before anything is computed, for a query that does not fit the model.
    """
    _require_fitting(model, queries)
    if not queries:
        return
    if model.is_encoder_decoder:
        yield from _encoder_decoder.score(model, queries, batch_tokens=batch_tokens)
    else:
        yield from _decoder.score(
            model, queries, batch_tokens=batch_tokens, side=padding, share=prefix_cache, with_context=with_context
        )


def require_room(model: Loaded, longest: int, what: str) -> None:
    """Refuse what the model has no positions for."""
    if model.max_tokens is not None and longest > model.max_tokens:
        raise LabelerError(
            f"{what} has {longest} tokens but {model.name} reads {model.max_tokens};"
            " shorten the texts, the template or the examples"
        )


def require_words(contexts: Sequence[Tokens]) -> None:
    """Nothing can be predicted from nothing."""
    if not all(contexts):
        raise LabelerError("a prompt comes to no token at all; give it a word, or a tokenizer that begins texts")


def _require_fitting(model: Loaded, queries: Sequence[Query]) -> None:
    require_words([query.context for query in queries])
    if not all(all(query.continuations) for query in queries):
        raise LabelerError("an answer comes to no token at all; give it a word that the tokenizer knows")
    for query in queries:
        answer = max((len(continuation) for continuation in query.continuations), default=1)
        if model.is_encoder_decoder:
            require_room(model, max(len(query.context), answer), "a prompt or an answer")
        else:
            require_room(model, len(query.context) + answer - 1, "a prompt with its answer")
