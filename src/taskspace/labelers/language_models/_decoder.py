"""Exact scores from a decoder.

What all contexts share is read once; its keys and values then serve every batch, and those of a context
serve all its answers.  Padding is masked and positions are given, so neither changes a number by more
than float rounding.  Models that cannot be read in parts (state-space models, sliding windows shorter
than the text, positions counted by column) are read whole: each context with each answer, padded on
the right, where a causal model cannot see it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.labelers.language_models._batches import budgeted, longest_stem, padded, shared_prefix, stems
from taskspace.labelers.language_models._forward import affordable, log_probs, takes
from taskspace.labelers.language_models._places import as_scored, first_places, later_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.language_models._batches import Side, Tokens
    from taskspace.labelers.language_models._forward import Place
    from taskspace.labelers.language_models._loading import Loaded
    from taskspace.labelers.language_models._places import Job
    from taskspace.labelers.language_models._query import Query, Scored

_NO_STEM: tuple[tuple[Tokens, tuple[int, ...]], ...] = (((), ()),)


def score(
    model: Loaded, queries: Sequence[Query], *, batch_tokens: int, side: Side, share: bool, with_context: bool
) -> Iterator[dict[int, Scored]]:
    """See :func:`taskspace.labelers.language_models._scoring.score`."""
    torch = require("torch", extra="embed", why="a language model")
    budget = affordable(model.module, batch_tokens)
    costs = [len(query.context) + longest_stem(query) for query in queries]
    if not reads_in_parts(model.module, max(costs)):
        costs = [cost * max(1, len(stems(query.continuations))) for cost, query in zip(costs, queries, strict=True)]
        for rows in budgeted(costs, budget):
            with torch.inference_mode():
                scored = _read_whole(model, [queries[row] for row in rows], with_context=with_context)
            yield dict(zip(rows, scored, strict=True))
        return
    shared = shared_prefix([query.context for query in queries]) if share and len(queries) > 1 else 0
    with torch.inference_mode():
        prefix = _read_prefix(model, queries, shared, with_context=with_context)
    for rows in budgeted(costs, budget):
        with torch.inference_mode():
            scored = _read_in_parts(model, [queries[row] for row in rows], prefix.of(rows), side, budget)
        yield dict(zip(rows, scored, strict=True))


def reads_in_parts(module: Any, longest: int) -> bool:
    """Whether the model can go on from kept keys and values, with gaps of padding, up to ``longest`` tokens."""
    caches = require("transformers.cache_utils", extra="embed", why="a language model")
    if not takes(module, "position_ids", "past_key_values", "attention_mask"):
        return False
    config = module.config.get_text_config(decoder=True)
    if getattr(config, "use_cache", True) is False:
        return False
    if "local" in getattr(config, "attention_layers", ()) and longest >= config.window_size:  # windows of GPT-Neo
        return False
    return all(
        type(layer) is caches.DynamicLayer
        or (type(layer) is caches.DynamicSlidingWindowLayer and longest < layer.sliding_window)
        for layer in _cache(module).layers
    )


@dataclass(frozen=True, eq=False)
class _Prefix:
    """The first ``length`` tokens of all contexts, as keys and values of one row.

    ``likelihood`` float64[queries] is that of the prefix and of the token after it, where it was asked for.
    """

    length: int
    cache: Any
    likelihood: NDArray[np.float64] | None

    def of(self, rows: Sequence[int]) -> _Prefix:
        return _Prefix(self.length, self.cache, None if self.likelihood is None else self.likelihood[list(rows)])


def _read_prefix(model: Loaded, queries: Sequence[Query], length: int, *, with_context: bool) -> _Prefix:
    cache = _cache(model.module)
    if not length:
        return _Prefix(0, cache, np.zeros(len(queries)) if with_context else None)
    tokens = queries[0].context[:length]
    within = _inside([tokens], [0])
    after = [(0, length - 1, query.context[length]) for query in queries]
    ids, mask = padded([tokens], "right", model.device)
    values = log_probs(model.module, within + after if with_context else [], **_inputs(ids, mask, cache))
    likelihood = values[: len(within)].sum() + values[len(within) :] if with_context else None
    return _Prefix(length, cache, likelihood)


def _read_in_parts(model: Loaded, queries: Sequence[Query], prefix: _Prefix, side: Side, budget: int) -> list[Scored]:
    """The contexts after the prefix first, then what follows them."""
    torch = require("torch", extra="embed", why="a language model")
    own = [query.context[prefix.length :] for query in queries]
    ids, mask = padded(own, side, model.device)
    mask = torch.cat([mask.new_ones(len(own), prefix.length), mask], dim=1)
    cache = _rows(prefix.cache, torch.zeros(len(own), dtype=torch.long, device=mask.device))
    begins = [0 if side == "right" else ids.shape[1] - len(tokens) for tokens in own]
    ends = [begin + len(tokens) - 1 for begin, tokens in zip(begins, own, strict=True)]
    within = [] if prefix.likelihood is None else _inside(own, begins)
    values = log_probs(model.module, within + first_places(queries, ends), **_inputs(ids, mask, cache))
    answers = values[len(within) :] + _read_stems(model, queries, mask, cache, budget)
    if prefix.likelihood is None:
        return as_scored(queries, answers)
    return as_scored(queries, answers, prefix.likelihood + _by_row(within, values, len(own)))


def _read_stems(model: Loaded, queries: Sequence[Query], mask: Any, cache: Any, budget: int) -> NDArray[np.float64]:
    """float64[all continuations]: log-probability of each after its first token; ``cache`` holds the contexts."""
    torch = require("torch", extra="embed", why="a language model")
    jobs = [(row, *stem) for row, query in enumerate(queries) for stem in stems(query.continuations)]
    totals = np.zeros(sum(len(query.continuations) for query in queries))
    for chosen in budgeted([mask.shape[1] + len(stem) for _, stem, _ in jobs], budget):
        part = [jobs[job] for job in chosen]
        rows = torch.tensor([row for row, _, _ in part], device=mask.device)
        ids, own = padded([stem for _, stem, _ in part], "right", model.device)
        places, owners = later_places(queries, part, [0] * len(part))
        inputs = _inputs(ids, torch.cat([mask[rows], own], dim=1), _rows(cache, rows))
        totals += np.bincount(owners, weights=log_probs(model.module, places, **inputs), minlength=len(totals))
    return totals


def _read_whole(model: Loaded, queries: Sequence[Query], *, with_context: bool) -> list[Scored]:
    """Each context with each of its stems; the first of them, in the row of its number, tells of the context too."""
    served = [stems(query.continuations) or _NO_STEM for query in queries]
    jobs: list[Job] = [(row, *those[0]) for row, those in enumerate(served)]
    jobs += [(row, *stem) for row, those in enumerate(served) for stem in those[1:]]
    ids, mask = padded([queries[row].context + stem for row, stem, _ in jobs], "right", model.device)
    lengths = [len(query.context) for query in queries]
    within = _inside([query.context for query in queries], [0] * len(queries)) if with_context else []
    firsts = first_places(queries, [length - 1 for length in lengths])
    later, owners = later_places(queries, jobs, [lengths[row] for row, _, _ in jobs])
    values = log_probs(model.module, within + firsts + later, input_ids=ids, attention_mask=mask, use_cache=False)
    answers = values[len(within) :][: len(firsts)]
    answers += np.bincount(owners, weights=values[len(within) + len(firsts) :], minlength=len(answers))
    return as_scored(queries, answers, _by_row(within, values, len(queries)) if with_context else None)


def _inside(rows: Sequence[Tokens], begins: Sequence[int]) -> list[Place]:
    """Where each token of a row is read from the one before it."""
    return [
        (row, begins[row] + column, token) for row, tokens in enumerate(rows) for column, token in enumerate(tokens[1:])
    ]


def _by_row(places: Sequence[Place], values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """float64[rows]: sums of the first values, which belong to ``places``."""
    owners = np.array([row for row, _, _ in places], dtype=np.intp)
    return np.bincount(owners, weights=values[: len(places)], minlength=rows).astype(np.float64)


def _inputs(ids: Any, mask: Any, cache: Any) -> dict[str, Any]:
    """Positions count what is not masked, so that gaps take no place."""
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return {
        "input_ids": ids, "attention_mask": mask, "position_ids": positions,
        "past_key_values": cache, "use_cache": True,
    }  # fmt: skip


def _cache(module: Any) -> Any:
    """Empty keys and values, with windows where the model has them."""
    caches = require("transformers.cache_utils", extra="embed", why="a language model")
    return caches.DynamicCache(config=module.config)


def _rows(cache: Any, rows: Any) -> Any:
    """These rows of the keys and values, as a cache of its own: what is added to it leaves the other as it was."""
    taken = copy.copy(cache)
    taken.layers = [copy.copy(layer) for layer in cache.layers]
    taken.batch_select_indices(rows)
    return taken
