"""The Host header, the headers of every answer, and bodies that nobody reads."""

from __future__ import annotations

import asyncio

import pytest

from taskspace.serve.guard import bare_host

PATHS = ["/", "/v1/health", "/v1/near?name=nobody", "/v1/near", "/nothing", "/static/nothing", "/openapi.json"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1", "127.0.0.1:8765", "[::1]", "[::1]:8765"])
def test_this_machine_by_its_own_names(client, host):
    assert client.get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "evil.example:8765", "127.0.0.1.evil.example", "[::2]", "",
        "127.0.0.2", "localhost@evil.example", "0.0.0.0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/v1/health", "/static/index.html", "/openapi.json"])
def test_a_name_that_points_here_from_elsewhere(client, refused, host, path):
    answer = client.get(path, headers={"host": host})
    assert "host name" in refused(answer, 400, "BadHost")
    assert answer.headers["content-security-policy"]


def test_two_hosts_are_none(client, refused):
    answer = client.get("/v1/health", headers=[("host", "localhost"), ("host", "evil.example")])
    refused(answer, 400, "BadHost")


def test_names_that_were_listed(serving, filled):
    client = serving(filled, hosts=["Tasks.Example"])
    assert client.get("/v1/health", headers={"host": "tasks.example:443"}).status_code == 200
    assert client.get("/v1/health", headers={"host": "other.example"}).status_code == 400
    assert serving(filled, hosts=["*"]).get("/v1/health", headers={"host": "any.example"}).status_code == 200


def test_where_every_address_is_listened_at_any_address_will_do(serving, filled):
    client = serving(filled, hosts=["0.0.0.0", "my-machine"])
    for host in ("192.168.1.5:8765", "[fe80::1]:8765", "my-machine"):
        assert client.get("/v1/health", headers={"host": host}).status_code == 200
    for host in ("evil.example", "1.2.3.4.evil.example", "[evil]", ""):
        assert client.get("/v1/health", headers={"host": host}).status_code == 400


def test_bare_host():
    said = {"a:1": "a", "A": "a", "[::1]:80": "::1", "[::1]": "::1", "": "", ":80": "", "[::1": "::1"}
    assert {header: bare_host(header) for header in said} == said


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_the_browser_to_be_careful(client, path):
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.fixture
def guarded(filled):
    """``await guarded(method, path, chunks, **headers)``: status, headers, and how many chunks were read."""
    from taskspace.serve import create_app

    app = create_app(filled, allow_embed=True, token="t")

    async def ask(method, path, chunks, **headers):
        sent, read = [], []

        async def receive():
            read.append(1)
            assert len(read) <= 10_000, "nobody stops reading"
            body = next(chunks, None)
            return {"type": "http.request", "body": body or b"", "more_body": body is not None}

        async def send(message):
            sent.append(message)

        given = [(b"host", b"localhost"), *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())]
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"space=response", "headers": given, "scheme": "http",
            "server": ("localhost", 80), "client": ("x", 1), "root_path": "", "asgi": {"version": "3.0"},
        }  # fmt: skip
        await app(scope, receive, send)
        start = sent[0]
        return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, len(read)

    return ask


GIGABYTE = 1_000_000_000
CHUNK = b"x" * 65_536


def endless():
    return iter(lambda: CHUNK, None)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/health"), ("POST", "/nothing"), ("PUT", "/v1/tasks")])
def test_nobody_reads_a_body_that_is_not_asked_for(guarded, method, path):
    status, headers, read = asyncio.run(guarded(method, path, endless(), content_length=str(GIGABYTE)))
    assert status in (200, 404, 405)
    assert read == 0
    assert headers["connection"] == "close"


def test_a_gigabyte_that_is_announced(guarded):
    token = {"authorization": "Bearer t"}
    status, headers, read = asyncio.run(guarded("POST", "/v1/embed", endless(), content_length=str(GIGABYTE), **token))
    assert (status, read) == (413, 0)
    assert headers["connection"] == "close"


def test_a_gigabyte_that_is_not_announced(guarded):
    from taskspace.serve import Limits

    token = {"authorization": "Bearer t", "transfer_encoding": "chunked"}
    status, headers, read = asyncio.run(guarded("POST", "/v1/embed", endless(), **token))
    assert status == 413
    assert read == Limits().body // len(CHUNK) + 1  # not a chunk more than shows that it is too long
    assert headers["connection"] == "close"


def test_nor_one_with_a_wrong_token(guarded):
    status, headers, read = asyncio.run(
        guarded("POST", "/v1/embed", endless(), transfer_encoding="chunked", authorization="Bearer wrong")
    )
    assert (status, read) == (401, 0)
    assert headers["connection"] == "close"


def test_a_body_that_was_read_leaves_the_connection_open(guarded):
    status, headers, read = asyncio.run(
        guarded("POST", "/v1/embed", iter([b"no json"]), authorization="Bearer t", content_length="7")
    )
    assert (status, read) == (400, 2)
    assert "connection" not in headers
