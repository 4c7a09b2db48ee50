"""Servers that fail or lie: right answers in the end or one sentence, and never an unsound item in the store."""

from __future__ import annotations

import json
import math
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from taskspace.errors import LabelerError
from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.prompts._labeler import from_prompt
from taskspace.labelers.prompts._reading import Reading
from taskspace.labelers.store import AnswerStore

ROWS = 6


_TRUTH = {}


@pytest.fixture
def truth(server, make_prompt, make_inputs):
    """What the sound server says, by kind of prompt; asked once, before any fault."""
    for chat in (False, True) if not _TRUTH else ():
        labeler = from_prompt(make_prompt(chat=chat), open_endpoint(server.url, model="tiny"), store=AnswerStore(None))
        _TRUTH[chat] = labeler.collect(make_inputs(ROWS)).items
    server.requests.clear()
    return _TRUTH


def _once(fault):
    """The same fault for each row's first call."""
    seen, lock = set(), threading.Lock()

    def before(path, body, number):
        text = json.dumps(body.get("prompt") or body["messages"])
        with lock:
            if text in seen:
                return None
            seen.add(text)
        return fault

    return before


TRANSIENT = {
    "429": {"status": 429, "body": b"slow down", "headers": {"Retry-After": "2"}},
    "500": {"status": 500, "body": b"Internal Server Error"},
    "503 html": {"status": 503, "body": b"<html>busy. Come back</html>"},
    "cut": {"body": b'{"choices": [{"ind', "cut": True},
    "malformed": {"body": b'{"choices": [{"index": 0,'},
    "no json": {"body": b"<html>"},
    "no choices": {"body": {"object": "x"}},
    "empty choices": {"body": {"choices": []}},
    "list": {"body": [1]},
    "error in 200": {"body": {"error": {"message": "overloaded", "code": 503}}},
    "no utf-8": {"body": b"\xff\xfe"},
    "deep": {"body": b"[" * 200_000},
}


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_passes_is_tried_again(server, fault, truth, make_prompt, make_inputs, kind, chat):
    server.before = _once(fault(**TRANSIENT[kind]))
    endpoint = open_endpoint(server.url, model="tiny")
    labeler = from_prompt(make_prompt(chat=chat), endpoint)
    assert labeler.collect(make_inputs(ROWS)).items == truth[chat]
    assert endpoint.usage.calls == server.calls == 2 * ROWS
    assert endpoint.usage.retried == ROWS


def test_a_slow_reply_is_tried_again(server, fault, truth, make_prompt, make_inputs):
    server.before = _once(fault(seconds=5.0, status=500))
    endpoint = open_endpoint(server.url, model="tiny", timeout=1.0, concurrency=ROWS)
    assert from_prompt(make_prompt(), endpoint).collect(make_inputs(2)).items == truth[False][:2]
    assert endpoint.usage.retried == 2
    assert endpoint.usage.unmetered == 2


