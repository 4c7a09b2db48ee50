"""The other libraries, and differences small enough to work out by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from taskspace.merging import TaskVector
from taskspace.merging.checkpoint import whole


@pytest.fixture(scope="session")
def mergekit():
    """``mergekit(method, base, models, weights=None, **parameters)``: its ``merge_state_dicts``, arrays in and out.

    A ``base`` of None is none at all.  The import takes seconds, and warns of what is not ours.
    """
    pytest.importorskip("mergekit")
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mergekit.merge_methods import merge_state_dicts

    def run(method, base, models, weights=None, *, dtype=None, seed=0, **parameters):
        states = {} if base is None else {"base": base}
        states |= {f"m{i}": model for i, model in enumerate(models)}
        tensors = {key: {n: torch.from_numpy(np.array(v)) for n, v in s.items()} for key, s in states.items()}
        if weights is not None:
            parameters["weight"] = {f"m{i}": float(weight) for i, weight in enumerate(weights)}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            merged = merge_state_dicts(
                tensors, method, parameters=parameters, base=None if base is None else "base", dtype=dtype
            )
        return {name: values.numpy() for name, values in merged.items()}

    return run


@pytest.fixture
def difference(mergekit):
    """``difference(method, deltas, weights, **parameters)``: what mergekit adds to a base of zeros, one tensor."""

    def run(method, deltas, weights=None, **parameters):
        return mergekit(method, {"w": np.zeros_like(deltas[0])}, [{"w": d} for d in deltas], weights, **parameters)["w"]

    return run


@pytest.fixture(scope="session")
def arrays_of():
    """``arrays_of(vector)``: its numbers by tensor."""

    def read(vector):
        alone = TaskVector(vector.carrier)
        found = alone.apply({name: np.zeros(spec.shape, np.float32) for name, spec in vector.layout.items()})
        return {name: whole(found, name) for name in found.layout}

    return read


@pytest.fixture
def deltas():
    """Three differences of one tensor, float32[40, 30]."""
    generator = np.random.default_rng(7)
    return [generator.standard_normal((40, 30)).astype(np.float32) for _ in range(3)]
