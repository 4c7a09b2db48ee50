from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from taskspace.ranking.history import Row, Transfers

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "data" / "published"


@pytest.fixture(scope="session")
def published():
    """Read a published table by its file name."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published transfers are not beside the repository")
    return cache(lambda name, **settings: Transfers.read(PUBLISHED / name, **settings))


@pytest.fixture(scope="session")
def rows_of():
    """Rows from {target: {source: score}}."""
    return lambda scores: [Row(s, t, score) for t, row in scores.items() for s, score in row.items()]


@pytest.fixture(scope="session")
def four(rows_of):
    """Sources a, b, c on targets t, u, v, and the standardised columns, worked by hand.

    u: mean 2, variance 2/3.  v: mean 6, deviations -1, -1, 2, variance 2.
    """
    table = Transfers.of(
        rows_of({"t": {"a": 9, "b": 0, "c": 0}, "u": {"a": 1, "b": 3, "c": 2}, "v": {"a": 5, "b": 5, "c": 8}})
    )
    u, v = np.array([-(1.5**0.5), 1.5**0.5, 0]), np.array([-1, -1, 2]) / 2**0.5
    return SimpleNamespace(table=table, u=u, v=v)


@pytest.fixture(scope="session")
def sparse():
    """A random table from a seed: every source is also a target, about a third of the cells missing."""

    def make(seed, n=6, runs=2, missing=0.35):
        rng = np.random.default_rng(seed)
        names = tuple("abcdefghij"[:n])
        scores = rng.normal(size=(n, n, runs))
        scores[rng.random(scores.shape) < missing] = np.nan
        return Transfers(names, names, scores, rng.normal(size=(n, runs)))

    return make
