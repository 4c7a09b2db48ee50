"""A small atlas of two spaces, its application, and a client of it in this process."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding

pytest.importorskip("fastapi")
TOKEN = "open-sesame"
KINDS = ("dataset", "model", "prompt", "adapter")
NAMES = [
    "sst2", "ag_news", "owner/model-a", "owner/model-b", 'quo"ted', "../../etc/passwd", "Ünïcode ★", "a b+c&d=e",
    "SELECT 1; --", "imdb", "IMDB-large", "trec",
]  # fmt: skip
SILENT = "says nothing"


def space_id(learner, **changes):
    fields = {
        "surrogate": "owner/tiny", "revision": "r0", "weights": "w0", "encoding": {"max_length": 128},
        "learner": learner, "settings": {}, "pool": "p0", "pool_size": 3, "seed": 0,
    }  # fmt: skip
    return SpaceId(**(fields | changes))


RESPONSE = space_id("response")
TEXT = space_id("text", surrogate="/home/somebody/models/own", revision="local")


def embedding(name, vector, *, space=RESPONSE, kind="dataset", blocks=None, **provenance):
    vector = np.asarray(vector, dtype=np.float32)
    blocks = blocks or (("all", len(vector)),)
    return TaskEmbedding(name, kind, space, vector, blocks, f"content of {name}", provenance)


def vectors():
    """float32[12, 6], the same each time."""
    return np.random.default_rng(7).standard_normal((len(NAMES), 6)).astype(np.float32)


def fill(atlas):
    """Twelve that say something and one that does not in one space, three of the same names in another."""
    for i, (name, vector) in enumerate(zip(NAMES, vectors(), strict=True)):
        kind = KINDS[i % 4] if "/model" not in name else "model"
        atlas.add(embedding(name, vector, kind=kind, rows=i, skill=i / 7, odd=math.nan))
    atlas.add(embedding(SILENT, np.zeros(6), informative=False))
    for i, name in enumerate(NAMES[:3]):
        atlas.add(embedding(name, np.eye(3)[i], space=TEXT))
    for seed, (score, baseline) in enumerate([(0.9, 0.5), (0.8, 0.6), (0.7, None)]):
        atlas.observe(source="sst2", target="imdb", score=score, baseline=baseline, seed=seed)
    atlas.observe(source="sst2", target="imdb", score=0.25, baseline=0.5, metric="f1")
    atlas.observe(source="imdb", target="sst2", score=0.5)
    atlas.observe(source="never stored", target="imdb", score=0.75, baseline=0.5)


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """The path of an atlas that no test writes to."""
    path = tmp_path_factory.mktemp("atlas") / "small.db"
    with Atlas(path) as atlas:
        fill(atlas)
    return path


@pytest.fixture
def own(filled, tmp_path):
    """The path of a copy that a test may write to."""
    return Path(shutil.copy(filled, tmp_path / "own.db"))


@pytest.fixture
def serving():
    """``serving(atlas, **options)``: a client of that atlas, under the address of this machine to itself."""
    from starlette.testclient import TestClient

    from taskspace.serve import create_app

    entered = []

    def start(atlas, *, raise_server_exceptions=True, **options):
        client = TestClient(
            create_app(atlas, **options), "http://localhost", raise_server_exceptions=raise_server_exceptions
        )
        entered.append(client.__enter__())
        return entered[-1]

    yield start
    for client in entered:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serving, filled):
    return serving(filled)


@pytest.fixture
def ask(client):
    """``ask("/v1/near", name=…)``: the document that is answered."""

    def get(path, **query):
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture(scope="session")
def made():
    """``made(name, vector, kind=…)``: an embedding of the larger space."""
    return embedding


def problem(answer, status, kind=None):
    """The sentence of an error, after checking that it is one and tells nothing of this machine."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json().values()
    assert set(error) == {"kind", "sentence"}
    assert kind in (None, error["kind"])
    for secret in ("Traceback", 'File "', sys.prefix, "/tmp", "/home", str(Path.cwd())):
        assert secret not in answer.text
    assert "\n" not in error["sentence"]
    return error["sentence"]


@pytest.fixture
def refused():
    return problem


FAKE_WORKER = """
import os, sys, time
from taskspace.serve import frames

out = sys.stdout.buffer
while True:
    try:
        message, body = frames.read(sys.stdin.buffer)
    except EOFError:
        break
    reply = {}
    if message["do"] == "open":
        if os.path.exists(sys.argv[1] + ".closed"):
            reply = {"problem": "the folder /home/somebody/models/own is gone; bring it back"}
    elif b"crash" in body:
        os.kill(os.getpid(), 9)
    elif b"hang" in body:
        time.sleep(600)
    elif b"garble" in body:
        out.write(b"\\0\\0\\0\\4\\0\\0\\0\\0junk")
        out.flush()
        continue
    elif b"refuse" in body:
        reply = {"problem": "these rows say nothing; send others"}
    elif b"break" in body:
        reply = {"fault": True}
    else:
        reply = {"embedding": {
            "name": message["name"], "kind": "dataset", "space": message["space"], "content": "posted content",
            "dims": 6, "informative": True, "provenance": {"pid": os.getpid(), "odd": float("nan")},
            "blocks": [["all", 6]], "vector": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }}
    out.write(frames.packed(reply))
    out.flush()
"""


@pytest.fixture
def fake_worker(tmp_path, monkeypatch):
    """A process in place of the one that embeds, which needs no model and does as the rows tell it."""
    script = tmp_path / "worker.py"
    script.write_text(FAKE_WORKER)
    monkeypatch.setattr("taskspace.serve.embedder.command", lambda path: [sys.executable, str(script), path])
    return script
