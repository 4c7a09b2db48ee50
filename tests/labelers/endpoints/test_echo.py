from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.endpoints._echo import common_cut, laid_out


def _read(endpoint, prompt, inputs):
    found = {}
    for batch in endpoint.readings(prompt, inputs):
        assert not found.keys() & batch.keys()
        found |= batch
    return [found[row] for row in range(len(inputs))]


def test_echo_equals_teacher_forcing_token_by_token(server, brain, make_prompt, make_inputs):
    prompt, inputs = (
        make_prompt(answers={"plus": ("good", "very good"), "minus": ("bad", "awful and bad")}),
        make_inputs(6),
    )
    endpoint = open_endpoint(server.url, model="tiny", scoring="echo")
    for reading, text in zip(_read(endpoint, prompt, inputs), inputs.texts, strict=True):
        slow = [brain.slowly(f"Review: {text}\nSentiment:", answer) for answer in prompt.strings]
        assert reading.log_probs == pytest.approx([value for value, _ in slow], abs=1e-4)
        assert reading.tokens == tuple(count for _, count in slow)
    assert len(set(reading.tokens)) > 1
    assert endpoint.usage.calls == 6
    assert endpoint.usage.readings == {"echo": 6}


def test_the_prompts_own_likelihood(server, brain, make_prompt, make_inputs):
    (reading,) = _read(open_endpoint(server.url, model="tiny"), make_prompt(), make_inputs(1))
    ids = brain.tokenizer("Review: the film was fine, number 0\nSentiment:")["input_ids"]
    slow = [float(brain.log_probs(ids[:i])[-1, ids[i]]) for i in range(1, len(ids))]
    assert reading.prompt_tokens == len(slow)
    assert reading.prompt_log_prob == pytest.approx(sum(slow), abs=1e-4)


def test_a_server_that_insists_on_a_token(server, fault, make_prompt, make_inputs):
    (free,) = _read(open_endpoint(server.url, model="tiny", scoring="echo"), make_prompt(), make_inputs(1))

    def insist(path, body, number):
        return None if body["max_tokens"] else fault(400, {"error": {"message": "max_tokens must be at least 1"}})

    server.before = insist
    (paid,) = _read(open_endpoint(server.url, model="tiny", scoring="echo"), make_prompt(), make_inputs(1))
    assert paid == free


def test_many_answers_go_out_in_lists_of_bounded_size(server, make_prompt, make_inputs):
    words = [f"word{i}" for i in range(37)]
    prompt = make_prompt(answers={"a": tuple(words[:20]), "b": tuple(words[20:])})
    (reading,) = _read(open_endpoint(server.url, model="tiny", scoring="echo"), prompt, make_inputs(1))
    assert len(reading.log_probs) == 37
    assert [len(body["prompt"]) for _, body in server.requests] == [16, 16, 5]


def test_answers_that_are_one_text_count_once(server, make_prompt, make_inputs):
    from taskspace.labelers.prompts._reading import class_scores

    twice, once = (
        make_prompt(answers={"a": ("good", " good"), "b": ("bad",)}),
        make_prompt(answers={"a": "good", "b": "bad"}),
    )
    endpoint = open_endpoint(server.url, model="tiny")
    scores = [class_scores(_read(endpoint, prompt, make_inputs(2)), prompt).log_unnorm for prompt in (twice, once)]
    assert scores[0] == pytest.approx(scores[1])


def test_what_no_echo_can_tell_is_refused(server, make_prompt, make_inputs, one_sentence):
    endpoint = open_endpoint(server.url, model="tiny", scoring="echo")
    for prompt in (make_prompt(chat=True), make_prompt(with_end=True)):
        with pytest.raises(SettingError) as caught:
            _read(endpoint, prompt, make_inputs(1))
        assert one_sentence(caught.value)
    assert server.calls == 0


@pytest.mark.parametrize(
    ("starts", "boundary", "cut"),
    [
        ([[0, 4, 8], [0, 4, 8, 9]], 8, 8),
        ([[0, 4, 6, 8], [0, 4, 6, 10]], 8, 6),  # the second merges two signs of the context with its answer
        ([[0, 4, 8], [0, 4, 6, 10]], 8, 4),  # and at 6 the first has no beginning
        ([[0, 5, 8], [0, 4, 6, 10]], 8, 0),  # nor here the second at 5
        ([[0, 4, 6, 8], [0, 3, 4, 7, 9]], 8, 4),
    ],
)
def test_all_answers_are_counted_from_the_earliest_token_across_the_boundary(starts, boundary, cut):
    assert common_cut(starts, boundary) == cut


