"""A whole task vector in a few thousand numbers, and the space where adapters and checkpoint differences meet.

TensorSketch (Pham and Pagh, KDD 2013) of every tensor, summed.  Number (i, j) of a tensor, seen as a matrix of
``shape[0]`` rows, is added to bucket ``(h1(i) + h2(j)) mod dims`` with sign ``s1(i) s2(j)``; bucket and sign of a row
or column are drawn by seed and the tensor's name.  So the sketch is linear, and that of ``B A`` is the convolution of
those of B's columns and A's rows: factors are not multiplied out, and an adapter lies where its merged model does.

Inner products of sketches are those of the vectors on average over seeds, and their variance is at most
``(6 + 4 / dims) / dims * |x|^2 |y|^2``; it is near ``1 / dims`` of that where changes are spread over many directions
and tensors.  (Ours: three kinds of collisions, within a row, within a column and across, have two parts each, and the
last two more of 2 / dims^2 at most.)
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import SettingError
from taskspace.merging.carriers import Factors
from taskspace.merging.carriers.combined import terms
from taskspace.merging.measures import stretch_of
from taskspace.merging.window import STRETCH, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from taskspace.merging._vector import TaskVector
    from taskspace.merging.base import Base
    from taskspace.merging.carriers import Carrier, Pair
    from taskspace.merging.window import Window

DIMS = 4096
LEARNER = "weights"
"""What the learner of such a space is called."""


def embedding(vector: TaskVector, name: str, *, dims: int = DIMS, seed: int = 0) -> TaskEmbedding:
    """The sketch as a :class:`TaskEmbedding` of kind ``adapter``; see :meth:`TaskVector.embed`.

    ``content`` names every number that was sketched, in the parts that it came in: a model in which one changed is
    another one.
    """
    seen = hashlib.sha256()
    numbers = sketch(vector.carrier, dims=dims, seed=seed, watch=seen.update)
    return TaskEmbedding(
        name=name,
        kind="adapter",
        space=space_of(vector.base, dims=dims, seed=seed),
        vector=numbers.astype(np.float32),
        blocks=((LEARNER, dims),),
        content=seen.hexdigest()[:32],
        provenance=_told(vector),
    )


def space_of(base: Base | None, *, dims: int = DIMS, seed: int = 0) -> SpaceId:
    """One space for each base, number of dimensions and seed, whatever tensors a vector names.

    The base counts by the digest of its weights.  Where that is not known (an adapter that was read without its base,
    what prompts were trained on) it counts by name, in a space of its own; without any base, vectors meet those that
    have none either.
    """
    known = base.whole if base else ""
    return SpaceId(
        surrogate=base.name if base else "no base",
        revision="",
        weights=known or (f"only its name: {base.name}" if base else ""),
        encoding={},
        learner=LEARNER,
        settings={"dims": dims, "sketch": "tensor"},
        pool="",
        pool_size=0,
        seed=seed,
    )


def sketch(
    carrier: Carrier,
    *,
    dims: int = DIMS,
    seed: int = 0,
    stretch: int = STRETCH,
    watch: Callable[[bytes], object] = lambda _: None,
) -> NDArray[np.float64]:
    """float64[dims]: the same bits for every ``stretch``, the numbers that are read at once.

    ``watch`` is shown all that is read, in an order that does not depend on ``stretch`` either.
    """
    if dims < 1:
        raise SettingError(f"dims is {dims}; give at least 1")
    total = np.zeros(dims)
    for name in sorted(carrier.layout):
        hashes = _Hashes(name, carrier.layout[name].shape, dims, seed)
        for weight, part in terms(carrier, name):
            watch(f"{weight} {name} {carrier.layout[name].shape}".encode())
            total += weight * (
                _of_pair(part.pairs[name], hashes, watch)
                if isinstance(part, Factors)
                else _of_windows(part, name, hashes, stretch, watch)
            )
    return total


class _Hashes:
    """Buckets int64 and signs float64 of the rows and columns of one tensor."""

    def __init__(self, name: str, shape: tuple[int, ...], dims: int, seed: int) -> None:
        self.dims = dims
        self.rows, self.row_signs = _drawn(f"{seed}/rows/{name}", shape[0] if shape else 1, dims)
        self.columns, self.column_signs = _drawn(f"{seed}/columns/{name}", int(np.prod(shape[1:])), dims)

    def add(self, values: NDArray[np.float64], window: Window, total: NDArray[np.float64]) -> None:
        """One by one in their order, so that the sum does not depend on where a window ends."""
        rows, columns = np.divmod(np.arange(window.start, window.stop), max(len(self.columns), 1))
        buckets = (self.rows[rows] + self.columns[columns]) % self.dims
        np.add.at(total, buckets, values * self.row_signs[rows] * self.column_signs[columns])


def _drawn(what: str, count: int, dims: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of raw draws of a counter-based generator (Philox), which numpy promises to keep: the last bit is the sign."""
    key = np.frombuffer(hashlib.sha256(what.encode()).digest()[:16], dtype="<u8")
    draws = np.random.Philox(key=key).random_raw(count)
    signs = 1.0 - 2.0 * (draws & np.uint64(1)).astype(np.float64)
    return ((draws >> np.uint64(1)) % np.uint64(dims)).astype(np.int64), signs.astype(np.float64)


def _of_windows(
    carrier: Carrier, name: str, hashes: _Hashes, stretch: int, watch: Callable[[bytes], object]
) -> NDArray[np.float64]:
    total = np.zeros(hashes.dims)
    usual = stretch_of(carrier, name=name, layout=carrier.layout, usual=stretch)
    for window in windows(name, carrier.layout[name], usual):
        block = carrier.block(window)
        watch(block.tobytes())
        hashes.add(block.astype(np.float64), window, total)
    return total


def _of_pair(pair: Pair, hashes: _Hashes, watch: Callable[[bytes], object]) -> NDArray[np.float64]:
    """The circular convolution of both factors' sketches, summed over the rank."""
    watch(f"{pair.rank} {pair.transposed}".encode() + pair.up.tobytes() + pair.down.tobytes())
    left, right = (pair.down.T, pair.up.T) if pair.transposed else (pair.up, pair.down)
    rows = _counted(left.T, hashes.rows, hashes.row_signs, hashes.dims)
    columns = _counted(right, hashes.columns, hashes.column_signs, hashes.dims)
    return np.fft.irfft(np.sum(np.fft.rfft(rows) * np.fft.rfft(columns), axis=0), hashes.dims)


def _counted(
    vectors: NDArray[np.float32], buckets: NDArray[np.int64], signs: NDArray[np.float64], dims: int
) -> NDArray[np.float64]:
    """float64[vectors, dims]: each one's CountSketch."""
    return np.stack([np.bincount(buckets, vector * signs, dims) for vector in vectors]).astype(np.float64)


def _told(vector: TaskVector) -> dict[str, object]:
    ranks = [
        part.pairs[name].rank
        for name in vector.layout
        for _, part in terms(vector.carrier, name)
        if isinstance(part, Factors)
    ]
    return {
        "weights": dict(vector.weights),
        "rank": max(ranks, default=None),
        "tensors": len(vector.layout),
        "norm": vector.norm,
        "base": None if vector.base is None else vector.base.name,
    }
