from __future__ import annotations

import numpy as np
import pytest

from taskspace.pictures._places import places

INSIDE = np.array([0.0, 0.0, 800.0, 600.0])


def put(anchors, extents, dots=None):
    anchors = np.asarray(anchors, dtype=float)
    return places(anchors, np.asarray(extents, dtype=float), anchors if dots is None else dots, INSIDE, gap=6, size=3)


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0 and min(a[3], b[3]) - max(a[1], b[1]) > 0


@pytest.mark.parametrize("seed", range(4))
def test_no_name_lies_over_another_or_outside(seed):
    rng = np.random.default_rng(seed)
    anchors = rng.uniform(50, 550, (45, 2))
    extents = np.stack([rng.uniform(20, 110, 45), np.full(45, 11)], axis=1)
    boxes, _, free = put(anchors, extents)
    kept = boxes[free]
    assert free.sum() >= 43
    np.testing.assert_allclose(kept[:, 2:] - kept[:, :2], extents[free])
    assert (kept[:, :2] >= 0).all()
    assert (kept[:, 2:] <= [800, 600]).all()
    assert not any(overlap(a, b) for i, a in enumerate(kept) for b in kept[:i])


def test_a_name_with_room_stands_beside_its_point_and_needs_no_line():
    boxes, leads, free = put([[100, 100], [500, 400]], [[60, 11], [60, 11]])
    assert free.tolist() == [True, True]
    assert leads.tolist() == [False, False]
    for box, anchor in zip(boxes, [[100, 100], [500, 400]], strict=True):
        near = np.clip(anchor, box[:2], box[2:])
        assert 0 < np.hypot(*(near - anchor)) < 7


def test_names_keep_off_points():
    dots = np.array([[x, 300.0] for x in range(300, 520, 8)])
    boxes, _, free = put([[400.0, 300.0]], [[80, 11]], dots)
    assert free.all()
    assert not any(overlap(boxes[0], [x - 3, y - 3, x + 3, y + 3]) for x, y in dots)


def test_a_name_that_fits_nowhere_is_left_out():
    assert put([[400, 300]], [[2000, 11]])[2].tolist() == [False]
    many = put(np.full((60, 2), 300.0), np.full((60, 2), [180.0, 11.0]))
    assert 0 < many[2].sum() < 60


def test_nothing_to_name():
    boxes, leads, free = put(np.zeros((0, 2)), np.zeros((0, 2)))
    assert (len(boxes), len(leads), len(free)) == (0, 0, 0)
