from __future__ import annotations

import math

import pytest

from taskspace.errors import LabelerError
from taskspace.labelers.endpoints import open_endpoint
from taskspace.labelers.endpoints._asking import Vocabulary
from taskspace.labelers.endpoints._listed import walked
from taskspace.labelers.endpoints._replies import places
from taskspace.labelers.prompts._reading import class_scores


def _places(*rows):
    """Each row: the likeliest token first, as {token: probability}."""
    entries = [[{"token": t, "logprob": math.log(p)} for t, p in row.items()] for row in rows]
    return places({"logprobs": {"content": [{**row[0], "top_logprobs": row} for row in entries]}})


def _walk(make_prompt, answers, *rows, ended=True):
    found = walked(_places(*rows), Vocabulary.of(make_prompt(answers=answers)), ended=ended)
    return None if found is None else pytest.approx([math.exp(value) for value in found])


TWO = {"plus": "good", "minus": "bad"}


@pytest.mark.parametrize(
    ("answers", "rows", "masses"),
    [
        (TWO, [{"good": 0.6, "bad": 0.2, " Good": 0.1}], [0.7, 0.2]),
        (TWO, [{"GO": 0.5, "b": 0.3, "ba": 0.1, "x": 0.05}], [0.5, 0.4]),  # beginnings of one answer only
        (TWO, [{"good.": 0.5, "bad,": 0.3}], [0.5, 0.3]),
        (TWO, [{"goods": 0.5, "bad": 0.3, "good": 0.1}], [0.1, 0.3]),  # another word
        (TWO, [{"\n": 0.9, "good": 0.05}, {"bad": 0.5, "good": 0.4}], [0.05 + 0.9 * 0.4, 0.45]),
        (TWO, [{'"': 0.8, "**": 0.1}, {"good": 0.75, "bad": 0.25}], [0.6, 0.2]),
        (
            {"plus": "very good", "minus": "very bad"},
            [{"very": 0.8, "the": 0.1}, {" good": 0.75, " bad": 0.125}],
            [0.6, 0.1],
        ),
        (  # "no" could go on to "no idea" but "none" is another word
            {"a": "no", "b": "none", "c": "no idea"},
            [{"no": 0.8, "none": 0.1}, {" idea": 0.5, ".": 0.25, "pe": 0.125}],
            [0.2, 0.1, 0.4],
        ),
        (  # an open beginning that the reply does not take is shared by the labels that it could become
            {"a": "very good", "b": ("very bad", "very poor"), "c": "mixed"},
            [{"mixed": 0.5, "very": 0.4, "x": 0.01}],
            [0.2, 0.1, 0.1, 0.5],
        ),
        ({"a": "no", "b": "no idea", "c": "yes"}, [{"yes": 0.5, "no": 0.4, "x": 0.01}], [0.4, 0.01, 0.5]),  # reached
        ({"a": "yes", "b": "no"}, [{"yes": 0.7, "no": 0.2}], [0.7, 0.2]),
        ({"a": "US", "b": "us"}, [{"US": 0.5, "us": 0.25}], [0.5, 0.25]),  # here case tells them apart
        ({"a": ("yes", "yes sir"), "b": "no"}, [{"yes": 0.5, "no": 0.25, "x": 0.01}], [0.5, 0.01, 0.25]),
        ({"a": ("Yes", "yes"), "b": "no"}, [{"yes": 0.25, "Yes": 0.5, "no": 0.125}], [0.75, 0.0, 0.125]),
        ({"1": "(A)", "2": "(B)"}, [{"(": 0.5, "A": 0.25, "B": 0.125}, {"B": 0.5, "A": 0.25}], [0.375, 0.375]),
    ],
)
def test_masses_by_hand(make_prompt, answers, rows, masses):
    assert masses == _walk(make_prompt, answers, *rows)


def test_an_answer_that_is_not_listed_gets_an_upper_bound(make_prompt):
    # the last listed has 0.1, and all that is not listed together 0.05 or 0.2
    assert _walk(make_prompt, TWO, {"good": 0.85, "x": 0.1}) == [0.85, 0.05]
    assert _walk(make_prompt, TWO, {"good": 0.7, "x": 0.1}) == [0.7, 0.1]
    # it could have begun after the quotation mark only
    assert _walk(make_prompt, TWO, {'"': 0.5, "x": 0.25}, {"good": 0.5, "x": 0.25}) == [0.25, 0.125]


