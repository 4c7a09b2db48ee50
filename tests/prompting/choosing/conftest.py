from __future__ import annotations

import numpy as np
import pytest

from taskspace.prompting.choosing import PromptReadings


@pytest.fixture(scope="session")
def readings_of():
    """Readings from probabilities [T, X, Y] (zeros allowed), of which ``mass`` lies on the labels."""

    def make(probs, *, known=None, soft=None, free=None, perplexity=None, wordings=(), mass=1.0):
        probs = np.asarray(probs, dtype=np.float64)
        t, x, y = probs.shape
        with np.errstate(divide="ignore"):
            log_unnorm = np.log(probs * mass)
            blank = np.full((t, 3, y), np.nan) if free is None else np.log(np.asarray(free, dtype=np.float64))
        return PromptReadings(
            prompts=tuple(f"p{i}" for i in range(t)),
            keys=tuple(f"key{i}" for i in range(t)),
            labels=tuple(f"label{i}" for i in range(y)),
            log_unnorm=log_unnorm,
            known=np.ones((t, x), dtype=bool) if known is None else np.asarray(known, dtype=bool),
            soft=np.ones(t, dtype=bool) if soft is None else np.asarray(soft, dtype=bool),
            free=blank,
            perplexity=np.full((t, x), np.nan) if perplexity is None else perplexity,
            rows=tuple(f"{i:032x}" for i in range(x)),
            model="tiny",
            fingerprint="f0",
            wordings=wordings,
        )

    return make


@pytest.fixture(scope="session")
def random_readings(readings_of):
    """Readings drawn from a seed, by default with abstentions; every prompt answers its first row."""

    def make(seed, *, t=4, x=7, y=3, abstain=0.2, **more):
        rng = np.random.default_rng(seed)
        probs = rng.dirichlet(np.full(y, 0.5), size=(t, x))
        known = rng.random((t, x)) >= abstain
        known[:, 0] = True
        more = {"free": rng.random((t, 3, y)), "perplexity": rng.uniform(2, 90, (t, x))} | more
        return readings_of(probs, known=known, mass=rng.uniform(0.1, 1, (t, x, 1)), **more)

    return make
