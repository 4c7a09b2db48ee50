"""Losses and scores, in float32 whatever the backbone computes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskspace._extras import require
from taskspace.tuning.backbones._batches import numbers, padded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.rows import Row

_Job: TypeAlias = tuple[int, int, tuple[int, ...]]
"""A row, the number of one of its answers, and that answer's tokens."""

_CELLS = 2**28
"""Numbers that scoring further tokens of answers may hold at a time: 1 GiB of float32."""


def answer_losses(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """float32[n] from logits float32[n, C], -inf past a row's own answers.

    Classes: cross-entropy against ``values``, nats.  Numbers: squared error, averaged over a row's numbers.
    """
    torch = require("torch", extra="embed", why="tuning")
    values, own, scalar = _wanted(rows, logits.shape[1], logits.device)
    likely = logits.log_softmax(dim=1).masked_fill(~own, 0)
    losses = -(values * likely).sum(dim=1)
    if scalar is None:
        return losses
    errors = (logits.masked_fill(~own, 0) - values).square().sum(dim=1) / own.sum(dim=1)
    return torch.where(scalar, errors, losses)


def answer_scores(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """float32[n, C]: log-probabilities of classes, numbers as they are, -inf past a row's own answers."""
    torch = require("torch", extra="embed", why="tuning")
    _, own, scalar = _wanted(rows, logits.shape[1], logits.device)
    scores = logits.log_softmax(dim=1)
    if scalar is not None:
        scores = torch.where(scalar[:, None], logits, scores)
    return scores.masked_fill(~own, -torch.inf)


def target_losses(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """float32[n]: nats of the targets int64[n, T] under logits float32[n, T, V], summed where ``mask`` is 1."""
    torch = require("torch", extra="embed", why="tuning")
    wanted = targets.masked_fill(mask == 0, -100)
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return losses.view(wanted.shape).sum(dim=1)


def written_scores(
    rows: Sequence[Row], first: Tensor, follow: Callable[[Tensor, Tensor, Tensor], Tensor], cost: int
) -> Tensor:
    """float32[n, C]: log-probability of each answer as a whole, end mark and all; -inf where a row has fewer.

    ``first`` [n, V] are logits of the first token.  ``follow(row, ids, mask)`` gives the logits [j, T, V] after each
    of ``ids`` [j, T] for j answers of the rows ``row`` [j]; ``cost`` is what one row's keys and values hold.
    """
    torch = require("torch", extra="embed", why="tuning")
    scores = first.new_full((len(rows), max(len(row.answers) for row in rows)), -torch.inf, dtype=torch.float32)
    jobs = [(i, c, tokens) for i, row in enumerate(rows) for c, tokens in enumerate(row.answers)]
    row, column = _places(jobs, first.device)
    begun, _ = padded([tokens[:1] for _, _, tokens in jobs], first.device)
    scores[row, column] = first.float().log_softmax(1)[row, begun[:, 0]]
    longer = [job for job in jobs if len(job[2]) > 1]
    longest = max((len(tokens) - 1 for _, _, tokens in longer), default=0)
    for part in _chunks(longer, max(1, _CELLS // (cost + longest * first.shape[1]))):
        row, column = _places(part, first.device)
        ids, mask = padded([tokens[:-1] for _, _, tokens in part], first.device)
        wanted, _ = padded([tokens[1:] for _, _, tokens in part], first.device)
        scores[row, column] += (_likely(follow(row, ids, mask), wanted) * mask).sum(dim=1)
    return scores


def _likely(logits: Tensor, tokens: Tensor) -> Tensor:
    """float32[j, T]: log-probability of each token, from logits [j, T, V]."""
    logits = logits.float()
    return logits.gather(2, tokens.unsqueeze(2)).squeeze(2) - logits.logsumexp(dim=2)


def _wanted(rows: Sequence[Row], width: int, device: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """``values`` float32[n, width], where they are a row's own, and which rows are numbers (``None``: none)."""
    torch = require("torch", extra="embed", why="tuning")
    lengths = np.array([len(row.values) for row in rows])
    own = np.arange(width) < lengths[:, None]
    values = np.zeros(own.shape, np.float32)
    values[own] = np.concatenate([row.values for row in rows])
    kinds = [row.kind == "numbers" for row in rows]
    scalar = torch.tensor(kinds, device=device) if any(kinds) else None
    return torch.from_numpy(values).to(device), torch.from_numpy(own).to(device), scalar


def _places(jobs: Sequence[_Job], device: str) -> tuple[Tensor, Tensor]:
    return numbers([row for row, _, _ in jobs], device), numbers([column for _, column, _ in jobs], device)


def _chunks(jobs: Sequence[_Job], size: int) -> Iterator[Sequence[_Job]]:
    return (jobs[at : at + size] for at in range(0, len(jobs), size))
