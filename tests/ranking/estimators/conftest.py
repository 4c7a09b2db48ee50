from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def clouds():
    """Features float32[rows, width] in which ``signal`` is how far the class means lie apart, and codes."""

    def make(rows=60, width=8, classes=3, *, signal=1.0, seed=0):
        draw = np.random.default_rng(seed)
        codes = np.arange(rows) % classes
        middles = draw.normal(size=(classes, width)) * signal
        return (middles[codes] + draw.normal(size=(rows, width))).astype(np.float32), codes

    return make
