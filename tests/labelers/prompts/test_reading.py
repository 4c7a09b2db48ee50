import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.labelers.prompts import Prompt, Reading, class_scores

PROMPT = Prompt("p", "{text}", {"good": ("fine", "great"), "bad": ("poor",)})

numbers = st.floats(-500, 0) | st.just(-math.inf)
readings = st.builds(
    Reading,
    log_probs=st.lists(numbers, max_size=4).map(tuple),
    said=st.none() | st.integers(0, 3),
    words=st.text(),
    prompt_log_prob=st.none() | st.floats(-500, 0),
).map(lambda r: replace(r, tokens=(2,) * len(r.log_probs), prompt_tokens=0 if r.prompt_log_prob is None else 3))


@given(readings)
def test_a_reading_comes_back_from_the_store_as_it_was(reading):
    kept = json.dumps(reading.to_item(), allow_nan=False)
    assert Reading.from_item(json.loads(kept)) == reading


def test_a_prompt_that_is_certain_is_not_a_prompt_unmeasured():
    assert Reading.from_item(Reading(said=0, prompt_log_prob=0.0, prompt_tokens=4).to_item()).prompt_log_prob == 0.0


def one(prompt=PROMPT, **reading):
    return class_scores([Reading(**reading)], prompt)


def test_the_words_of_a_label_are_added():
    scores = one(log_probs=(math.log(0.2), math.log(0.1), math.log(0.1)), tokens=(1, 1, 1))
    assert np.allclose(np.exp(scores.log_unnorm), [[0.3, 0.1]])
    assert np.allclose(scores.probs, [[0.75, 0.25]])
    assert np.allclose(scores.coverage, [0.4])
    assert scores.soft
    assert scores.known.all()


def test_or_the_likeliest_word_counts():
    scores = one(
        replace(PROMPT, words="max"), log_probs=(math.log(0.2), math.log(0.1), math.log(0.1)), tokens=(1, 1, 1)
    )
    assert np.allclose(scores.probs, [[2 / 3, 1 / 3]])
    assert np.allclose(scores.coverage, [0.3])


def test_by_token_a_word_has_the_geometric_mean_of_its_tokens():
    # 0.04 over 2 tokens is 0.2 a token, 0.001 over 3 is 0.1: (0.2 + 0.1) against 0.3
    scores = one(
        replace(PROMPT, length="token"),
        log_probs=(math.log(0.04), math.log(0.001), math.log(0.3)), tokens=(2, 3, 1),
    )  # fmt: skip
    assert np.allclose(np.exp(scores.log_unnorm), [[0.3, 0.3]])
    assert np.allclose(scores.probs, [[0.5, 0.5]])


def test_very_small_probabilities_do_not_vanish():
    scores = one(log_probs=(-2000.0, -2000.0, -2000.0), tokens=(1, 1, 1))
    assert np.allclose(scores.probs, [[2 / 3, 1 / 3]])


def test_a_model_that_only_says_a_label_is_sure_of_it():
    scores = class_scores([Reading(said=1, words="poor, I think"), Reading(words="hm"), Reading(said=0)], PROMPT)
    assert scores.probs.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert scores.known.tolist() == [True, False, True]
    assert scores.coverage.tolist() == [1, 0, 1]
    assert not scores.soft
    answers = scores.answers()
    assert answers.kind == "classes"
    assert answers.coverage == pytest.approx(2 / 3)


def test_probabilities_and_replies_may_be_mixed_and_are_then_not_soft():
    scores = class_scores([Reading((0.0, -math.inf, 0.0), (1, 1, 1)), Reading(said=1)], PROMPT)
    assert np.allclose(scores.probs, [[0.5, 0.5], [0, 1]])
    assert not scores.soft


def test_a_label_that_is_impossible_has_no_probability():
    scores = one(log_probs=(-math.inf, -math.inf, -1.0), tokens=(1, 1, 1))
    assert scores.probs.tolist() == [[0, 1]]
    assert scores.known.all()


def test_where_nothing_is_possible_nothing_is_known():
    scores = one(log_probs=(-math.inf,) * 3, tokens=(1, 1, 1))
    assert scores.probs.tolist() == [[0, 0]]
    assert scores.coverage.tolist() == [0]
    assert not scores.known.any()


def test_perplexity_is_per_token_of_the_prompt():
    scores = class_scores(
        [Reading(said=0, prompt_log_prob=4 * math.log(1 / 7), prompt_tokens=4), Reading(said=0)], PROMPT
    )
    assert scores.perplexity[0] == pytest.approx(7)
    assert math.isnan(scores.perplexity[1])


@given(st.lists(st.tuples(*[st.floats(-50, 0)] * 3), min_size=1, max_size=5))
def test_rows_are_distributions_and_exchanging_the_labels_exchanges_them(rows):
    turned = replace(PROMPT, answers={"bad": ("poor",), "good": ("fine", "great")})
    scores = class_scores([Reading(row, (1, 2, 3)) for row in rows], PROMPT)
    other = class_scores([Reading((row[2], row[0], row[1]), (3, 1, 2)) for row in rows], turned)
    assert np.allclose(scores.probs.sum(axis=1), 1)
    assert np.allclose(scores.probs, other.probs[:, ::-1])
