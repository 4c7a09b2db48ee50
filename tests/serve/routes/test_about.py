from __future__ import annotations

from taskspace import __version__
from taskspace.atlas import Atlas


def test_health(ask, filled):
    with Atlas(filled) as atlas:
        generations = {space.fingerprint: atlas.generation(space) for space in atlas.spaces()}
    assert ask("/v1/health") == {
        "status": "ok", "version": __version__, "atlas": "small.db", "entries": 16, "generations": generations,
    }  # fmt: skip


def test_health_tells_of_a_change(serving, own):
    client = serving(own)
    before = client.get("/v1/health").json()
    with Atlas(own) as writer:
        writer.remove("imdb")
    after = client.get("/v1/health").json()
    assert after["entries"] == before["entries"] - 1
    changed = {key for key, value in after["generations"].items() if value != before["generations"][key]}
    with Atlas(own) as atlas:
        assert changed == {atlas.space_id("response").fingerprint}


def test_spaces(ask, filled):
    with Atlas(filled) as atlas:
        first, second = atlas.spaces()
        generations = [atlas.generation(space) for space in (first, second)]
    one, other = ask("/v1/spaces")["spaces"]
    assert one == {
        "fingerprint": first.fingerprint, "learner": "response", "surrogate": "owner/tiny", "revision": "r0",
        "pool_size": 3, "seed": 0, "entries": 13, "kinds": {"dataset": 4, "model": 5, "prompt": 2, "adapter": 2},
        "generation": generations[0],
    }  # fmt: skip
    assert (other["learner"], other["entries"], other["generation"]) == ("text", 3, generations[1])
    assert other["surrogate"] == "own"  # a folder by its name: where it lies is nobody's business


def test_an_empty_atlas(serving, tmp_path, refused):
    Atlas(tmp_path / "empty.db").close()
    client = serving(tmp_path / "empty.db")
    assert client.get("/v1/health").json()["entries"] == 0
    assert client.get("/v1/spaces").json() == {"spaces": []}
    assert client.get("/v1/tasks").json() == {"total": 0, "tasks": []}
    assert client.get("/v1/transfers").json() == {"total": 0, "transfers": []}
    for path in ("/v1/map", "/v1/similarities"):
        refused(client.get(path), 404, "EmptyAtlas")
    refused(client.get("/v1/near", params={"name": "sst2"}), 404, "UnknownName")
