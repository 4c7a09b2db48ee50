"""The model's own order of the prompts, read from whatever it writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.labelers.prompts import Prompt
from taskspace.prompting.choosing._self_select import read_order, self_select

ANSWERS = {"no": ("no",), "yes": ("yes",)}
PROMPTS = [Prompt(f"p{number}", f"Template {number}: {{text}}", ANSWERS) for number in range(4)]


class Writes:
    def __init__(self, reply):
        self.reply = reply
        self.requests = []

    def write(self, request, *, max_tokens, chat=False):
        self.requests.append(request)
        return self.reply


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        (" 3, 1, 2, 4", [2, 0, 1, 3]),
        ("Prompt 2 is best.\n1. comes next", [1, 0]),
        ("2, 2, 2, 3", [1, 2]),
        ("9 and 0 are none of them; 4 is", [3]),
        ("version 1.5 of p2", [0]),
        ("I cannot say.", []),
    ],
)
def test_the_order_is_read_from_the_reply(reply, order):
    assert read_order(reply, 4) == order


@given(st.permutations(range(30)))
def test_a_full_order_comes_back(order):
    assert read_order(", ".join(str(number + 1) for number in order), 30) == list(order)


def test_scores_fall_with_the_place_and_unnamed_prompts_share_the_last():
    model = Writes("3, 1")
    scores, reply = self_select(PROMPTS, model)
    np.testing.assert_array_equal(scores, [-1, -2, 0, -2])
    assert reply == "3, 1"
    assert len(model.requests) == 1
    assert all(f"Template {number}: {{text}}" in model.requests[0] for number in range(4))


def test_the_model_sees_which_answers_a_prompt_offers():
    model = Writes("1")
    self_select([Prompt("p", "{text}\nIs it {labels}?", ANSWERS), *PROMPTS], model)
    assert "{text}\nIs it no or yes?" in model.requests[0]


def test_no_order_at_all_is_a_tie():
    assert len(set(self_select(PROMPTS, Writes("Sorry."))[0])) == 1
