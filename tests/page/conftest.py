"""A browser, an atlas of 26 made-up tasks, and the page of an atlas as it is served."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.embedding import SpaceId, TaskEmbedding

SUBJECTS = ("film", "news", "chat", "pairs")
KINDS = ("dataset", "model", "dataset", "prompt", "dataset", "adapter")
NASTY = "<img src=x onerror=\"document.title='owned'\"></script>"
SILENT = "says-nothing"
DIMS = 8


def space_id(learner="response", **changes):
    fields = {
        "surrogate": "owner/tiny", "revision": "r0", "weights": "w0", "encoding": {"max_length": 128},
        "learner": learner, "settings": {}, "pool": "p0", "pool_size": 3, "seed": 0,
    }  # fmt: skip
    return SpaceId(**(fields | changes))


def embedding(name, vector, *, kind="dataset", space=None, **provenance):
    vector = np.asarray(vector, dtype=np.float32)
    about = {"input_rows": 120, "classes": 2, "label_kind": "classes", "skill": 0.25, **provenance}
    return TaskEmbedding(name, kind, space or space_id(), vector, (("all", len(vector)),), f"content of {name}", about)


def vectors():
    """Unit vectors by name: six tasks around each of four directions, and one more beside the first."""
    rng = np.random.default_rng(3)
    names = [f"{subject}-{i}" for subject in SUBJECTS for i in range(6)]
    found = {}
    for name in [*names, NASTY]:
        centre = np.eye(DIMS)[SUBJECTS.index(name.split("-")[0]) if name != NASTY else 0]
        vector = centre + 0.16 * rng.standard_normal(DIMS)
        found[name] = vector / np.linalg.norm(vector)
    return found


def fill(atlas):
    """All of them, one that says nothing, and transfers that help within a subject and hurt across."""
    for i, (name, vector) in enumerate(vectors().items()):
        kind = "dataset" if name == NASTY else KINDS[i % 6]
        about = {"source": "hub", "model": f"owner/{name}", "coverage": 0.875} if kind == "model" else {}
        atlas.add(embedding(name, vector, kind=kind, description=f"A made-up task about {name}.", **about))
    atlas.add(embedding(SILENT, np.zeros(DIMS), informative=False, skill=-0.1))
    for target in ("film-0", "news-0", "chat-0"):
        for i, source in enumerate(["film-1", "film-2", "news-1", "news-2", "chat-1", "pairs-1"]):
            gain = 0.05 if source[:4] == target[:4] else -0.03 - 0.002 * i
            atlas.observe(source=source, target=target, score=0.8 + gain, baseline=0.8, seed=0)


@pytest.fixture
def build(tmp_path):
    """``build(fill)``: the path of a new atlas, filled."""

    def make(how=fill, name="woods.db"):
        with Atlas(tmp_path / name) as atlas:
            how(atlas)
        return tmp_path / name

    return make


def _chromium():
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on PATH and none named in CHROMIUM: the page is not looked at in a browser")
    return found


@pytest.fixture(scope="module")
def browser():
    """Of a module, since the loop that drives it would be in the way of others' tests."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser of these tests")
    with api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def running(path, port=0):
    """Serve an atlas on loopback; its address."""
    uvicorn = pytest.importorskip("uvicorn")
    from taskspace.serve import create_app

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    settings = uvicorn.Config(create_app(path), log_level="error", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def serve():
    """``with serve(path) as address``"""
    return running


@pytest.fixture
def visit(browser):
    """``visit(address, **context)``: a page of which nothing may go wrong and nothing may be asked elsewhere.

    ``ignoring`` holds words of console errors that the test provokes.
    """
    contexts, problems = [], []

    def open_(address, *, ignoring=(), ready="#kinds label", **settings):
        origin = address.split("#")[0].rstrip("/") if address.startswith("http") else address.split("#")[0]
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | settings))
        context.set_default_timeout(60_000)
        contexts.append(context)

        def gate(route):
            if route.request.url.startswith(origin):
                route.continue_()
            else:
                problems.append(f"asked for {route.request.url}")
                route.abort()

        context.route("**/*", gate)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error.stack)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text)
                if message.type == "error" and not any(word in message.text for word in ignoring)
                else None
            ),
        )
        page.goto(address)
        if ready:
            page.wait_for_selector(ready, state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def woods(tmp_path_factory):
    """The address of the page of the atlas of 26, which nobody changes."""
    path = tmp_path_factory.mktemp("woods") / "woods.db"
    with Atlas(path) as atlas:
        fill(atlas)
    with running(path) as address:
        yield address


@pytest.fixture
def cosine():
    """The cosine of two of the 26, by plain numpy."""
    known = vectors()
    return lambda first, second: float(known[first] @ known[second])


@pytest.fixture
def nearest():
    """The names of the nearest of one of the 26, by plain numpy, with their cosines."""
    known = vectors()

    def find(name, k=10):
        scores = {other: float(known[name] @ vector) for other, vector in known.items() if other != name}
        return sorted(scores.items(), key=lambda item: -item[1])[:k]

    return find


@pytest.fixture
def place(woods):
    """Where a task of the 26 stands in the window: all of the map, both axes in one unit, 44 pixels from the edge."""
    import json
    from urllib.request import urlopen

    def find(page, name):
        with urlopen(f"{woods}v1/map") as answer:
            document = json.load(answer)
        x, y = np.array(document["x"]), np.array(document["y"])
        box = page.locator("#frame").bounding_box()
        middle = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
        half = np.array([np.ptp(x), np.ptp(y)]) / 2
        scale = min((box["width"] / 2 - 44) / half[0], (box["height"] / 2 - 44) / half[1])
        i = document["names"].index(name)
        left = box["x"] + box["width"] / 2 + (x[i] - middle[0]) * scale
        top = box["y"] + box["height"] / 2 - (y[i] - middle[1]) * scale
        return left, top

    return find


@pytest.fixture
def atlas_of():
    return fill
