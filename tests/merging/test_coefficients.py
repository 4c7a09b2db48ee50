"""Weights by likeness to a target, by hand and in the spaces where embeddings lie."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.errors import SettingError, SpaceMismatch, WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.base import Base
from taskspace.merging.coefficients import lasso, weights_by_similarity

ANSWERS = SpaceId("bert", "local", "w", {}, "response", {}, "pool", 3, 0)


def vector(values, base=None):
    made = TaskVector.from_arrays({"w": np.asarray(values, np.float32)})
    return TaskVector(made.carrier, made.weights, base)


def point(values, space=ANSWERS):
    return TaskEmbedding("t", "model", space, np.asarray(values, np.float32), (("", len(values)),), "c")


@pytest.mark.parametrize("made", [vector, point])
def test_a_softmax_of_cosines(made):
    """Cosines to (1, 0) are 0.6, 0 and -1, whatever the lengths."""
    found = weights_by_similarity([made([3, 4]), made([0, 9]), made([-0.1, 0])], made([5, 0]), temperature=0.5)
    raised = np.exp([1.2, 0, -2])
    np.testing.assert_allclose(found, raised / raised.sum(), rtol=1e-5)


def test_blocks_count_alike():
    def blocked(values):
        return TaskEmbedding("t", "model", ANSWERS, np.array(values, np.float32), (("a", 1), ("b", 2)), "c")

    target = blocked([1, 100, 0])
    one, two = weights_by_similarity([blocked([1, 0, 1]), blocked([-1, 1, 0])], target, temperature=1)
    # Means over blocks of cosines: (1 + 0) / 2 and (-1 + 1) / 2.
    assert one / two == pytest.approx(np.exp(0.5), rel=1e-5)


def test_low_and_high_temperature():
    near, far = vector([1, 0.1]), vector([0.1, 1])
    assert weights_by_similarity([near, far], vector([1, 0]), temperature=1e-4) == pytest.approx((1, 0))
    assert weights_by_similarity([near, far], vector([1, 0]), temperature=1e6) == pytest.approx((0.5, 0.5), abs=1e-5)


def test_zeros_are_neither_near_nor_far():
    one, two = weights_by_similarity([vector([0, 0]), vector([0, 2])], vector([1, 0]))
    assert one == two == 0.5


def test_they_are_weights_of_a_merge():
    vectors = [vector([1.0, 0.0]), vector([0.0, 1.0])]
    weights = weights_by_similarity([point([1, 0]), point([1, 1])], point([0, 1]), temperature=1)
    merged = merge(vectors, "sum", weights)
    assert merged @ vectors[0] == pytest.approx(weights[0])
    assert merged @ vectors[1] == pytest.approx(weights[1])


def test_what_makes_no_sense_is_told():
    for temperature in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SettingError, match=f"the temperature is {temperature}"):
            weights_by_similarity([vector([1])], vector([1]), temperature=temperature)
    with pytest.raises(SettingError, match="no vector was given to weight"):
        weights_by_similarity([], vector([1]))
    for one, two in ((vector([1]), point([1])), (point([1]), vector([1]))):
        with pytest.raises(SettingError, match="an embedding was given beside a vector"):
            weights_by_similarity([one], two)
    other = SpaceId("bert", "local", "w", {}, "response", {}, "pool", 3, 1)
    with pytest.raises(SpaceMismatch, match="differ in seed"):
        weights_by_similarity([point([1])], point([1], other))
    with pytest.raises(WeightsError, match="combine differences from one base"):
        weights_by_similarity([vector([1], Base("a"))], vector([1], Base("b")))


def test_lasso_leaves_out_what_does_not_help():
    found = lasso([vector([1.0, 0, 0]), vector([0, 1.0, 0])], vector([2.0, 0.1, 5]), penalty=1.0)
    assert found == pytest.approx((1.5, 0.0))  # 2 - penalty / 2, and 0.1 is below penalty / 2
    assert found[1] == 0
