"""The verb: it starts, says where it is, refuses what cannot be, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import numpy as np
import pytest

from taskspace import SpaceId, TaskEmbedding
from taskspace.atlas import Atlas

pytest.importorskip("uvicorn")


@pytest.fixture
def small(tmp_path):
    space = SpaceId("owner/tiny", "r0", "w0", {}, "response", {}, "p0", 3, 0)
    path = tmp_path / "small.db"
    with Atlas(path) as atlas:
        for i, name in enumerate(["a", "b", "c"]):
            atlas.add(TaskEmbedding(name, "dataset", space, np.eye(3, dtype=np.float32)[i], (("all", 3),), name))
    return path


@pytest.fixture
def started(small):
    """``started(*words, **environment)``: the process, once it says where it is, and what it says."""
    running = []

    def start(*words, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "taskspace", "serve", "--atlas", str(small), "--port", "0", "--json", *words],
            env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        printed = ""
        while not printed.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            printed += line
        return process, json.loads(printed)

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_it_serves_until_it_is_told_to_stop(started, small):
    process, told = started()
    assert told["atlas"] == str(small)
    assert told["url"].startswith("http://127.0.0.1:")
    with httpx.Client(base_url=told["url"]) as client:
        health = client.get("/v1/health")
        assert health.json()["entries"] == 3
        assert "server" not in health.headers
        assert client.post("/v1/embed", content=b"x").status_code == 403
        assert [hit["name"] for hit in client.get("/v1/near", params={"name": "a"}).json()["hits"]] == ["b", "c"]
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGTERM)
    assert out == ""
    assert "Traceback" not in errors
    assert "TLS" not in errors  # only this machine can reach it
    assert "/v1/near" not in errors  # what is asked is nobody's business
    with Atlas(small) as atlas:
        assert atlas.check() == ""


def test_a_token_that_is_given(started, tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    words = ("--allow-embed", "--token-file", str(tmp_path / "token"))
    process, told = started(*words, TASKSPACE_TOKEN="not-this-one")
    for said, status in (("from-a-file", 404), ("not-this-one", 401)):
        headers = {"authorization": f"Bearer {said}"}
        assert httpx.get(f"{told['url']}/v1/jobs/none", headers=headers).status_code == status
    process.terminate()
    assert "from-a-file" not in json.dumps(told) + process.communicate(timeout=60)[1]


def test_a_token_that_is_made_and_an_address_that_others_can_reach(started):
    process, told = started("--host", "0.0.0.0", "--allow-host", "tasks.example", "--allow-embed", TASKSPACE_TOKEN="")
    for host, status in (("tasks.example", 200), (socket.gethostname(), 200), ("evil.example", 400)):
        assert httpx.get(f"{told['url']}/v1/health", headers={"host": host}).status_code == status
    process.terminate()
    lines = process.communicate(timeout=60)[1].splitlines()
    (token,) = [line.rpartition(" ")[2] for line in lines if line.startswith("token for this run: ")]
    assert len(token) >= 32
    (warned,) = [line for line in lines if "0.0.0.0" in line]
    assert "TLS" in warned


def test_what_cannot_be_is_one_sentence(taskspace, small, tmp_path):
    assert "no atlas" in taskspace("serve", "--atlas", tmp_path / "missing.db").sentence
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = taskspace("serve", "--atlas", small, "--port", port)
    assert said.code == 2
    assert f"127.0.0.1:{port}" in said.sentence
    assert "--host" in taskspace("serve", "--atlas", small, "--host", "192.0.2.1").sentence
    for content in ("", "two words", "Ünïcode"):
        (tmp_path / "token").write_text(content, encoding="utf-8")
        said = taskspace("serve", "--atlas", small, "--allow-embed", "--token-file", tmp_path / "token")
        assert (said.code, said.out) == (2, "")
        assert "one word" in said.sentence
    assert (
        "cannot be read"
        in taskspace("serve", "--allow-embed", "--token-file", tmp_path / "none", "--atlas", small).sentence
    )
