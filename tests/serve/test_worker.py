"""The real process, on a microscopic base model: the same vector as in this process, and an end in every case."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.serve import Limits, frames
from taskspace.serve.embedder import command

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def modelled(tmp_path_factory, tiny_encoder, tasks, mixed_pool):
    """The path of an atlas with a space that can be opened, and the space."""
    from taskspace.space import Space

    path = tmp_path_factory.mktemp("modelled") / "tiny.db"
    space = Space(mixed_pool, surrogate=tiny_encoder, learner="text")
    with Atlas(path) as atlas:
        atlas.keep_space(space.identity, mixed_pool, {"surrogate": str(tiny_encoder)})
        atlas.add(space.embed(tasks["topic"]))
    return path, space


@pytest.fixture
def body(tasks):
    task = tasks["mood"]
    named = [task.label_names[code] for code in task.labels.codes]
    rows = [{"text": text, "label": label} for text, label in zip(task.texts, named, strict=True)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def asked(process, message, body=b""):
    process.stdin.write(frames.packed(message, body))
    process.stdin.flush()
    return frames.read(process.stdout)[0]


def ended(pid, within=20.0):
    """Whether the process goes away, zombies counted as gone."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_what_the_process_embeds_is_what_the_space_embeds(modelled, body, tasks):
    path, space = modelled
    limits = vars(Limits())
    message = {"space": space.identity.fingerprint, "name": "mine", "limits": limits}
    with subprocess.Popen(command(str(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert asked(process, message | {"do": "open"}) == {}
            made = asked(process, message | {"do": "embed"}, body)["embedding"]
            expected = space.embed(tasks["mood"], name="mine")
            np.testing.assert_allclose(made["vector"], expected.vector, atol=1e-6)
            assert made["content"] == expected.content
            assert made["provenance"] == expected.provenance
            assert [tuple(block) for block in made["blocks"]] == list(expected.blocks)
            told = asked(process, message | {"do": "embed"}, b"no json")
            assert "line 1" in told["problem"]
            unknown = asked(process, message | {"do": "open", "space": "0" * 64})
            assert set(unknown) == {"problem"}
            process.send_signal(signal.SIGINT)  # Ctrl-C is the service's to answer
            assert asked(process, message | {"do": "open"}) == {}
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()


SERVICE = """
import sys
import uvicorn
from taskspace.serve import create_app

app = create_app(sys.argv[1], allow_embed=True, token="t")
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks processes up in /proc")  # noqa: PTH112
def test_a_killed_service_leaves_the_atlas_whole_and_no_process_behind(modelled, body, tmp_path):
    import socket

    import httpx

    path, _ = modelled
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    service = subprocess.Popen([sys.executable, str(script), str(path), str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": "Bearer t"}) as client:
            for _ in range(200):
                try:
                    client.get("/v1/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            job = client.post("/v1/embed", content=body).json()
            for _ in range(200):
                worker = children(service.pid)
                if worker:
                    break
                time.sleep(0.05)
            assert len(worker) == 1
            assert client.get(job["at"]).json()["status"] == "running"
            service.kill()
            service.wait()
        assert ended(worker[0])
    finally:
        service.kill()
        service.wait()
    with Atlas(path) as atlas:
        assert atlas.check() == ""
        assert len(atlas) == 1


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
        return [int(child) for child in file.read().split()]
