from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from taskspace.tuning.recipe import Recipe
from taskspace.tuning.schedule import height, picks


@pytest.mark.parametrize(
    ("schedule", "reference"),
    [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)],
)
def test_after_the_warm_up_the_rate_falls_as_in_transformers(schedule, reference):
    recipe = Recipe(steps=60, warmup=10, schedule=schedule)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = reference(optimiser, num_warmup_steps=10, num_training_steps=60)
    for step in range(60):
        if step >= 10:
            assert height(step, recipe) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        theirs.step()


def test_the_warm_up_rises_to_the_full_rate_and_never_idles():
    # transformers starts at 0, which wastes the first step; ours is one step ahead.
    recipe = Recipe(steps=20, warmup=4)
    assert [height(step, recipe) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert height(0, Recipe(steps=20, warmup=0)) == 1.0
    assert height(19, Recipe(steps=20, warmup=0, schedule="constant")) == 1.0


@given(n=st.integers(1, 40), size=st.integers(1, 12), seed=st.integers(0, 5))
def test_every_example_is_seen_once_before_any_is_seen_twice(n, size, seed):
    if n <= size:
        assert picks(n, size, 7, seed=(seed,)) == list(range(n))
        return
    stream = [i for step in range(n) for i in picks(n, size, step, seed=(seed,))]
    for epoch in range(size):
        assert sorted(stream[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_the_order_changes_with_seed_and_epoch():
    orders = {tuple(picks(30, 29, step, seed=(seed, 0))) for seed in range(3) for step in range(2)}
    assert len(orders) == 6
