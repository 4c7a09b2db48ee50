from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole

OWN = {"w": np.array([[5, -1], [2, 0.5]], np.float32), "b": np.array([-4, 3], np.float32)}
GUIDE = {"w": np.array([[0, 9], [0, 1]], np.float32), "b": np.array([0, -8], np.float32)}


def grafted(*vectors, weights="equal", **options):
    given = [TaskVector.from_arrays(tensors) for tensors in vectors]
    found = merge(given, "graft", weights, **options).apply({name: np.zeros_like(v) for name, v in OWN.items()})
    return {name: whole(found, name) for name in found.layout}


def test_its_own_largest_over_all_tensors():
    found = grafted(OWN, density=0.5)
    np.testing.assert_array_equal(found["w"], [[5, 0], [0, 0]])
    np.testing.assert_array_equal(found["b"], [-4, 3])


def test_the_places_of_another():
    found = grafted(OWN, GUIDE, density=0.34, weights=[2, 7])  # two places; the guide's size counts for nothing
    np.testing.assert_array_equal(found["w"], [[0, -2], [0, 0]])
    np.testing.assert_array_equal(found["b"], [0, 6])


def test_a_mask():
    mask = {"w": np.array([[0, 1], [1, 0]], np.float32)}  # and nothing of b
    found = grafted(OWN, mask, density=1.0)
    np.testing.assert_array_equal(found["w"], [[0, -1], [2, 0]])
    np.testing.assert_array_equal(found["b"], [0, 0])


def test_alone_it_is_the_vector_trimmed_over_the_model(vectors, base):
    one = merge(vectors[:1], "graft", density=0.1).apply(base)
    two = merge(vectors[:1], "magnitude", density=0.1, trim="model").apply(base)
    for name in one.layout:
        np.testing.assert_array_equal(whole(one, name), whole(two, name))


def test_no_more_than_two(vectors, one_sentence):
    with pytest.raises(SettingError, match="3 were given") as caught:
        merge(vectors, "graft")
    assert one_sentence(caught.value)
