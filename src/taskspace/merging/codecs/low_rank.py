"""Matrices by their largest singular directions, and factor pairs as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.carriers import Factors, Pair, Place
from taskspace.merging.codecs._codec import Bound
from taskspace.merging.codecs.raw import Raw
from taskspace.merging.numbers import Spec
from taskspace.merging.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging.codecs._codec import Codec, Part, Parts, Tensor


@dataclass(frozen=True)
class Svd:
    """The first ``rank`` singular directions of each matrix, or a ``share`` of all (TSV-Compress, arXiv 2412.00081).

    No matrix of that rank is nearer (Eckart-Young): what is lost is ``sqrt(sum of s_i^2)`` of the directions left out,
    which is measured and stored.  Convolutions are unfolded.  What is no matrix, or would not become smaller, is stored
    as it is.
    """

    rank: int | None = None
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise SettingError(f"rank is {self.rank}; give at least 1, or a share of the rank")
        if not 0 < self.share <= 1:
            raise SettingError(f"share is {self.share}; give the share of the rank to keep, above 0 and at most 1")

    def fitted(self, spec: Spec) -> Codec:
        if len(spec.shape) < 2 or not spec.size:
            return Raw().fitted(spec)
        m, n = spec.shape[0], math.prod(spec.shape[1:])
        kept = min(self.rank or max(round(self.share * min(m, n)), 1), m, n)
        return LowRank(kept) if kept * (m + n) < m * n else Raw().fitted(spec)


@dataclass(frozen=True)
class LowRank:
    """``up @ down`` of that rank, float32: a pair of an adapter, or what an SVD leaves of a matrix.

    ``error`` is the Euclidean length of what was left out, measured in float64 against what is stored; of a pair
    that was one before it is 0.
    """

    rank: int
    transposed: bool = False
    module: str | None = None
    embedding: bool = False

    @classmethod
    def of(cls, pair: Pair) -> LowRank:
        """The codec that keeps a pair."""
        place = pair.place or Place("")
        return cls(pair.rank, pair.transposed, place.module or None, place.embedding)

    def sizes(self, spec: Spec) -> Mapping[str, int | None]:
        m, n = self._sides(spec)
        return {"up": m * self.rank, "down": self.rank * n, "error": 1}

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        m, n = self._sides(tensor.spec)
        return {"up": Spec("F32", (m, self.rank)), "down": Spec("F32", (self.rank, n)), "error": Spec("F64", (1,))}

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        matrix = tensor.flat().reshape(self._sides(tensor.spec))
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        up = np.ascontiguousarray(u[:, : self.rank] * s[: self.rank], dtype=np.float32)
        down = np.ascontiguousarray(vt[: self.rank], dtype=np.float32)
        lost = float(np.linalg.norm(matrix - up.astype(np.float64) @ down))
        yield from self.keep(Pair(up, down, tensor.spec.shape), lost)

    def keep(self, pair: Pair, lost: float = 0.0) -> Iterator[Part]:
        """The parts of a pair that is there."""
        yield "up", [np.ascontiguousarray(pair.up, dtype=np.float32)]
        yield "down", [np.ascontiguousarray(pair.down, dtype=np.float32)]
        yield "error", [np.array([lost])]

    def pair(self, parts: Parts, spec: Spec) -> Pair:
        """What was kept."""
        m, n = self._sides(spec)
        place = Place(self.module, self.embedding) if self.module else None
        up, down = parts.read("up").reshape(m, self.rank), parts.read("down").reshape(self.rank, n)
        return Pair(up, down, spec.shape, self.transposed, place)

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        return Factors.of({"": self.pair(parts, spec)}).block(Window("", start, stop))

    def bound(self, parts: Parts, spec: Spec) -> Bound:  # noqa: ARG002  # it was measured
        """What was left out, and the float32 roundings of the product: ``r eps |up| |down|`` at most."""
        sizes = (float(np.linalg.norm(parts.read(part).astype(np.float64))) for part in ("up", "down"))
        lost = float(parts.read("error")[0]) + self.rank * float(np.finfo(np.float32).eps) * math.prod(sizes)
        return Bound(lost, lost)

    def _sides(self, spec: Spec) -> tuple[int, int]:
        m, n = spec.shape[0], math.prod(spec.shape[1:])
        return (n, m) if self.transposed else (m, n)
