"""Which examples a step sees, and how high its learning rate is: functions of the step alone, so runs can resume."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.tuning.recipe import Recipe


def height(step: int, recipe: Recipe) -> float:
    """Share of the full learning rate at ``step`` (from 0): a linear warm-up, then down to 0 after the last step."""
    if step < recipe.warming:
        return (step + 1) / recipe.warming
    if recipe.schedule == "constant":
        return 1.0
    done = (step - recipe.warming) / (recipe.steps - recipe.warming)
    return 1 - done if recipe.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def picks(n: int, size: int, step: int, *, seed: tuple[int, ...]) -> list[int]:
    """The examples of ``step``: ``size`` at a time through one shuffle of all ``n`` after another.

    All of them, if there are no more than ``size``.
    """
    if n <= size:
        return list(range(n))
    places = range(step * size, (step + 1) * size)
    return [int(_shuffle(n, place // n, seed)[place % n]) for place in places]


@lru_cache(maxsize=4096)
def _shuffle(n: int, epoch: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    return np.random.default_rng([*seed, epoch]).permutation(n)
