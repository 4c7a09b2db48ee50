"""What a merge says of itself: the weights that it was made with, and no others taken."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, merge


@pytest.mark.parametrize(
    ("method", "count", "weights", "options", "told"),
    [
        ("sum", 2, [2, -1], {}, {"t1": 2, "t2": -1}),
        ("mean", 2, [2, 1], {}, {"t1": 2 / 3, "t2": 1 / 3}),
        ("lerp", 2, "equal", {"alpha": 0.3}, {"t1": 0.7, "t2": 0.3}),
        ("lerp", 2, "equal", {"alpha": 0.0}, {"t1": 1}),
        ("slerp", 2, "equal", {"alpha": 0.3}, {"t1": 0.7, "t2": 0.3}),
        ("ema", 3, "equal", {"momentum": 0.5}, {"t1": 0.25, "t2": 0.25, "t3": 0.5}),
        ("remove", 2, [3, 2], {}, {"t1": 3}),
        ("graft", 2, [3, 2], {}, {"t1": 3}),
        ("graft", 1, [3], {}, {"t1": 3}),
        ("ties", 2, [2, 1], {}, {"t1": 2, "t2": 1}),
    ],
)
def test_the_weights_that_it_tells(vectors, method, count, weights, options, told):
    merged = merge(vectors[:count], method, weights, scale=2.0, **options)
    assert merged.weights == pytest.approx({task: 2 * weight for task, weight in told.items()})


def test_what_is_told_of_a_sum_is_what_it_was_summed_with(vectors):
    for method, options in (("mean", {}), ("lerp", {"alpha": 0.3}), ("ema", {"momentum": 0.7})):
        merged = merge(vectors[:2], method, **options)
        literal = sum(merged.weights[f"t{i + 1}"] * vectors[i] for i in range(2))
        assert (merged - literal).norm < 1e-6


@pytest.mark.parametrize(("method", "by"), [("lerp", "alpha"), ("slerp", "alpha"), ("ema", "momentum")])
def test_weights_that_would_go_for_nothing_are_refused(vectors, method, by, one_sentence):
    for weights in ([2, 1], "norm"):
        with pytest.raises(SettingError, match=f"{method} goes by {by}, and weights .* were given") as caught:
            merge(vectors[:2], method, weights)
        assert one_sentence(caught.value)
    assert merge(vectors[:2], method, [1, 1]).norm == merge(vectors[:2], method).norm


@pytest.mark.parametrize("method", ["tsv", "iso", "lore"])
def test_weights_without_a_mean_are_refused_before_anything_is_written(vectors, method, one_sentence):
    with pytest.raises(SettingError, match="add up to 0") as caught:
        merge(vectors[:2], method, [1, -1])
    assert one_sentence(caught.value)


def test_of_matrices_alone_nothing_is_averaged():
    one, two = (TaskVector.from_arrays({"w": np.eye(3, dtype=np.float32) * k}) for k in (3, 1))
    assert merge([one, two], "iso", [1, -1]).norm == pytest.approx(2 * 3**0.5)


def test_a_threshold_that_is_no_number(vectors, one_sentence):
    for mu in (float("nan"), float("inf")):
        with pytest.raises(SettingError, match=f"mu is {mu}") as caught:
            merge(vectors, "lore", mu=mu)
        assert one_sentence(caught.value)


CALLS = {"lasso": "lasso", "similarity": "weights_by_similarity", "fit": "fit"}


@pytest.mark.parametrize(("rule", "call"), CALLS.items())
def test_rules_that_need_a_target_say_where_they_are(vectors, rule, call, one_sentence):
    from taskspace.merging import coefficients, fitting

    with pytest.raises(SettingError, match=rf"\.{call}\(vectors, ") as caught:
        merge(vectors, "sum", rule)
    assert one_sentence(caught.value)
    assert callable(getattr(fitting if rule == "fit" else coefficients, call))
