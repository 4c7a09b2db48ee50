"""Rows of tokens as tensors: padding, joining and positions."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.tuning.parts._part import Tensor


def padded(rows: Sequence[Sequence[int]], device: str) -> tuple[Tensor, Tensor]:
    """int64[n, longest] tokens, zeros on the right, and int64[n, longest] with 1 where a token stands."""
    torch = require("torch", extra="embed", why="tuning")
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask.astype(np.int64)).to(device)


def numbers(values: Sequence[int], device: str) -> Tensor:
    """int64[n]."""
    torch = require("torch", extra="embed", why="tuning")
    return torch.tensor(values, dtype=torch.int64).to(device)


def mean_state(states: Tensor, mask: Tensor) -> Tensor:
    """float32[n, d]: mean of the states [n, L, d] where ``mask`` int64[n, L] is 1."""
    weight = mask.float().unsqueeze(2)
    return (states.float() * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def joined(
    parts: Sequence[tuple[Tensor, Tensor]], side: Literal["left", "right"], longest: int
) -> tuple[Tensor, Tensor]:
    """Embeddings [n, longest, d] and mask [n, longest] of the parts, one after the other.

    The padding that stood between them moves to ``side``, so that a row's tokens are neighbours and no model,
    however it counts positions or windows, can tell a padded row from one that stands alone.
    ``longest`` is the number of tokens of the longest row, all its parts together.
    """
    torch = require("torch", extra="embed", why="tuning")
    embeds, mask = (torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))
    order = mask.argsort(dim=1, descending=side == "right", stable=True)
    order = order[:, :longest] if side == "right" else order[:, order.shape[1] - longest :]
    return embeds.take_along_dim(order.unsqueeze(2), dim=1), mask.take_along_dim(order, dim=1)


def positions(mask: Tensor, first: int = 0) -> Tensor:
    """int64[n, L]: tokens counted from ``first``, whatever padding stands before or between them."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0) + first