@pytest.mark.parametrize(
    ("tokens", "text", "starts"),
    [
        (["It", " is", " fine"], "It is fine", [0, 2, 5]),
        (["<s>", "It", " is", " fine"], "It is fine", [0, 0, 2, 5]),
        (["It", "is", "fine"], "It is fine", [0, 2, 5]),  # spaces not shown
        (["<s>", "", "It", " is"], "It is", [0, 0, 0, 2]),
        (["a ", "\ufffd", "\ufffd", " b"], "a \u00e9 b", [0, 2, 2, 3]),
        (["a", " \ufffd", "bytes:\\x98\\x80", "!", "x"], "a \U0001f600!", [0, 1, 1, 3]),
        (["a ", "\ufffd", "\ufffd"], "a \u00e9", [0, 2, 2]),
        (["It", " was"], "It is", None),
        (["It"], "It is", None),
        (["It", " is fine"], "It is", None),  # a token that goes on after the end of the text
        (["a ", "\ufffd", "b"], "a cb", None),  # broken characters cannot stand for ASCII
    ],
)
def test_tokens_are_laid_along_the_text(tokens, text, starts):
    assert laid_out(tokens, text, whole="x" not in tokens) == starts


def test_broken_characters_at_the_end_are_not_told_from_generated_ones():
    assert laid_out(["a", "\ufffd", "\ufffd"], "a\u00e9", whole=False) is None


@given(st.text("ab \u00e9\u4e2d\U0001f600", min_size=1, max_size=12), st.data())
def test_any_cut_of_the_bytes_is_laid_out(text, data):
    """Cut the UTF-8 bytes anywhere and show each piece alone, as servers do: nothing in ASCII is laid elsewhere."""
    content = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(content) - 1)))) if len(content) > 1 else []
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    tokens = [piece.decode("utf-8", "replace") for piece in pieces]
    found = laid_out(tokens, text, whole=True)
    if found is None:  # and always found where no character is cut
        assert any("\ufffd" in token for token in tokens)
        return
    for token, start, byte in zip(tokens, found, [0, *cuts], strict=True):
        assert not token[0].isascii() or "\ufffd" in token or start == len(content[:byte].decode())


def _spoiled(change):
    def after(reply):
        change(reply["choices"][0]["logprobs"])
        return reply

    return after


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["token_logprobs"].__setitem__(-1, 0.5), "log-probability of 0.5"),
        (lambda p: p["token_logprobs"].__setitem__(-1, float("nan")), "nan"),
        (lambda p: p["token_logprobs"].__setitem__(-1, float("-inf")), "inf"),
        (lambda p: p["token_logprobs"].__setitem__(-1, None), "None"),
        (lambda p: p["token_logprobs"].__setitem__(-1, "-1.0"), "log-probability"),
        (lambda p: p["token_logprobs"].pop(), "another number"),
        (lambda p: p["tokens"].__setitem__(3, "elsewhere"), "do not spell"),
        (lambda p: p["tokens"].__setitem__(3, 7), "without tokens"),
    ],
)
def test_a_lying_echo_is_not_believed(server, change, said, make_prompt, make_inputs, one_sentence):
    server.after = _spoiled(change)
    endpoint = open_endpoint(server.url, model="tiny")
    with pytest.raises(LabelerError, match=said) as caught:
        _read(endpoint, make_prompt(), make_inputs(2))
    assert one_sentence(caught.value)
    assert not endpoint.usage.readings


@pytest.mark.parametrize("fields", [{}, {"reasoning": "Think.", "reasoning_tokens": 4}, {"separator": "\n"}])
def test_behind_an_endpoint_and_here_a_model_reads_alike(server, tiny_decoder, make_prompt, make_inputs, fields):
    from taskspace.labelers.language_models import load_language_model
    from taskspace.labelers.prompts import Example

    examples = (Example("it rained", "minus"), Example("it shone", "plus"))
    prompt = make_prompt(template="{text}\n\nIt was:\n", examples=examples, **fields)
    here = load_language_model(tiny_decoder)
    there = open_endpoint(server.url, model="tiny", scoring="echo")
    for one, other in zip(_read(here, prompt, make_inputs(5)), _read(there, prompt, make_inputs(5)), strict=True):
        assert other.log_probs == pytest.approx(one.log_probs, abs=1e-4)
        assert other.tokens == one.tokens
        if not prompt.reasoning:
            assert other.prompt_tokens == one.prompt_tokens
            assert other.prompt_log_prob == pytest.approx(one.prompt_log_prob, abs=1e-3)
