from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import SettingError
from taskspace.labelers.prompts import Example, Prompt

ANSWERS = {"good": ("fine", "great"), "bad": ("poor",), "mixed": "so so"}


@pytest.fixture
def prompt():
    return Prompt("plain", "{text}\nVerdict:", ANSWERS)


def test_labels_and_strings_keep_the_order_in_which_they_were_given(prompt):
    assert prompt.labels == ("good", "bad", "mixed")
    assert prompt.strings == ("fine", "great", "poor", "so so")
    assert prompt.answers["mixed"] == ("so so",)


def test_the_template_says_what_is_read(prompt):
    assert prompt.reads == "texts"
    assert replace(prompt, template="{text} {text_pair}").reads == "pairs"


def test_slots_are_filled_and_other_braces_are_text():
    prompt = Prompt("b", '{"in": "{text}", "and": "{text_pair}", "out": {x} {{y}} {labels}}', ANSWERS)
    filled = prompt.question("one", "two")
    assert filled == '{"in": "one", "and": "two", "out": {x} {{y}} fine, poor or so so}'


@given(st.text(), st.text())
def test_texts_that_look_like_slots_stay_as_they_are(text, pair):
    prompt = Prompt("b", "<{text}|{text_pair}>", ANSWERS)
    assert prompt.question(text, pair) == f"<{text}|{pair}>"
    assert prompt.question("{text_pair} {labels} {text}", "{text}") == "<{text_pair} {labels} {text}|{text}>"


def test_two_labels_are_listed_without_a_comma():
    assert Prompt("p", "{text}", {"a": ["yes", "sure"], "b": ["no"]}).choices == "yes or no"


def test_examples_are_shown_with_their_labels_first_answer():
    shown = Prompt("p", "T: {text}", ANSWERS, examples=(Example("nice", "good"), Example("meh", "mixed"))).shown()
    assert shown == (("T: nice", "fine"), ("T: meh", "so so"))


def test_the_key_leaves_out_what_asks_the_model_nothing_else(prompt):
    for same in ({"name": "x"}, {"note": "x"}, {"words": "max"}, {"length": "token"}, {"reasoning_tokens": 7}):
        assert replace(prompt, **same).key == prompt.key, same
    assert replace(prompt, conclusion="Hence").key == prompt.key, "there is no reasoning to conclude"


@pytest.mark.parametrize(
    "other",
    [
        {"template": "{text}\nverdict:"}, {"answers": {"good": ("fine",), "bad": ("poor",)}}, {"chat": True},
        {"system": "Be brief."}, {"examples": (Example("a", "bad"),)}, {"separator": "\n"}, {"with_end": True},
        {"reasoning": "Think."}, {"answers": dict(reversed(ANSWERS.items()))},
    ],
)  # fmt: skip
def test_the_key_covers_whatever_changes_what_is_asked(prompt, other):
    assert replace(prompt, **other).key != prompt.key


def test_with_reasoning_its_length_and_conclusion_count(prompt):
    thinking = replace(prompt, reasoning="Think.")
    assert replace(thinking, reasoning_tokens=7).key != thinking.key
    assert replace(thinking, conclusion="Hence").key != thinking.key


def test_a_lone_surrogate_has_a_key_too(prompt):
    assert replace(prompt, system="\ud800").key != prompt.key


def test_prompts_are_values(prompt):
    assert prompt == Prompt("plain", "{text}\nVerdict:", ANSWERS, note="another note")
    assert len({prompt, replace(prompt), replace(prompt, chat=True)}) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": " "}, "name"),
        ({"template": "no slot"}, "{text}"),
        ({"template": "{text_pair}"}, "{text}"),
        ({"answers": {}}, "0 labels"),
        ({"answers": {"good": ("fine",)}}, "1 labels"),
        ({"answers": {"good": ("fine",), "bad": ()}}, "'bad'"),
        ({"answers": {"good": ("fine",), "bad": ("poor", " ")}}, "'bad'"),
        ({"answers": {"good": ("fine",), "bad": ("poor", " fine")}}, "'fine'"),
        ({"examples": (Example("a", "other"),)}, "'other'"),
        ({"template": "{text} {text_pair}", "examples": (Example("a", "good"),)}, "text_pair"),
        ({"words": "mean"}, "mean"),
        ({"length": "char"}, "char"),
        ({"reasoning_tokens": 0}, "0 tokens"),
    ],
)
def test_an_unsound_prompt_says_what_is_wrong(prompt, wrong, says, one_sentence):
    with pytest.raises(SettingError) as caught:
        replace(prompt, **wrong)
    assert says in str(caught.value)
    assert one_sentence(caught.value)
