"""Whatever goes wrong, the client gets one form of error, and nothing of this machine."""

from __future__ import annotations

import pytest

from taskspace.atlas import Atlas
from taskspace.errors import AtlasError, DataError, SettingError, SpaceMismatch


def test_unknown_addresses(client, refused):
    for path in ("/nothing", "/v1", "/v1/", "/v2/health", "/v1/health/", "/docs", "/redoc", "/v1/tasks/sst2"):
        refused(client.get(path, follow_redirects=True), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_methods_that_would_write(client, refused, method):
    for path in ("/v1/health", "/v1/tasks", "/v1/map", "/"):
        answer = client.request(method, path)
        assert method in refused(answer, 405, "BadMethod")
        assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("error", "status"),
    [(AtlasError, 503), (SettingError, 400), (SpaceMismatch, 400), (DataError, 400)],
)
def test_the_library_speaks_for_itself_but_tells_no_path(serving, filled, refused, monkeypatch, error, status):
    def broken(self, *words, **more):
        raise error(f"{self.path} was locked by another process; wait for it")

    client = serving(filled)
    monkeypatch.setattr(Atlas, "entry", broken)
    answer = client.get("/v1/task", params={"name": "imdb"})
    told = refused(answer, status, error.__name__)
    if status == 503:  # of a store that fails an engine may tell any of its files
        assert told == "the atlas cannot be read now; the log of the service says why"
    else:
        assert told == "small.db was locked by another process; wait for it"
    assert ("retry-after" in answer.headers) is (status == 503)


def test_a_fault_is_told_without_its_words(serving, filled, refused, monkeypatch):
    def broken(self, *words, **more):
        raise RuntimeError("/home/somebody/secret.py went wrong over sst2")

    client = serving(filled, raise_server_exceptions=False)
    monkeypatch.setattr(Atlas, "entry", broken)
    answer = client.get("/v1/task", params={"name": "imdb"})
    assert "secret" not in refused(answer, 500, "Fault")
    assert answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/health").status_code == 200


def test_an_atlas_that_was_moved_away(serving, own, refused):
    client = serving(own)
    assert client.get("/v1/health").status_code == 200
    own.rename(own.with_name("elsewhere.db"))
    answer = client.get("/v1/task", params={"name": "imdb"})
    assert answer.status_code in (200, 503)  # it may still be read as it was
    if answer.status_code == 503:
        refused(answer, 503, "AtlasError")
