from __future__ import annotations

import numpy as np
import pytest

from taskspace.embedding import SpaceId, TaskEmbedding


@pytest.fixture(scope="session")
def space_id():
    def make(learner="response", **changes):
        fields = {
            "surrogate": "tiny", "revision": "r0", "weights": "w0", "encoding": {"max_length": 128}, "learner": learner,
            "settings": {}, "pool": "p0", "pool_size": 10, "seed": 0,
        }  # fmt: skip
        return SpaceId(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def embed(space_id):
    def make(name, vector, *, kind="dataset", content=None, space=None, blocks=None, **provenance):
        vector = np.asarray(vector, dtype=np.float32)
        blocks = blocks or (("all", len(vector)),)
        content = f"content of {name}" if content is None else content
        return TaskEmbedding(name, kind, space or space_id(), vector, blocks, content, provenance)

    return make
