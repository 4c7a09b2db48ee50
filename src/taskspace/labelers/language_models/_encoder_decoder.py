"""Exact scores from an encoder-decoder: each context is encoded once and serves all its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.errors import LabelerError
from taskspace.labelers.language_models._batches import budgeted, padded, stems
from taskspace.labelers.language_models._forward import affordable, log_probs
from taskspace.labelers.language_models._places import as_scored, later_places
from taskspace.labelers.language_models._tokens import Wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from taskspace.labelers.language_models._batches import Tokens
    from taskspace.labelers.language_models._loading import Loaded
    from taskspace.labelers.language_models._query import Query, Scored


def score(model: Loaded, queries: Sequence[Query], *, batch_tokens: int) -> Iterator[dict[int, Scored]]:
    """See :func:`taskspace.labelers.language_models._scoring.score`; how likely a context is cannot be told."""
    torch = require("torch", extra="embed", why="a language model")
    start, budget = decoder_start(model), affordable(model.module, batch_tokens)
    for rows in budgeted([len(query.context) for query in queries], budget):
        with torch.inference_mode():
            scored = _read(model, [queries[row] for row in rows], start, budget)
        yield dict(zip(rows, scored, strict=True))


def _read(model: Loaded, queries: Sequence[Query], start: Tokens, budget: int) -> list[Scored]:
    """Padding is on the right on both sides: the mask hides it from one, causality from the other."""
    torch = require("torch", extra="embed", why="a language model")
    ids, mask = padded([query.context for query in queries], "right", model.device)
    states = model.module.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    jobs = [(row, *stem) for row, query in enumerate(queries) for stem in stems(query.continuations, start)]
    totals = np.zeros(sum(len(query.continuations) for query in queries))
    for chosen in budgeted([ids.shape[1] + len(stem) for _, stem, _ in jobs], budget):
        part = [jobs[job] for job in chosen]
        rows = torch.tensor([row for row, _, _ in part], device=ids.device)
        decoded, _ = padded([stem for _, stem, _ in part], "right", model.device)
        places, owners = later_places(queries, part, [len(start) - 1] * len(part), skip=0)
        inputs = {"encoder_outputs": _encoded(states[rows]), "attention_mask": mask[rows], "use_cache": False}
        values = log_probs(model.module, places, **inputs, decoder_input_ids=decoded)
        totals += np.bincount(owners, weights=values, minlength=len(totals))
    return as_scored(queries, totals)


def _encoded(states: Any) -> Any:
    outputs = require("transformers.modeling_outputs", extra="embed", why="a language model")
    return outputs.BaseModelOutput(last_hidden_state=states)


def decoder_start(model: Loaded) -> Tokens:
    """What stands before every answer in the decoder.

    The token that it starts from and, where the tokenizer opens each text with a mark, that mark: the
    targets of BART are trained as ``</s> <s> text``.
    """
    for said in (model.module.generation_config, model.module.config):
        start = getattr(said, "decoder_start_token_id", None)
        if start is not None:
            marks = Wording(model.tokenizer, model.name, is_encoder_decoder=True).opening_marks
            return (int(start), *(() if marks[-1:] == (start,) else marks))
    raise LabelerError(f"{model.name} does not say its decoder_start_token_id; write it into its config.json")
