"""A Hub on loopback for the real client, and small atlases to push."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding
from taskspace.task import Pool

WRITER = "hf_writer"


@cache
def fake_hub():
    """The module beside this file; tests are no package from which it could be imported."""
    spec = importlib.util.spec_from_file_location("_fake_hub", Path(__file__).with_name("fake_hub.py"))
    module = sys.modules["_fake_hub"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def running():
    """A fake Hub behind a port of its own, for as long as the block lasts."""
    pytest.importorskip("huggingface_hub")
    pytest.importorskip("fastapi")
    uvicorn = pytest.importorskip("uvicorn")
    fake = fake_hub()
    made = fake.FakeHub()
    quiet = {"log_level": "critical", "ws": "none", "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(fake.application(made), port=0, **quiet))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield made
    made.gate.set()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@contextmanager
def as_online(hub, folder):
    """This process as a user's who is online, with a cache of its own: what these settings are at import from the
    environment.  ``HF_HUB_DISABLE_XET`` makes the client speak LFS, as it does where ``hf_xet`` is not installed.
    """
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    settings = {
        "ENDPOINT": hub.url, "HUGGINGFACE_CO_URL_TEMPLATE": template, "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True, "HF_HUB_CACHE": str(folder / "cache"), "HF_TOKEN_PATH": str(folder / "no-token"),
    }  # fmt: skip
    log = logging.getLogger("huggingface_hub")  # where the client says that it asks again
    level = log.level
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(constants, name, value)
        patch.delenv("HF_TOKEN", raising=False)
        patch.setattr("taskspace.hub._client.PAUSES", (0.01, 0.01))
        disable_progress_bars()
        log.setLevel(logging.CRITICAL)
        yield
        log.setLevel(level)
        enable_progress_bars()
        close_session()


@pytest.fixture
def hub():
    """A running fake Hub; its ``url`` is what the client is given as its endpoint."""
    with running() as made:
        yield made


@pytest.fixture
def online(hub, tmp_path):
    """The fake Hub, with this process as that of a user who is online to it."""
    with as_online(hub, tmp_path):
        yield hub


@pytest.fixture
def push(online):
    """``push(atlas, repo, …)`` to the fake Hub with a token that may write."""
    from taskspace.hub import push

    def to(atlas, repo="ann/map", **options):
        return push(atlas, repo, **({"token": WRITER, "endpoint": online.url} | options))

    return to


@pytest.fixture
def pull(online):
    from taskspace.hub import pull

    def from_(repo, atlas, **options):
        return pull(repo, atlas, **({"token": WRITER, "endpoint": online.url} | options))

    return from_


@pytest.fixture
def cli(hub, tmp_path):
    """Run ``taskspace`` in a process of its own, online to the fake Hub by the client's own settings."""

    def run(*words, wait=True, **environment):
        settings = {
            "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": WRITER, "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "taskspace", *map(str, words)],
            env=os.environ | settings | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if not wait:
            return process
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err, err
        return process.returncode, out, err

    return run


POOL = Pool(["one text", "two\ntexts", "ein dritter – schön"], [None, "a pair", None])


@pytest.fixture(scope="session")
def pool():
    return POOL


@pytest.fixture(scope="session")
def space_id():
    def make(learner="response", **changes):
        fields = {
            "surrogate": "ann/base", "revision": "a" * 40, "weights": "w0", "encoding": {"max_length": 128},
            "learner": learner, "settings": {"shrinkage": 1.0}, "pool": POOL.fingerprint, "pool_size": 3, "seed": 0,
        }  # fmt: skip
        return SpaceId(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def embed(space_id):
    """``embed(name, …)``: random numbers that the name decides, with ``wild`` among them the least and greatest."""

    def make(name, *, length=6, wild=True, kind="dataset", content=None, space=None, blocks=None, **provenance):
        rng = np.random.default_rng(list(name.encode()))
        vector = rng.standard_normal(length).astype(np.float32)
        if wild:
            vector[:3] = [np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max, -0.0]
        content = f"content of {name}" if content is None else content
        blocks = blocks or (("all", length),)
        return TaskEmbedding(name, kind, space or space_id(), vector, blocks, content, provenance)

    return make


@pytest.fixture
def opened():
    """``opened(path)``: an atlas that is closed in the end."""
    atlases = []

    def open_(path, **options):
        atlases.append(Atlas(path, **options))
        return atlases[-1]

    yield open_
    for atlas in atlases:
        atlas.close()


@dataclass(frozen=True)
class Once:
    """What is made once for all: the file of an atlas, what its push gave back, and the repository then."""

    path: Path
    pushed: Any
    repo: Any


@pytest.fixture(scope="session")
def once(tmp_path_factory, embed, space_id, pool):
    """Two spaces of different lengths, four kinds, names in many letters, transfers twice the same."""
    from taskspace.hub import push

    folder = tmp_path_factory.mktemp("once")
    tuned = space_id("tuned:prompt", settings={"length": 2}, seed=3)
    with pytest.MonkeyPatch.context() as patch, Atlas(folder / "full.db") as atlas, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)  # httpx2, of what the client does
        patch.setenv("TASKSPACE_HOME", str(folder / "home"))
        atlas.keep_space(space_id(), pool, {"surrogate": "ann/base"})
        atlas.keep_space(tuned, pool)
        atlas.add(
            embed("b", description="Tell | <b>good</b> from bad.", input_rows=1200, classes=2, origin="b.jsonl"),
            embed("a", kind="model", model="ann/judge", revision="b" * 40, labels=["/s", "a"]),
            embed("名前 ümläut / #1?%20", kind="prompt", template="Is {text} fine?\n", note="ok"),
            embed("zero", kind="adapter", informative=False),
        )
        atlas.add(embed("b", space=tuned, length=9, blocks=(("x", 4), ("y", 5))))
        for _ in range(2):
            atlas.observe(source="a", target="b", score=0.5, baseline=0.25, seed=7)
        atlas.observe(source="b", target="名前 ümläut / #1?%20", score=1 / 3, metric="f1")
        with running() as hub, as_online(hub, folder):
            pushed = push(atlas, "ann/map", with_pool=True, token=WRITER)
            return Once(folder / "full.db", pushed, hub.repos["ann/map"])


@pytest.fixture
def full(once, opened, tmp_path):
    """A copy of that atlas."""
    return opened(shutil.copy(once.path, tmp_path / "full.db"))


@pytest.fixture
def pushed(once, online):
    """The full atlas on the Hub, with its pool, as it was pushed."""
    online.repos["ann/map"] = deepcopy(once.repo)
    return once.pushed


def contents(atlas, *, without=("pulled_from",)):
    """All that an atlas holds, times aside where ``added`` is among ``without``."""
    held = {}
    for space in atlas.spaces():
        for entry in atlas.entries(space=space):
            found = atlas.get(entry.name, space=space)
            about = {key: value for key, value in found.provenance.items() if key not in without}
            added = None if "added" in without else entry.added
            held[space.fingerprint, entry.name] = (
                found.kind, found.content, found.blocks, found.vector.tobytes(), found.informative, added, about,
            )  # fmt: skip
    return held


@pytest.fixture(name="contents")
def contents_():
    return contents


_COUNT = itertools.count()


@pytest.fixture
def fresh(tmp_path):
    """A path where nothing is yet."""
    return lambda: tmp_path / f"fresh{next(_COUNT)}.db"
