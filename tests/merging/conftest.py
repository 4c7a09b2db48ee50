from __future__ import annotations

import numpy as np
import pytest

from taskspace.merging import TaskVector


def random_tensors(seed, shapes=None):
    shapes = shapes or {"a.weight": (7, 5), "b.weight": (4, 6), "b.bias": (6,), "scale": ()}
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def base():
    return random_tensors(0)


@pytest.fixture
def vectors(base):
    """Three differences to one base, with the arrays that they are made of."""
    made = []
    for seed in (1, 2, 3):
        tuned = {name: base[name] + 0.1 * delta for name, delta in random_tensors(seed).items()}
        made.append(TaskVector.diff(tuned, base, name=f"t{seed}"))
    return made
