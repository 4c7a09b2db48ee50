from __future__ import annotations

import threading
import time

import httpx
import pytest

from taskspace.errors import LabelerError
from taskspace.labelers.endpoints import _client, open_endpoint


def _through(handler, **settings):
    return open_endpoint("http://nowhere/v1", model="m", transport=httpx.MockTransport(handler), **settings)


def _said(text):
    return httpx.Response(200, json={"choices": [{"index": 0, "text": text}]})


def test_a_reply_without_end_is_not_read_to_its_end(monkeypatch, one_sentence):
    monkeypatch.setattr(_client, "_MOST_BYTES", 1 << 20)
    read = []

    def endless():
        while True:
            read.append(1)
            yield b"x" * (1 << 16)

    with pytest.raises(LabelerError, match="a reply of more than 1 MiB") as caught:
        _through(lambda request: httpx.Response(200, content=endless()), retries=0).write("x", max_tokens=1)
    assert one_sentence(caught.value)
    assert len(read) < 30


def test_a_reply_that_drips_is_late():
    def dripping():
        while True:
            time.sleep(0.02)
            yield b" "

    with pytest.raises(LabelerError, match=r"no whole reply in 0\.1 s"):
        _through(lambda request: httpx.Response(200, content=dripping()), retries=0, timeout=0.1).write(
            "x", max_tokens=1
        )


def test_no_redirect_is_followed():
    """It could lead the key elsewhere."""
    seen = []

    def handler(request):
        seen.append(request.url.host)
        return httpx.Response(308, headers={"Location": "http://elsewhere/v1/completions"})

    with pytest.raises(LabelerError, match="308"):
        _through(handler, api_key="sk-0123456789").write("x", max_tokens=1)
    assert seen == ["nowhere"]


def test_the_request_as_sent():
    seen = []

    def handler(request):
        seen.append(request)
        return _said(" caf\u00e9 ")

    endpoint = _through(handler, api_key=" sk-0123456789\n")
    assert endpoint.write("caf\u00e9: ", max_tokens=3) == "caf\u00e9"
    (request,) = seen
    assert str(request.url) == "http://nowhere/v1/completions"
    assert request.headers["authorization"] == "Bearer sk-0123456789"
    assert request.content.decode() == '{"model": "m", "prompt": "caf\u00e9:", "max_tokens": 3, "temperature": 0}'


def test_as_many_at_a_time_as_allowed(make_prompt, make_inputs):
    together = threading.Barrier(3)
    lock = threading.Lock()
    now, most = 0, 0

    def handler(request):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(30)  # breaks unless three are under way
        with lock:
            now -= 1
        return _said("good")

    endpoint = _through(handler, scoring="text", concurrency=3, retries=0)
    assert sum(len(batch) for batch in endpoint.readings(make_prompt(), make_inputs(9))) == 9
    assert most == 3


@pytest.mark.parametrize("usage", [None, 3, {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": True}, {}])
def test_counts_that_cannot_be_true_are_replaced_by_the_bound(usage):
    reply = {"choices": [{"index": 0, "text": "x"}], "usage": usage}
    endpoint = _through(lambda request: httpx.Response(200, json=reply), price_in=1e6)
    endpoint.write("four", max_tokens=9)
    assert endpoint.usage.unmetered == 1
    assert endpoint.usage.tokens_in >= len("four")
    assert endpoint.usage.cost == endpoint.usage.tokens_in
    assert endpoint.usage.tokens_out == 9
