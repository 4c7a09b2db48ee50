"""Prompts that are one prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.labelers.prompts import ClassScores, Prompt
from taskspace.prompting.choosing import gather_readings
from taskspace.prompting.choosing._duplicates import alike
from taskspace.task import Inputs

ONE = Prompt("one", "Is it good?\n{text}", {"no": ("no",), "yes": ("yes", "sure")})
OTHER = replace(ONE, name="other", template="Well? {text}")


def readings(prompts, probs, known=None):
    known = np.ones(np.shape(probs)[:2], dtype=bool) if known is None else np.array(known)
    with np.errstate(divide="ignore"):
        scores = [
            ClassScores(np.log(p), k, True, np.full(len(k), np.nan))
            for p, k in zip(np.array(probs, dtype=float), known, strict=True)
        ]
    inputs = Inputs.of([f"text {row}" for row in range(known.shape[1])])
    return gather_readings(prompts, scores, inputs, model="m", fingerprint="f")


def test_answers_tell_prompts_alike_that_words_do_not():
    prompts = [ONE] + [replace(OTHER, name=name, template=f"{name}? {{text}}") for name in ("twin", "near", "far")]
    base = np.array([[0.2, 0.8], [0.6, 0.4]])
    found = alike(readings(prompts, [base, base, base + [[0.004, -0.004], [0.004, -0.004]], base[::-1]]))
    assert [(a.kept, a.other, a.same_words) for a in found] == [("one", "twin", False), ("one", "near", False)]
    assert [a.distance for a in found] == pytest.approx([0.0, 0.004])


def test_only_rows_that_both_answered_count():
    probs = [[[0.5, 0.5], [0.1, 0.9]], [[0.5, 0.5], [0.9, 0.1]]]
    (found,) = alike(readings([ONE, OTHER], probs, [[True, True], [True, False]]))
    assert found.distance == pytest.approx(0)
    assert not alike(readings([ONE, OTHER], probs, [[False, True], [True, False]]))


def test_equal_words_are_told_whatever_was_answered():
    again = replace(ONE, name="again", template=" is it GOOD? {text}")
    probs = [[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]]  # a server that is not deterministic
    (found,) = alike(readings([ONE, OTHER, again], probs))
    assert (found.kept, found.other, found.same_words, found.distance) == ("one", "again", True, 1.0)