LASTING = {
    "500": ({"status": 500, "body": b"Oh. No"}, "failed 3 times in a row, at last with 500"),
    "429": ({"status": 429, "body": {"error": {"message": "Rate limit. Wait"}}}, "3 times.*429: Rate limit"),
    "malformed": ({"body": b"{"}, "no JSON object with choices"),
    "cut": ({"body": b"{", "cut": True}, "cut connection"),
    "401": (
        {"status": 401, "body": {"error": {"message": "Bad key. " + "x" * 900}}},
        "refuses a request without a key",
    ),
    "403": ({"status": 403, "body": b""}, "403: no message"),
    "404": ({"status": 404, "body": {"detail": "Not Found"}}, "does not find model 'tiny' .*404: Not Found"),
    "400": ({"status": 400, "body": {"error": "No such thing"}}, "400: No such thing"),
    "422": ({"status": 422, "body": {"detail": [{"msg": "bad field"}]}}, "bad field"),
    "307": ({"status": 307, "headers": {"Location": "http://127.0.0.1:1/"}}, "307"),
    "quota": (
        {"status": 429, "body": {"error": {"message": "Pay", "code": "insufficient_quota"}}},
        "refuses.*429: Pay",
    ),
    "two choices": ({"body": {"choices": [{"index": 0, "text": "x"}, {"index": 1, "text": "y"}]}}, "2 choices"),
    "index": ({"body": {"choices": [{"index": 7, "text": "good", "message": {}}]}}, r"numbered \[7\]|1 choices"),
    "no text": (
        {"body": {"choices": [{"index": 0, "text": 7, "message": {"content": 7}}]}},
        "no text but int|1 choices",
    ),
    "no object": ({"body": {"choices": ["good"]}}, "1 choices where|choices that are no JSON objects"),
}


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("kind", LASTING)
def test_what_stays_is_told_in_one_sentence(server, fault, truth, make_prompt, make_inputs, one_sentence, kind, chat):
    """From the third row on the server is spoiled; what came before is kept, and a second run asks for the rest."""
    settings, said = LASTING[kind]
    server.before = lambda path, body, number: fault(**settings) if number > 2 else None
    store = AnswerStore(None)
    prompt = make_prompt(chat=chat)
    labeler = from_prompt(prompt, open_endpoint(server.url, model="tiny", concurrency=1, retries=2), store=store)
    with pytest.raises(LabelerError, match=said) as caught:
        labeler.answer(make_inputs(ROWS))
    assert one_sentence(caught.value)
    assert len(str(caught.value)) < 600
    assert "2 of 6 answers came before and are kept" in str(caught.value)
    kept = store.get(labeler.answerer.key, make_inputs(ROWS).digests)
    assert [kept.get(digest) for digest in make_inputs(ROWS).digests] == [*truth[chat][:2], None, None, None, None]

    server.before = lambda path, body, number: None
    server.requests.clear()
    again = from_prompt(prompt, open_endpoint(server.url, model="tiny"), store=store).collect(make_inputs(ROWS))
    assert (again.items, again.asked) == (truth[chat], 4)
    assert server.calls == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: reply["choices"].pop(),
        lambda reply: reply["choices"].append(reply["choices"][0]),
        lambda reply: reply["choices"][0].update(index=reply["choices"][1]["index"]),
        lambda reply: reply["choices"][0]["logprobs"]["token_logprobs"].__setitem__(-1, 3.0),
        lambda reply: reply["choices"][0]["logprobs"]["token_logprobs"].__setitem__(1, math.nan),
        lambda reply: [c.update(index=1 - c["index"]) for c in reply["choices"] if c["index"] < 2],
    ],
)
def test_a_lie_about_one_row_spoils_no_other(server, truth, make_prompt, make_inputs, one_sentence, change):
    def after(reply):
        if server.calls == 4:
            change(reply)
        return reply

    server.after = after
    store = AnswerStore(None)
    endpoint = open_endpoint(server.url, model="tiny", concurrency=1, scoring="echo")
    labeler = from_prompt(make_prompt(), endpoint, store=store)
    with pytest.raises(LabelerError) as caught:
        labeler.answer(make_inputs(ROWS))
    assert one_sentence(caught.value)
    kept = store.get(labeler.answerer.key, make_inputs(ROWS).digests)
    assert list(kept.values()) == list(truth[False][:3])
    assert all(math.isfinite(v) and v <= 0 for item in kept.values() for v in Reading.from_item(item).log_probs)


@pytest.mark.parametrize("choice", [None, {"index": 0}, {"index": 0, "message": "good"}, {"message": {"content": {}}}])
def test_a_choice_without_words_is_no_abstention(server, make_prompt, make_inputs, one_sentence, choice):
    server.after = lambda reply: {"choices": [choice]}
    store = AnswerStore(None)
    endpoint = open_endpoint(server.url, model="tiny", scoring="text")
    with pytest.raises(LabelerError, match="check the server") as caught:
        from_prompt(make_prompt(chat=True), endpoint, store=store).answer(make_inputs(2))
    assert one_sentence(caught.value)
    assert not len(store)


