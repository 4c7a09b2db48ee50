from __future__ import annotations

import json
import logging

import pytest

from taskspace.errors import LabelerError, TaskspaceWarning
from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.prompts._labeler import from_prompt
from taskspace.labelers.prompts._prompt import Example
from taskspace.labelers.store import AnswerStore
from taskspace.task import Inputs

# Models with random or made-up weights say an answer by chance, which is told.
pytestmark = pytest.mark.filterwarnings("ignore:under prompt:taskspace.errors.TaskspaceWarning")

KEY = "sk-very-secret-0123456789"


def _read(endpoint, prompt, inputs):
    found = {}
    for batch in endpoint.readings(prompt, inputs):
        found |= batch
    return [found[row] for row in range(len(inputs))]


def _speaking(text, **choice):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "text": text} | choice]}


@pytest.mark.parametrize("how", ["ignored", "refused"])
def test_auto_falls_to_words_for_the_rest_of_the_run(server, fault, make_prompt, make_inputs, how):
    def before(path, body, number):
        if how == "refused" and body.get("logprobs"):
            return fault(400, {"error": {"message": "logprobs are not supported"}})
        return fault(body=_speaking("It is bad."))

    server.before = before
    endpoint = open_endpoint(server.url, model="tiny", api_key=KEY)
    readings = _read(endpoint, make_prompt(chat=True), make_inputs(5))
    assert [(r.said, r.words, r.log_probs) for r in readings] == [(1, "It is bad.", ())] * 5
    assert [bool(body.get("logprobs")) for _, body in server.requests] == [True] + [False] * (4 + (how == "refused"))
    assert endpoint.usage.readings == {"text": 5}
    assert endpoint.provenance == {"model": "tiny", "endpoint": server.url, "scoring": "auto", "read_by": ["text"]}


def test_plain_prompts_fall_from_echo_to_listed_tokens_to_words(server, fault, brain, make_prompt, make_inputs):
    def no_echo(path, body, number):
        return fault(400, {"error": {"message": "echo is not supported"}}) if body.get("echo") else None

    server.before = no_echo
    row = brain.log_probs(brain.tokenizer("Review: the film was fine, number 0\nSentiment:")["input_ids"])[-1]
    listed = [(brain.shown(t), float(row[t])) for t in row.topk(5).indices.tolist()]
    word, value = next((token, value) for token, value in listed if token.strip().isalnum())
    prompt = make_prompt(answers={"a": word.strip(), "b": "0000"})
    endpoint = open_endpoint(server.url, model="tiny")
    (reading,) = _read(endpoint, prompt, make_inputs(1))
    assert reading.log_probs[0] == pytest.approx(value)
    assert reading.log_probs[1] <= listed[-1][1]
    assert [(body.get("echo"), body.get("logprobs")) for _, body in server.requests] == [
        (True, 1), (True, 1), (None, 5),
    ]  # fmt: skip
    server.after = lambda reply: _speaking("It is 0000")
    assert [r.said for r in _read(endpoint, prompt, make_inputs(3))] == [1, 1, 1]
    assert endpoint.usage.readings == {"text": 3, "top_logprobs": 1}
    assert endpoint.provenance["read_by"] == ["text", "top_logprobs"]


def test_an_echo_that_is_ignored_is_noticed(server, make_prompt, make_inputs):
    def deaf(reply):
        for choice in reply["choices"]:
            choice["text"] = " and"
            choice["logprobs"] = {"tokens": [" and"], "token_logprobs": [-1.0], "top_logprobs": [{" and": -1.0}]}
        return reply

    server.after = deaf
    (reading,) = _read(open_endpoint(server.url, model="tiny"), make_prompt(), make_inputs(1))
    assert (reading.log_probs, reading.said) == ((), None)
    assert server.calls == 2


def test_a_prompt_that_counts_the_end_is_not_echoed(server, make_prompt, make_inputs):
    _read(open_endpoint(server.url, model="tiny"), make_prompt(with_end=True), make_inputs(1))
    assert not any(body.get("echo") for _, body in server.requests)


def test_mixed_items_are_sound(server, make_prompt, make_inputs):
    """A server that stops giving probabilities amid a run."""
    server.after = lambda reply: _speaking("hm") if server.calls > 3 else reply
    prompt = make_prompt(chat=True, answers={"plus": ("ix", "n"), "minus": ("ed", "positive")})
    endpoint = open_endpoint(server.url, model="tiny", concurrency=1)
    answers = from_prompt(prompt, endpoint).answer(make_inputs(6))
    assert endpoint.usage.readings == {"abstained": 3, "top_logprobs": 3}
    assert answers.known.tolist() == [True] * 3 + [False] * 3
    assert answers.values.sum(axis=1) == pytest.approx([1] * 3 + [0] * 3)


def test_the_turns_of_a_chat(server, fault, make_prompt):
    server.before = lambda path, body, number: fault(body=_speaking("good"))
    prompt = make_prompt(
        chat=True, system="Be brief.", examples=(Example("it rained", "minus"),), reasoning="Think first.",
        reasoning_tokens=7,
    )  # fmt: skip
    endpoint = open_endpoint(server.url, model="tiny", scoring="text", max_tokens=3)
    (reading,) = _read(endpoint, prompt, Inputs.of(["{text} é"]))
    assert reading.said == 0
    (_, thinking), (_, asking) = server.requests
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Review: it rained\nSentiment:"},
        {"role": "assistant", "content": "bad"},
        {"role": "user", "content": "Review: {text} é\nSentiment:\nThink first."},
    ]
    assert thinking == {"model": "tiny", "messages": turns, "max_tokens": 7, "temperature": 0}
    turns += [{"role": "assistant", "content": "good"}, {"role": "user", "content": "So the answer is"}]
    assert asking == {"model": "tiny", "messages": turns, "max_tokens": 3, "temperature": 0}


