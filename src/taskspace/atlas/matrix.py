"""All vectors of a space as one matrix: read from the store once, kept in memory and in a cache file."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace import _home
from taskspace._files import replacing
from taskspace.errors import EmbeddingError
from taskspace.ranking import block_cosines, block_norms, centre_of, centred_cosines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.atlas._store import View
    from taskspace.atlas._stored import Row, SpaceRow
    from taskspace.embedding import Blocks, TaskEmbedding

WORTH_A_FILE = 4_000_000
"""Bytes from which a cache file is quicker than the database."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """``vectors`` float32[n, d] and the lengths of their blocks, ``norms`` float64[n, b], beside their rows."""

    generation: str
    blocks: Blocks
    rows: Sequence[Row]
    vectors: NDArray[np.float32]
    norms: NDArray[np.float64]


def cosines_with(target: TaskEmbedding, matrix: Matrix, *, centre: bool = False) -> NDArray[np.float64]:
    """float64[n, b], for a target of the same space; raises :class:`EmbeddingError` when its blocks are others.

    With ``centre`` the mean of all rows that say something is taken off first.
    """
    if not matrix.rows:
        return np.zeros((0, len(target.blocks)))
    if matrix.blocks != target.blocks:
        raise EmbeddingError(f"the blocks of {target.name!r} are not those stored for its space; embed it again")
    if centre:
        telling = np.array([row.informative for row in matrix.rows])
        return centred_cosines(target.vector, matrix.vectors, matrix.blocks, centre_of(matrix.vectors, telling))
    return block_cosines(target.vector, matrix.vectors, matrix.blocks, matrix.norms)


class Shelf:
    """The matrices of one atlas, the newest generation of each space.

    A cache file is named by atlas, space and generation, so a stale one is never read; a damaged one
    is made again; a folder that cannot be written is done without.
    """

    def __init__(self) -> None:
        self._held: dict[str, Matrix] = {}
        self._lock = threading.Lock()

    def has(self, view: View, space: SpaceRow) -> bool:
        """Whether the matrix can be had without reading the store."""
        held = self._held.get(space.fingerprint)
        return (held is not None and held.generation == space.generation) or _path(view, space).exists()

    def matrix(self, view: View, space: SpaceRow) -> Matrix:
        """The matrix of ``space``, which must come from the same view."""
        with self._lock:
            held = self._held.get(space.fingerprint)
            if held is None or held.generation != space.generation:
                held = self._held[space.fingerprint] = _build(view, space)
            return held


def _build(view: View, space: SpaceRow) -> Matrix:
    rows = view.rows(space)
    layout = _layout(space.blocks)
    path = _path(view, space)
    table = _open(path, layout, len(rows))
    if table is None:
        table = _read(view, space, layout, len(rows))
        if table.nbytes >= WORTH_A_FILE:
            _save(path, table)
    _forget_others(path)
    return Matrix(space.generation, space.blocks, rows, table["vector"], table["norms"])


def _layout(blocks: Blocks) -> np.dtype[np.void]:
    """One record per embedding, so that vectors and norms share a file and are both views of it."""
    return np.dtype([("norms", "<f8", (len(blocks),)), ("vector", "<f4", (sum(size for _, size in blocks),))])


def _read(view: View, space: SpaceRow, layout: np.dtype[np.void], count: int) -> NDArray[np.void]:
    table = np.zeros(count, dtype=layout)
    view.fill(space, table["vector"])
    table["norms"] = block_norms(table["vector"], space.blocks)
    return table


def _path(view: View, space: SpaceRow) -> Path:
    name = f"{view.uuid}-{space.fingerprint[:16]}-{space.generation}.npy"
    return _home.home() / "matrices" / name


def _open(path: Path, layout: np.dtype[np.void], count: int) -> NDArray[np.void] | None:
    """The file as it lies on disk, or nothing when it is missing or not what was written."""
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return table if table.dtype == layout and table.shape == (count,) else None


def _save(path: Path, table: NDArray[np.void]) -> None:
    """Whole or not at all: on disk before it gets its name."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.lib.format.write_array(file, table, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())


def _forget_others(path: Path) -> None:
    """Delete what other generations of this space left."""
    prefix = path.name.rpartition("-")[0]
    with suppress(OSError):
        for other in [*path.parent.glob(f"{prefix}-*"), *path.parent.glob(f".{prefix}-*")]:  # a killed writer's too
            if not other.name.removeprefix(".").startswith(path.name):
                other.unlink()