def test_rows_under_way_are_kept_when_one_fails(server, fault, make_prompt, make_inputs):
    """Eight at a time: the failing row comes back first, the other seven a little later."""
    inputs = make_inputs(30)

    def before(path, body, number):
        if number <= 1:
            return None
        if "number 3\n" in json.dumps(body["prompt"]).replace("\\n", "\n"):
            return fault(401, b"no")
        server.release.wait(0.3)
        return None

    server.before = before
    labeler = from_prompt(make_prompt(), open_endpoint(server.url, model="tiny"), store=AnswerStore(None))
    with pytest.raises(LabelerError, match=r"\(8 of 30 answers came before"):
        labeler.answer(inputs)
    assert server.calls == 9


def test_who_stops_listening_stops_the_asking(server, make_prompt, make_inputs):
    endpoint = open_endpoint(server.url, model="tiny", concurrency=2)
    running = endpoint.readings(make_prompt(), make_inputs(60))
    assert len(next(running)) >= 16
    running.close()
    assert server.calls < 60
    assert threading.active_count() < 40


def test_the_servers_wish_is_heeded_within_a_minute(server, fault, pauses, make_prompt, make_inputs):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    wishes = ["7", "100000", later, "never", None]

    def before(path, body, number):
        if number > len(wishes):
            return None
        wish = wishes[number - 1]
        return fault(429, b"", {} if wish is None else {"Retry-After": wish})

    server.before = before
    list(open_endpoint(server.url, model="tiny").readings(make_prompt(), make_inputs(1)))
    assert pauses[:2] == [7.0, 60.0]
    assert 10 < pauses[2] <= 20
    assert 2 <= pauses[3] <= 4  # from half a second, doubling: the fourth is four seconds or down to half of it
    assert 4 <= pauses[4] <= 8


def test_never_more_calls_than_allowed(server, make_prompt, make_inputs, one_sentence):
    endpoint = open_endpoint(server.url, model="tiny", budget_calls=11, concurrency=8)
    labeler = from_prompt(make_prompt(), endpoint)
    with pytest.raises(LabelerError, match="budget of 11 calls is spent.*11 of 40 answers came before") as caught:
        labeler.answer(make_inputs(40))
    assert one_sentence(caught.value)
    assert server.calls == endpoint.usage.calls == 11
    assert len(labeler.store) == 11


def test_tries_count_as_calls(server, fault, make_prompt, make_inputs):
    server.before = lambda path, body, number: fault(500)
    endpoint = open_endpoint(server.url, model="tiny", budget_calls=3)
    with pytest.raises(LabelerError, match="budget of 3 calls is spent"):
        list(endpoint.readings(make_prompt(), make_inputs(1)))
    assert server.calls == 3


def test_never_more_money_than_allowed(server, make_prompt, make_inputs, one_sentence):
    """Prices 1 and 10 per token; the server's own counts are what is paid."""
    endpoint = open_endpoint(server.url, model="tiny", budget_cost=2500.0, price_in=1e6, price_out=1e7, max_tokens=4)
    labeler = from_prompt(make_prompt(chat=True), endpoint)
    with pytest.raises(LabelerError, match="could cost .* of the budget of 2500 there is .* left") as caught:
        labeler.answer(make_inputs(60))
    assert one_sentence(caught.value)
    paid = [server.reply(path, body)["usage"] for path, body in server.requests]
    cost = sum(u["prompt_tokens"] + 10 * u["completion_tokens"] for u in paid)
    assert endpoint.usage.cost == pytest.approx(cost)
    assert cost <= 2500
    assert len(labeler.store) == server.calls > 10


def test_nobody_there(make_prompt, make_inputs, one_sentence):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    endpoint = open_endpoint(url, model="tiny", retries=1)
    with pytest.raises(LabelerError, match="failed 2 times in a row, at last with no connection") as caught:
        list(endpoint.readings(make_prompt(), make_inputs(1)))
    assert one_sentence(caught.value)
    assert endpoint.usage.tokens_in == 0
