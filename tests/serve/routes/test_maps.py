"""Maps and similarities: the same as from the atlas directly, and worked out once for all who ask."""

from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from taskspace.atlas import Atlas
from taskspace.atlas.map import map_of

MAP = {"space": "response"}


def test_the_map_is_that_of_the_matrix(ask, filled):
    with Atlas(filled) as atlas:
        matrix, space = atlas.matrix("response"), atlas.space_id("response").fingerprint
    answer = ask("/v1/map", **MAP, seed=3)
    assert answer == {"space": space, **map_of(matrix, seed=3).to_dict()}
    assert answer["generation"] == matrix.generation
    assert sorted(answer["names"]) == sorted(row.name for row in matrix.rows)
    assert {len(answer[column]) for column in ("names", "kind", "x", "y", "informative", "family")} == {13}


def test_a_client_that_has_the_map_is_told_so(client):
    first = client.get("/v1/map", params=MAP)
    again = client.get("/v1/map", params=MAP, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get("/v1/map", params={**MAP, "seed": 1}, headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


def test_a_changed_space_has_another_map(serving, own):
    client = serving(own)
    first = client.get("/v1/map", params=MAP)
    with Atlas(own) as writer:
        writer.remove("imdb")
    second = client.get("/v1/map", params=MAP, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 200
    assert set(first.json()["names"]) - set(second.json()["names"]) == {"imdb"}


def test_zipped_for_those_who_can_read_it(client):
    plain = client.get("/v1/tasks", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/v1/tasks", headers={"accept-encoding": "br, gzip"}) as zipped:
        raw = b"".join(zipped.iter_raw())
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)
    assert plain.headers["vary"] == "accept-encoding"


def test_of_many_who_ask_at_once_one_has_the_work_done(serving, filled, monkeypatch):
    began, go_on = threading.Semaphore(0), threading.Event()
    worked_out = []

    def slowly(matrix, **options):
        worked_out.append(options)
        began.release()
        assert go_on.wait(30)
        return map_of(matrix, **options)

    monkeypatch.setattr("taskspace.atlas.map.map_of", slowly)
    client = serving(filled)
    with ThreadPoolExecutor(12) as clients:
        answers = [clients.submit(client.get, "/v1/map", params=MAP) for _ in range(12)]
        assert began.acquire(timeout=30)
        assert client.get("/v1/task", params={"name": "imdb"}).status_code == 200  # not behind the map in line
        go_on.set()
        bodies = {answer.result().content for answer in answers}
    assert len(bodies) == 1
    assert client.get("/v1/map", params=MAP).content in bodies
    assert len(worked_out) == 1


def test_too_many_different_maps_at_once(serving, filled, monkeypatch, refused):
    from taskspace.serve import Limits

    began, go_on = threading.Semaphore(0), threading.Event()

    def slowly(matrix, **options):
        began.release()
        assert go_on.wait(30)
        return map_of(matrix, **options)

    monkeypatch.setattr("taskspace.atlas.map.map_of", slowly)
    client = serving(filled, limits=Limits(computing=1))
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(client.get, "/v1/map", params=MAP)
        assert began.acquire(timeout=30)
        second = client.get("/v1/map", params={**MAP, "seed": 5})
        refused(second, 503, "Busy")
        assert int(second.headers["retry-after"]) > 0
        go_on.set()
        assert first.result().status_code == 200
    assert client.get("/v1/map", params={**MAP, "seed": 5}).status_code == 200


def test_maps_of_minutes_are_made_one_at_a_time(serving, filled, monkeypatch, refused):
    began, go_on = threading.Semaphore(0), threading.Event()

    def slowly(matrix, *, method, seed):
        if method != "pca":
            began.release()
            assert go_on.wait(30)
        return map_of(matrix, seed=seed)

    monkeypatch.setattr("taskspace.atlas.map.map_of", slowly)
    client = serving(filled)
    long, other = {**MAP, "method": "umap"}, {**MAP, "method": "mds", "seed": 1}
    with ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(client.get, "/v1/map", params=long) for _ in range(2)]
        assert began.acquire(timeout=30)
        busy = client.get("/v1/map", params=other)
        plain = client.get("/v1/map", params=MAP)
        go_on.set()
        assert [answer.result().status_code for answer in answers] == [200, 200]
    refused(busy, 503, "Busy")
    assert int(busy.headers["retry-after"]) > 0
    assert plain.status_code == 200  # what takes no minutes goes on meanwhile
    assert client.get("/v1/map", params=other).status_code == 200
    assert began.acquire(blocking=False)
    assert not began.acquire(blocking=False)  # either was made once


@pytest.mark.parametrize("seed", [-1, 10, 2**31])
def test_there_are_only_so_many_seeds_to_compute_for(client, refused, seed):
    refused(client.get("/v1/map", params={**MAP, "method": "umap", "seed": seed}), 400, "BadParameter")


def test_a_map_that_could_not_be_made_is_tried_again(serving, filled, monkeypatch, refused):
    from taskspace.errors import MissingExtra

    def without(matrix, **options):
        raise MissingExtra("umap needs umap-learn, which is not installed; pip install 'taskspace[umap]'")

    client = serving(filled)
    with monkeypatch.context() as patch:
        patch.setattr("taskspace.atlas.map.map_of", without)
        refused(client.get("/v1/map", params=MAP), 400, "MissingExtra")
    assert client.get("/v1/map", params=MAP).status_code == 200


def test_similarities_of_named_tasks(ask, filled):
    names = ["trec", "sst2", 'quo"ted', "IMDB-large"]
    answer = ask("/v1/similarities", space="response", name=[*names, "sst2"])
    assert sorted(answer["names"]) == sorted(names)
    with Atlas(filled) as atlas:
        rows = np.stack([atlas.get(name, space="response").vector for name in answer["names"]]).astype(np.float64)
        kinds = [atlas.entry(name, space="response").kind for name in answer["names"]]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(answer["values"], rows @ rows.T, atol=6e-5)
    assert answer["kinds"] == kinds
    assert len(answer["merges"]) == 3


def test_similarities_of_all(ask):
    answer = ask("/v1/similarities", space="response", limit=4)
    assert len(answer["names"]) == 4
    assert answer["of"] == 13
    assert len(ask("/v1/similarities", space="text")["names"]) == 3


def test_similarities_of_what_is_not_there(client, refused):
    query = {"space": "response", "name": ["sst2", "nobody"]}
    assert "'nobody'" in refused(client.get("/v1/similarities", params=query), 404, "UnknownName")
    too_many = {"space": "response", "name": ["sst2", "imdb", "trec"], "limit": 2}
    refused(client.get("/v1/similarities", params=too_many), 400)
    refused(client.get("/v1/similarities", params={"name": ["x"] * 501}), 400, "BadParameter")
