"""Atlases of a few made-up vectors, with and without measured transfers, and one with a space that can be opened."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import Atlas, Space
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.task import Pool

POOL = Pool(["one text", "another text"])
SPACE = SpaceId("no/such-model", "r0", "w0", {"max_length": 100}, "response", {"components": 3}, POOL.fingerprint, 2, 0)

GAINS = {"friend": 0.05, "stranger": -0.02, "foe": -0.05}
"""What each source added, on every target alike up to a hundredth."""


@pytest.fixture
def embed():
    """``embed(name, vector, **provenance)`` in a space whose model is nowhere."""

    def make(name, vector, *, kind="dataset", content=None, **provenance):
        vector = np.asarray(vector, dtype=np.float32)
        about = {"input_rows": 400, "classes": 2, "label_kind": "classes", "skill": 0.2, "pool_overlap": 0} | provenance
        return TaskEmbedding(name, kind, SPACE, vector, (("all", len(vector)),), content or f"content of {name}", about)

    return make


@pytest.fixture
def atlas(tmp_path):
    with Atlas(tmp_path / "my.db") as opened:
        yield opened


def leaning(cosine, dims=12, along=0, aside=1):
    vector = np.zeros(dims)
    vector[along], vector[aside] = cosine, np.sqrt(1 - cosine**2)
    return vector


@pytest.fixture
def uncalibrated(atlas, embed):
    """A target and four candidates, one of them a model, of known cosines; nothing was measured."""
    atlas.add(embed("target", leaning(1.0), description="Is it <b>spam</b> & why?"))
    for i, (name, cosine) in enumerate({"friend": 0.8, "cousin": 0.5, "stranger": 0.3, "foe": 0.1}.items(), 1):
        about = {"kind": "model", "parameters": 500} if name == "cousin" else {"kind": "dataset"}
        atlas.add(embed(name, leaning(cosine, aside=i), input_rows=100 * i, **about))
    return atlas


@pytest.fixture
def calibrated(uncalibrated, embed):
    """The same, with gains of three sources measured on four targets that are nearer and nearer to the target."""
    rng = np.random.default_rng(0)
    for i in range(4):
        uncalibrated.add(embed(f"t{i}", leaning(0.2 * (i + 1), aside=6 + i)))
        for source, gain in GAINS.items():
            noise = 0.01 * rng.uniform(-1, 1)
            uncalibrated.observe(source=source, target=f"t{i}", score=0.7 + gain + noise, baseline=0.7)
    return uncalibrated


@pytest.fixture
def opened(tmp_path, shared_home, tiny_encoder, tasks, mixed_pool):
    """An atlas with a real, microscopic space that embeds what is new."""
    space = Space(mixed_pool, surrogate=tiny_encoder)
    with Atlas(tmp_path / "real.db") as atlas:
        atlas.keep_space(space.identity, mixed_pool, {"surrogate": str(tiny_encoder)})
        atlas.add(*(space.embed(tasks[name]) for name in ("mood", "topic", "trip", "echo")))
        yield atlas
