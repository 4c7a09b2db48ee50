"""The best order of leaves, against trying all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from taskspace.atlas.map._order import leaf_order, turned

hierarchy = pytest.importorskip("scipy.cluster.hierarchy")


def all_orders(merges, count):
    """Every order of the leaves that the tree allows: each branch either way around."""
    trees = [[[leaf]] for leaf in range(count)]
    for first, second in merges[:, :2].astype(int):
        pairs = [(a, b) for a in trees[first] for b in trees[second]]
        trees.append([a + b for a, b in pairs] + [b + a for a, b in pairs])
    return trees[-1]


def walk(order, far):
    return sum(far[a, b] for a, b in itertools.pairwise(order))


@pytest.mark.parametrize("method", ["average", "single", "complete"])
@pytest.mark.parametrize("seed", range(8))
def test_no_order_that_the_tree_allows_is_shorter(seed, method):
    points = np.random.default_rng(seed).standard_normal((8, 3))
    far = np.linalg.norm(points[:, None] - points[None], axis=-1)
    merges = hierarchy.linkage(far[np.triu_indices(8, 1)], method)
    every = all_orders(merges, 8)
    order = leaf_order(merges, far)
    assert order.tolist() in every
    assert walk(order, far) == pytest.approx(min(walk(each, far) for each in every), abs=1e-12)


def test_points_on_a_line_stand_in_line():
    points = np.random.default_rng(0).permutation(30).astype(float)
    far = np.abs(points[:, None] - points[None])
    order = points[leaf_order(hierarchy.linkage(far[np.triu_indices(30, 1)], "single"), far)]
    assert order.tolist() in (sorted(points), sorted(points, reverse=True))


def test_a_chain():
    """Each leaf joins all before it; the distances are those along the line."""
    count = 300
    far = np.abs(np.subtract.outer(np.arange(count), np.arange(count))).astype(float)
    merges = [[0, 1, 1, 2], *([i + 2, count + i, 1, i + 3] for i in range(count - 2))]
    order = leaf_order(np.array(merges, dtype=float), far)
    assert walk(order, far) == count - 1


def test_turned_merges_have_their_leaves_in_order():
    points = np.random.default_rng(1).standard_normal((40, 3))
    far = np.linalg.norm(points[:, None] - points[None], axis=-1)
    merges = hierarchy.linkage(far[np.triu_indices(40, 1)], "average")
    order = leaf_order(merges, far)
    placed = turned(merges, order)
    assert hierarchy.is_valid_linkage(placed)
    assert hierarchy.leaves_list(placed).tolist() == list(range(40))
    np.testing.assert_array_equal(placed[:, 2:], merges[:, 2:])
    pairs = np.triu_indices(40, 1)
    whole = np.zeros((40, 40))
    whole[pairs] = hierarchy.cophenet(merges)
    whole += whole.T
    np.testing.assert_array_equal(hierarchy.cophenet(placed), whole[np.ix_(order, order)][pairs])


def test_none_and_one():
    assert leaf_order(np.zeros((0, 4)), np.zeros((0, 0))).tolist() == []
    assert leaf_order(np.zeros((0, 4)), np.zeros((1, 1))).tolist() == [0]
