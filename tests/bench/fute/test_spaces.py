"""Similarities as rows, against plain numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace import TaskEmbedding
from taskspace.bench.fute.spaces import similarities
from taskspace.embedding import SpaceId
from taskspace.errors import SpaceMismatch

SPACE = SpaceId("m", "local", "w", {}, "fisher", {}, "p", 1, 0)


def embedding(name, vector, **about):
    return TaskEmbedding(name, "dataset", SPACE, np.array(vector), (("one", 2), ("two", 1)), name, about)


def unit(vector):
    return np.array([*(vector[:2] / np.linalg.norm(vector[:2])), np.sign(vector[2])])


@pytest.fixture
def some(rng):
    return {name: embedding(name, rng.normal(size=3)) for name in "abcd"}


def test_cosines_raw_and_centred_and_reciprocal_ranks(some, rng):
    target = embedding("t", rng.normal(size=3))
    rows = similarities({"t": target}, some, {"way": "w"})
    assert [(row["way"], row["target"], row["source"]) for row in rows] == [("w", "t", name) for name in "abcd"]
    vectors = np.stack([each.vector for each in some.values()]).astype(float)
    blocks = np.stack([unit(v) * unit(target.vector) for v in vectors])
    parts = np.stack([blocks[:, :2].sum(axis=1), blocks[:, 2]], axis=1)
    np.testing.assert_allclose([row["cosine"] for row in rows], parts.mean(axis=1), rtol=1e-6)
    centre = vectors.mean(axis=0)
    moved = [unit(v - centre) * unit(target.vector - centre) for v in vectors]
    np.testing.assert_allclose([r["centred"] for r in rows], [(m[:2].sum() + m[2]) / 2 for m in moved], rtol=1e-5)
    ranks = np.stack([[(c > x).sum() + ((c == x).sum() + 1) / 2 for x in c] for c in np.round(parts.T, 12)])
    tells = [len(set(np.round(column, 12))) > 1 for column in parts.T]
    wanted = sum(1 / (60 + r) for r, t in zip(ranks, tells, strict=True) if t)
    np.testing.assert_allclose([row["rrf"] for row in rows], wanted, rtol=1e-9)


def test_what_says_nothing_has_no_number(some):
    some["b"] = replace(some["b"], provenance={"informative": False})
    rows = {row["source"]: row for row in similarities({"t": some["a"]}, some, {})}
    assert rows["b"]["cosine"] is None
    assert rows["c"]["cosine"] is not None
    assert all(row["cosine"] is None for row in similarities({"t": some["a"]}, {"b": some["b"]}, {}))


def test_vectors_of_two_spaces_do_not_compare(some):
    with pytest.raises(SpaceMismatch):
        similarities({"t": replace(some["a"], space=replace(SPACE, seed=1))}, some, {})
