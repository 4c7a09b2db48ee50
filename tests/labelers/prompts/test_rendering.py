from dataclasses import replace

import pytest

from taskspace.labelers.prompts import Example, Prompt
from taskspace.labelers.prompts._rendering import joined, messages, plain_text

PROMPT = Prompt(
    "p", "T: {text}\nV:", {"good": ("fine",), "bad": ("poor",)}, system="Be fair.",
    examples=(Example("a", "good"), Example("b", "bad")), separator="\n--\n",
)  # fmt: skip
THINKING = replace(PROMPT, reasoning="Think.", conclusion="So it is", examples=(), system="")


@pytest.mark.parametrize(
    ("context", "whole"),
    [("V:", "V: fine"), ("V: ", "V: fine"), ("V:\n", "V:\nfine"), ("V: \n\n", "V: \n\nfine"), ("", " fine")],
)
def test_an_answer_follows_after_a_space_or_the_white_space_that_is_there(context, whole):
    assert joined(context, " fine ") == whole


def test_plain_text_is_system_examples_and_question():
    assert plain_text(PROMPT, "x", None) == "Be fair.\n--\nT: a\nV: fine\n--\nT: b\nV: poor\n--\nT: x\nV:"


def test_turns_are_the_same_in_the_order_of_a_conversation():
    told = [(turn["role"], turn["content"]) for turn in messages(PROMPT, "x", None)]
    assert told == [
        ("system", "Be fair."), ("user", "T: a\nV:"), ("assistant", "fine"), ("user", "T: b\nV:"),
        ("assistant", "poor"), ("user", "T: x\nV:"),
    ]  # fmt: skip


def test_thoughts_are_asked_for_then_concluded():
    assert plain_text(THINKING, "x", None) == "T: x\nV:\nThink."
    assert plain_text(THINKING, "x", None, " Hm. \n") == "T: x\nV:\nThink. Hm.\nSo it is"
    told = [(turn["role"], turn["content"]) for turn in messages(THINKING, "x", None, "Hm.")]
    assert told == [("user", "T: x\nV:\nThink."), ("assistant", "Hm."), ("user", "So it is")]


def test_pairs():
    pairs = replace(THINKING, template="{text_pair} after {text}", reasoning="")
    assert plain_text(pairs, "x", "y") == "y after x"
    assert messages(pairs, "x", "y") == [{"role": "user", "content": "y after x"}]
