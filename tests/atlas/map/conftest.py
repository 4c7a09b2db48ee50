from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from taskspace.atlas import Matrix
from taskspace.ranking import block_norms


class Row(NamedTuple):
    """What a matrix says of a vector besides its numbers."""

    name: str
    kind: str
    informative: bool
    content: str
    provenance: dict


@pytest.fixture(scope="session")
def matrix_of():
    """``matrix_of(vectors, …)``: a matrix in memory, its rows called r0, r1, … unless ``names`` are given."""

    def make(vectors, *, names=None, kinds=None, blocks=None, silent=(), about=None):
        vectors = np.asarray(vectors, dtype=np.float32)
        blocks = blocks or (("all", vectors.shape[1]),)
        count = len(vectors)
        names = names or [f"r{i}" for i in range(count)]
        kinds = kinds or ["dataset"] * count
        rows = [Row(names[i], kinds[i], i not in silent, f"c{i}", (about or {}).get(i, {})) for i in range(count)]
        return Matrix("one generation", blocks, rows, vectors, block_norms(vectors, blocks))

    return make


@pytest.fixture(scope="session")
def groups():
    """``groups(sizes, …)``: float32[n, d] around as many orthogonal directions, in order, and the group of each."""

    def make(sizes, *, length=20, noise=0.05, seed=0):
        rng = np.random.default_rng(seed)
        label = np.repeat(np.arange(len(sizes)), sizes)
        vectors = np.eye(length)[label] + noise * rng.standard_normal((len(label), length))
        return vectors.astype(np.float32), label

    return make


@pytest.fixture(scope="session")
def cosines_of():
    """float64[n, n] of rows float32[n, d]: the mean over blocks of plain cosines, 0 with a part of zeros."""

    def find(vectors, blocks=None):
        vectors = np.asarray(vectors, dtype=np.float64)
        blocks = blocks or (("all", vectors.shape[1]),)
        total, start = np.zeros((len(vectors), len(vectors))), 0
        for _, size in blocks:
            part = vectors[:, start : start + size]
            start += size
            length = np.linalg.norm(part, axis=1)
            unit = part / np.where(length > 0, length, 1.0)[:, None]
            total += unit @ unit.T
        return total / len(blocks)

    return find
