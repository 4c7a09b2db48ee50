"""``transformers serve``, somebody else's server, with the microscopic decoder."""

from __future__ import annotations

import time

import pytest

from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.prompts._labeler import from_prompt

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def served(tiny_decoder):
    from transformers.utils.import_utils import is_accelerate_available, is_serve_available

    if not (is_serve_available() and is_accelerate_available()):
        pytest.skip("transformers serve needs fastapi, uvicorn, openai and accelerate")
    from transformers.cli.serve import Serve

    serving = Serve(force_model=str(tiny_decoder), device="cpu", host="127.0.0.1", port=0, non_blocking=True)
    until = time.monotonic() + 60
    while not serving.server.started and time.monotonic() < until:
        time.sleep(0.02)
    assert serving.server.started
    port = serving.server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1", str(tiny_decoder)
    serving.kill_server()


@pytest.mark.parametrize("chat", [False, True])
def test_it_gives_words_and_these_are_read(served, make_prompt, make_inputs, chat):
    """It takes no lists of prompts and gives no log-probabilities: words are all there is."""
    url, model = served
    endpoint = open_endpoint(url, model=model, max_tokens=4, concurrency=2)
    labeler = from_prompt(make_prompt(chat=chat), endpoint)
    items = labeler.collect(make_inputs(3)).items
    assert all(item["words"] and "log_probs" not in item for item in items)
    assert endpoint.usage.readings.keys() <= {"text", "abstained"}
    assert endpoint.usage.tokens_in > 0
    assert endpoint.usage.unmetered == 0
    assert labeler.answer(make_inputs(3)).known.tolist() == [item["said"] is not None for item in items]


def test_it_writes_what_the_model_writes(served, brain):
    url, model = served
    ids = brain.tokenizer("The mood is")["input_ids"]
    expected = brain.tokenizer.decode([token for token, _ in brain.greedy(ids, 6)], skip_special_tokens=True)
    written = open_endpoint(url, model=model).write("The mood is", max_tokens=6)
    assert written == expected.strip()
