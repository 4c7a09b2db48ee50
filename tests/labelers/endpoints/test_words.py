from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.labelers.endpoints._asking import Vocabulary
from taskspace.labelers.endpoints._words import said
from taskspace.labelers.prompts._prompt import Prompt

MOOD = {"minus": ("negative", "bad"), "plus": ("positive", "good", "very good")}
NLI = {"entailment": "yes", "neutral": ("maybe", "not sure"), "contradiction": "no"}
STARS = {"one": "A", "two": "B"}
WORTH = {"minus": "good for nothing", "plus": "good"}


@pytest.mark.parametrize(
    ("answers", "reply", "label"),
    [
        (MOOD, "positive", 1),
        (MOOD, "  Positive.\n", 1),
        (MOOD, '**"BAD"**', 0),
        (MOOD, "The sentiment is negative, I think.", 0),
        (MOOD, "It is good, very good, even positive", 1),
        (MOOD, "positive or negative", None),
        (MOOD, "not positive", None),
        (MOOD, "It isn't really a good film", None),
        (MOOD, "never ever good", None),
        (MOOD, "non-negative", None),
        (MOOD, "Not bad at all! It is positive", None),
        (MOOD, "No: positive", 1),
        (MOOD, "It would not do. Positive", 1),
        (MOOD, "positively goodish badly", None),
        (MOOD, "", None),
        (MOOD, "I cannot say", None),
        (MOOD, "<think>is it bad? no, good</think> positive", 1),
        (MOOD, "<think>it could be bad", None),
        (NLI, "Not sure.", 1),
        (NLI, "no", 2),
        (NLI, "No, it does not follow", 2),
        (NLI, "I am not sure about it", 1),
        (NLI, "yes and no", None),
        (NLI, "Nobody knows", None),
        (STARS, "B", 1),
        (STARS, "The answer is B, as it has a point", 1),
        (STARS, "a", 0),
        (STARS, "it is a film", None),
        (WORTH, "It is good for nothing", 0),
        (WORTH, "It is good", 1),
        ({"a": "(1)", "b": "(2)"}, "(2)", 1),
        ({"a": "C++", "b": "C"}, "I would say C++", 0),
        ({"a": "US", "b": "us"}, "us", 1),
    ],
)
def test_which_label_is_named(answers, reply, label):
    assert said(reply, Vocabulary.of(Prompt("p", "{text}", answers))) == label


@given(st.text(max_size=60), st.sampled_from(["positive", "good", "negative", "bad"]))
def test_replies_that_name_nothing_or_two_say_nothing_wrong(noise, word):
    """Whatever stands around it, a reply never counts for a label that it does not name."""
    vocabulary = Vocabulary.of(Prompt("p", "{text}", MOOD))
    label = 0 if word in MOOD["minus"] else 1
    others = [other for other in MOOD["minus" if label else "plus"] if other in noise.casefold()]
    found = said(f"{noise} {word} {noise}", vocabulary)
    assert found in (None, label) or others
