from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.task import Pool

WRITER = Path(__file__).parent / "writer.py"


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("TASKSPACE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def pool():
    return Pool(["one text", "two\ntexts", "lone \ud800 surrogate"], [None, "a pair", None])


@pytest.fixture(scope="session")
def space_id(pool):
    def make(learner="response", **changes):
        fields = {
            "surrogate": "tiny", "revision": "r0", "weights": "w0", "encoding": {"max_length": 128}, "learner": learner,
            "settings": {"shrinkage": 1.0}, "pool": pool.fingerprint, "pool_size": 3, "seed": 0,
        }  # fmt: skip
        return SpaceId(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def embed(space_id):
    def make(name, vector, *, kind="dataset", content=None, space=None, blocks=None, pool=None, **provenance):
        vector = np.asarray(vector, dtype=np.float32)
        content = f"content of {name}" if content is None else content
        blocks = blocks or (("all", len(vector)),)
        return TaskEmbedding(name, kind, space or space_id(), vector, blocks, content, provenance, pool)

    return make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my.db"


@pytest.fixture
def atlas(path):
    with Atlas(path) as opened:
        yield opened


@pytest.fixture
def many(embed):
    """Embeddings with random vectors, each a function of its number."""

    def make(*numbers, length=8, **given):
        return [embed(f"e{i}", np.random.default_rng(i).standard_normal(length), **given) for i in numbers]

    return make


@pytest.fixture
def writer():
    """The path of a script that adds embeddings one commit at a time, for a process of its own."""
    return WRITER


@pytest.fixture
def is_sound():
    def check(path):
        connection = sqlite3.connect(path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        finally:
            connection.close()

    return check
