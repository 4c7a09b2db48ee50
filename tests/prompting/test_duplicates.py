"""Prompts that are one prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.labelers.prompts import Prompt
from taskspace.prompting._duplicates import alike, same_words

ONE = Prompt("one", "Is it good?\n{text}", {"no": ("no",), "yes": ("yes", "sure")})


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"template": "  is it GOOD? {text}\n"}, True),
        ({"answers": {"no": ("No ",), "yes": ("Yes", "sure")}}, True),
        ({"words": "max"}, True),
        ({"template": "Is it bad? {text}"}, False),
        ({"answers": {"no": ("no",), "yes": ("yes",)}}, False),
        ({"chat": True}, False),
        ({"reasoning": "Think."}, False),
    ],
)
def test_spaces_and_case_make_no_other_prompt(other, same):
    prompts = [ONE, replace(ONE, name="other", **other)]
    assert same_words(prompts) == ([0, 0] if same else [0, 1])


def test_answers_tell_prompts_alike_that_words_do_not():
    prompts = [ONE] + [replace(ONE, name=name, template=f"{name}? {{text}}") for name in ("twin", "near", "far")]
    base = np.array([[0.2, 0.8], [0.6, 0.4]])
    probs = np.stack([base, base, base + [[0.004, -0.004], [0.004, -0.004]], base[::-1]])
    found = alike(prompts, probs, np.ones((4, 2), dtype=bool))
    assert [(a.kept, a.other, a.same_words) for a in found] == [("one", "twin", False), ("one", "near", False)]
    assert [a.distance for a in found] == pytest.approx([0.0, 0.004])


def test_only_rows_that_both_answered_count():
    prompts = [ONE, replace(ONE, name="other", template="Well? {text}")]
    probs = np.array([[[0.5, 0.5], [0.1, 0.9]], [[0.5, 0.5], [0.0, 0.0]]])
    known = np.array([[True, True], [True, False]])
    assert [a.distance for a in alike(prompts, probs, known)] == [0.0]
    assert not alike(prompts, probs, np.array([[True, False], [False, True]]))


def test_equal_words_are_told_whatever_was_answered():
    prompts = [ONE, replace(ONE, name="far", template="Well? {text}"), replace(ONE, name="again")]
    probs = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])  # a server that is not deterministic
    (found,) = alike(prompts, probs, np.ones((3, 1), dtype=bool))
    assert (found.kept, found.other, found.same_words, found.distance) == ("one", "again", True, 1.0)