def test_where_no_answer_is_listed_nothing_is_said(make_prompt):
    assert _walk(make_prompt, TWO, {"The": 0.9, "A": 0.1}, {" good": 0.9}) is None


def test_an_open_answer_counts_where_the_reply_ends(make_prompt):
    answers = {"a": "good", "b": "good for nothing", "c": "bad"}
    assert _walk(make_prompt, answers, {"good": 0.9, "x": 0.02}) == [0.9, 0.02, 0.02]
    assert _walk(make_prompt, answers, {"good": 0.9, "x": 0.02}, ended=False) is None


def test_a_real_model_first_tokens(server, brain, make_prompt, make_inputs):
    prompt, inputs = make_prompt(chat=True), make_inputs(1)
    text = prompt.question(inputs.texts[0])
    ids = brain.tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    row = brain.log_probs(ids)[-1]
    best = [(brain.shown(t), float(row[t])) for t in row.topk(20).indices.tolist()]
    words = [token.strip().casefold() for token, _ in best]
    chosen = [i for i, word in enumerate(words) if word.isalnum() and sum(w[:1] == word[:1] for w in words) == 1][:2]
    assert len(chosen) == 2, words
    prompt = make_prompt(chat=True, answers={"a": words[chosen[0]], "b": words[chosen[1]], "c": "0000"})
    endpoint = open_endpoint(server.url, model="tiny")
    ((reading,),) = [batch.values() for batch in endpoint.readings(prompt, inputs)]
    assert words[0]  # so the walk ends at the first place
    left = min(best[-1][1], math.log(1 - sum(math.exp(value) for _, value in best)))
    assert reading.log_probs == pytest.approx([best[i][1] for i in chosen] + [left], abs=1e-6)
    assert reading.tokens == (1, 1, 1)
    assert endpoint.usage.readings == {"top_logprobs": 1}


def test_completions_list_rivals_in_their_own_form(server, make_prompt, make_inputs):
    reply = {"tokens": ["\u2581good"], "token_logprobs": [-0.5], "top_logprobs": [{"\u2581good": -0.5, "bad": -2.0}]}
    server.after = lambda made: {"choices": [{"index": 0, "text": "good", "logprobs": reply}]}
    endpoint = open_endpoint(server.url, model="tiny", scoring="top_logprobs")
    ((reading,),) = [batch.values() for batch in endpoint.readings(make_prompt(answers=TWO), make_inputs(1))]
    assert reading.log_probs == (-0.5, -2.0)
    assert endpoint.usage.unmetered == 1
    assert class_scores([reading], make_prompt(answers=TWO)).probs.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda place: place.update(logprob=0.2), "log-probability of 0.2"),
        (lambda place: place["top_logprobs"][0].update(logprob=float("nan")), "nan"),
        (lambda place: [rival.update(logprob=-0.1) for rival in place["top_logprobs"]], "more than 1"),
        (lambda place: place.pop("token"), "without tokens"),
        (lambda place: place.update(top_logprobs=[["good", -1.0]]), "no known form"),
        (lambda place: place.update(logprob=None), "None"),
    ],
)
def test_lying_probabilities_are_not_believed(server, make_prompt, make_inputs, one_sentence, change, said):
    def after(reply):
        change(reply["choices"][0]["logprobs"]["content"][0])
        return reply

    server.after = after
    endpoint = open_endpoint(server.url, model="tiny")
    with pytest.raises(LabelerError, match=said) as caught:
        list(endpoint.readings(make_prompt(chat=True), make_inputs(1)))
    assert one_sentence(caught.value)


@pytest.mark.parametrize("kind", ["missing", "refused"])
def test_a_server_without_probabilities_is_named(server, fault, make_prompt, make_inputs, one_sentence, kind):
    if kind == "missing":
        server.after = lambda reply: [c.pop("logprobs", None) for c in reply["choices"]] and reply
    else:
        server.before = lambda path, body, number: fault(400, {"error": {"message": "no logprobs. Sorry"}})
    endpoint = open_endpoint(server.url, model="tiny", scoring="top_logprobs")
    with pytest.raises(LabelerError, match="cannot be scored by top_logprobs") as caught:
        list(endpoint.readings(make_prompt(chat=True), make_inputs(1)))
    assert one_sentence(caught.value)
