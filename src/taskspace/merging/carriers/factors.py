"""Low-rank differences kept as factor pairs (LoRA, arXiv 2106.09685, equation 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.merging.checkpoint import named
from taskspace.merging.numbers import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.window import Window

PANEL = 256
"""Rows that are multiplied together.  Always the same ones, since a product of other rows may round otherwise."""


@dataclass(frozen=True)
class Place:
    """Where an adapter keeps a pair: the ``module`` by its path, and whether that is an embedding."""

    module: str
    embedding: bool = False


@dataclass(frozen=True, eq=False)
class Pair:
    """``up @ down``, float32[m, r] and float32[r, n], with all scaling in ``up``; ``shape`` is the weight's own.

    ``transposed`` is for weights that are stored as [n, m], as embeddings and GPT-2's layers are.  ``place`` is known
    of pairs that came from an adapter.
    """

    up: NDArray[np.float32]
    down: NDArray[np.float32]
    shape: tuple[int, ...]
    transposed: bool = False
    place: Place | None = None

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def turned(self) -> Pair:
        """The same difference with ``transposed`` the other way: ``(BA)' = A'B'``."""
        return replace(self, up=self.down.T, down=self.up.T, transposed=not self.transposed)

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Rows of the weight's difference, seen as a matrix of ``shape[0]`` rows."""
        left, right = (self.down.T, self.up.T) if self.transposed else (self.up, self.down)
        return left[first:last] @ right


@dataclass(frozen=True, eq=False)
class Factors:
    """Pairs by the weight that they add to; they may be read from a file when they are asked for."""

    pairs: Mapping[str, Pair]
    layout: Layout

    whole = False

    @classmethod
    def of(cls, pairs: Mapping[str, Pair]) -> Factors:
        """Pairs that are in memory."""
        return cls(pairs, {name: Spec("F32", pair.shape) for name, pair in pairs.items()})

    def block(self, window: Window) -> NDArray[Any]:
        pair = self.pairs[window.name]
        width = max(math.prod(pair.shape[1:]), 1)
        first, last = window.start // width, -(-window.stop // width)
        panels = range(first // PANEL * PANEL, last, PANEL)
        parts = [pair.rows(at, at + PANEL) for at in panels]
        flat = np.concatenate(parts).reshape(-1) if parts else np.zeros(0, np.float32)
        begin = window.start - panels.start * width
        return flat[begin : begin + window.stop - window.start]

    def identity(self) -> str:
        return named(*(_named(name, self.pairs[name]) for name in self.layout))


def concatenated(pairs: Sequence[tuple[float, Pair]]) -> Pair:
    """The exact sum: factors side by side, rank the sum of ranks (peft calls this ``cat``)."""
    first = next((pair for _, pair in pairs if pair.place), pairs[0][1])
    alike = [(w, pair if pair.transposed == first.transposed else pair.turned()) for w, pair in pairs]
    up = np.concatenate([np.float32(weight) * pair.up for weight, pair in alike], axis=1)
    down = np.concatenate([pair.down for _, pair in alike])
    return replace(first, up=up, down=down)


def truncated(pair: Pair, rank: int) -> tuple[Pair, float]:
    """The nearest pair of at most ``rank`` (Eckart-Young), and the share of the energy that is lost.

    By QR of both factors and an SVD of the small product, so the difference itself is never formed.
    """
    left, left_core = np.linalg.qr(pair.up.astype(np.float64))
    right, right_core = np.linalg.qr(pair.down.T.astype(np.float64))
    u, s, vt = np.linalg.svd(left_core @ right_core.T)
    energy = float(np.sum(s**2))
    kept = min(rank, len(s))
    lost = float(np.sum(s[kept:] ** 2)) / energy if energy else 0.0
    up = (left @ (u[:, :kept] * s[:kept])).astype(np.float32)
    down = (vt[:kept] @ right.T).astype(np.float32)
    return replace(pair, up=up, down=down), lost


def inner(one: Pair, two: Pair) -> float:
    """Their inner product by the trace of r by r products: ``tr((A2 A1') (B1' B2))`` with W = BA."""
    two = two if one.transposed == two.transposed else two.turned()
    ups = one.up.T.astype(np.float64) @ two.up.astype(np.float64)
    downs = one.down.astype(np.float64) @ two.down.T.astype(np.float64)
    return float(np.sum(ups * downs))


def _named(name: str, pair: Pair) -> str:
    return named(f"{name}{pair.shape}{pair.transposed}", pair.up.tobytes(), pair.down.tobytes())