def test_plain_thoughts_stand_before_the_answer(server, make_prompt, make_inputs):
    prompt = make_prompt(examples=(Example("it rained", "minus"),), reasoning="Think.", reasoning_tokens=3)
    (reading,) = _read(open_endpoint(server.url, model="tiny"), prompt, make_inputs(1))
    (_, thinking), (_, scoring) = server.requests
    asked = "Review: it rained\nSentiment: bad\n\nReview: the film was fine, number 0\nSentiment:\nThink."
    assert thinking["prompt"] == asked
    assert scoring["prompt"][2] == f"{asked}{reading.words.rstrip()}\nSo the answer is bad"
    assert reading.words
    assert reading.prompt_log_prob is None


def test_pairs_and_equal_rows(server, make_prompt):
    prompt = make_prompt(template="{text} / {text_pair} ?")
    labeler = from_prompt(prompt, open_endpoint(server.url, model="tiny"), store=AnswerStore(None))
    labeler.answer(Inputs.of(["a", "b", "a"], ["c", "d", "c"]))
    assert sorted(body["prompt"][0] for _, body in server.requests) == ["a / c ? good", "b / d ? good"]


def test_writing_freely(server, brain, fault, one_sentence):
    endpoint = open_endpoint(server.url, model="tiny")
    ids = brain.tokenizer("The mood is")["input_ids"]
    expected = brain.tokenizer.decode([token for token, _ in brain.greedy(ids, 5)]).strip()
    assert endpoint.write("The mood is", max_tokens=5) == expected
    assert isinstance(endpoint.write("The mood is", max_tokens=5, chat=True), str)
    assert server.requests[1][1]["messages"] == [{"role": "user", "content": "The mood is"}]
    assert endpoint.usage.tokens_in == len(ids) + server.reply(*server.requests[1])["usage"]["prompt_tokens"]
    server.before = lambda path, body, number: fault(400, {"error": "This is too long. Really"})
    with pytest.raises(LabelerError, match="too long") as caught:
        endpoint.write("x", max_tokens=5)
    assert one_sentence(caught.value)


def test_rows_that_are_refused_abstain(server, fault, make_prompt, make_inputs):
    def before(path, body, number):
        text = json.dumps(body)
        if "number 1" in text:
            return fault(400, {"error": {"message": "maximum context length is 8", "code": "context_length_exceeded"}})
        return fault(body=_speaking(None, finish_reason="content_filter")) if "number 2" in text else None

    server.before = before
    endpoint = open_endpoint(server.url, model="tiny")
    labeler = from_prompt(make_prompt(chat=True), endpoint)
    with pytest.warns(TaskspaceWarning, match="refused 2 of 6 rows") as told:
        items = labeler.collect(make_inputs(6)).items
    assert len(told) == 1
    assert [item.get("words", "")[:8] for item in items].count("refused:") == 2
    assert not labeler.answer(make_inputs(6)).known[1:3].any()
    assert endpoint.usage.readings["refused"] == 2


def test_a_server_that_refuses_all_rows_is_an_error(server, fault, make_prompt, make_inputs, one_sentence):
    server.before = lambda path, body, number: fault(413, b"<html>too large</html>")
    labeler = from_prompt(make_prompt(), open_endpoint(server.url, model="tiny"))
    with pytest.raises(LabelerError, match="refused all 20 rows") as caught:
        labeler.answer(make_inputs(20))
    assert one_sentence(caught.value)
    assert len(labeler.store) == 0


def test_lone_surrogates_harm_nothing(server, fault, make_prompt):
    server.before = lambda path, body, number: fault(body=_speaking("bad \ud800"))
    labeler = from_prompt(make_prompt(chat=True), open_endpoint(server.url, model="tiny"))
    assert labeler.answer(Inputs.of(["a \ud83d b"])).known.all()
    assert len(labeler.store) == 1


def test_the_key_is_shown_nowhere(server, fault, make_prompt, make_inputs, caplog):
    caplog.set_level(logging.DEBUG)
    endpoint = open_endpoint(server.url, model="tiny", api_key=KEY, retries=0)
    labeler = from_prompt(make_prompt(chat=True), endpoint)
    server.before = lambda path, body, number: fault(body=_speaking(f"your key is {KEY}, bad"))
    labeler.answer(make_inputs(2))
    told = [repr(endpoint), repr(labeler), repr(endpoint.usage), json.dumps(dict(labeler.provenance)), caplog.text]
    for status in (400, 401, 403, 404, 418, 500):
        server.before = lambda path, body, number, status=status: fault(
            status, {"error": {"message": f"Incorrect API key {KEY}", "code": KEY}}
        )
        with pytest.raises(LabelerError) as caught:
            labeler.answer(make_inputs(20))
        told.append(str(caught.value))
    told.append(labeler.store.path.read_bytes().decode("latin-1"))
    told += [file.read_bytes().decode("latin-1") for file in labeler.store.path.parent.iterdir()]
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert not any(KEY in text for text in told)


def test_without_a_key_none_is_sent(server, make_prompt, make_inputs):
    _read(open_endpoint(server.url, model="tiny"), make_prompt(), make_inputs(1))
    assert set(server.keys) == {None}


def test_missing_package(monkeypatch, make_prompt, make_inputs):
    import sys

    from taskspace import _extras
    from taskspace.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    endpoint = open_endpoint("http://localhost/v1", model="m")
    with pytest.raises(MissingExtra, match=r"taskspace\[http\]"):
        list(endpoint.readings(make_prompt(), make_inputs(1)))
