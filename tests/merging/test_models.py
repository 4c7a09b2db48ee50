"""Whole models beside differences: never added up, and mixed among themselves as before."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole


@pytest.fixture
def models(base):
    return [{name: values + step for name, values in base.items()} for step in (1, 2)]


def test_a_model_is_not_added_to_a_base_nor_to_differences(base, models, vectors, one_sentence):
    alone, other = (TaskVector.diff(model, None) for model in models)
    for wrong in (
        lambda: alone.apply(base),
        lambda: (0.5 * alone + 0.5 * other).apply(base),
        lambda: merge([alone, other], "slerp").apply(base),
        lambda: alone + vectors[0],
        lambda: vectors[0] @ alone,
        lambda: merge([vectors[0], alone], "ties"),
    ):
        with pytest.raises(WeightsError, match=r"is a whole model, .* take TaskVector\.diff") as said:
            wrong()
        assert one_sentence(said.value)


def test_the_difference_of_two_models_is_one(base, models, vectors):
    apart = TaskVector.diff(models[1], None) - TaskVector.diff(models[0], None)
    moved = (apart + vectors[0]).apply(base)
    np.testing.assert_allclose(whole(moved, "b.bias"), whole(vectors[0].apply(base), "b.bias") + 1, atol=1e-5)


def test_models_are_mixed_without_a_base(models):
    alone = [TaskVector.diff(model, None) for model in models]
    mixed = (0.5 * alone[0] + 0.5 * alone[1]).apply(None)
    np.testing.assert_allclose(whole(mixed, "scale"), (models[0]["scale"] + models[1]["scale"]) / 2, rtol=1e-6)
