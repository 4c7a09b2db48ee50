from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from taskspace.errors import PromptError
from taskspace.prompting.soft import SoftPrompt


def test_what_it_says_of_itself(make_prompt):
    prompt = make_prompt(m=3, width=4)
    assert (prompt.length, prompt.width) == (3, 4)
    assert prompt.tokens.dtype == np.float32
    assert prompt.weights == {"mnli": 1.0}
    assert repr(prompt) == "SoftPrompt('mnli', 3 x 4 input, on org/tiny)"
    assert np.asarray(prompt).tobytes() == prompt.tokens.tobytes()
    assert np.stack([prompt, prompt]).shape == (2, 3, 4)


def test_its_numbers_are_its_own():
    given = np.ones((2, 3), dtype=np.float32)
    prompt = SoftPrompt(given, init=given)
    given[:] = 7
    assert (prompt.tokens == 1).all()
    assert (prompt.init == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        prompt.tokens[0, 0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        prompt.name = "other"


def test_the_fingerprint_is_of_numbers_and_shape(make_prompt):
    prompt = make_prompt()
    assert prompt.fingerprint == dataclasses.replace(prompt, name="other", init=None).fingerprint
    assert prompt.fingerprint != SoftPrompt(prompt.tokens.reshape(4, 3)).fingerprint
    moved = prompt.tokens.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], np.float32(np.inf))
    assert prompt.fingerprint != SoftPrompt(moved).fingerprint


def test_report_by_hand():
    """P0 = (3, 4), tau = (0, 12): norms 5 and 12, and P = (3, 16)."""
    report = SoftPrompt(np.array([[3.0, 16.0]]), init=np.array([[3.0, 4.0]]), tasks=("a",), name="p").report()
    assert report["init_norm"] == 5
    assert report["vector_norm"] == 12
    assert report["ratio"] == 5 / 12
    assert math.isclose(report["norm"], math.sqrt(9 + 256))
    assert (report["length"], report["width"], report["tasks"], report["backbone"]) == (1, 2, ["a"], None)
    json.dumps(report, allow_nan=False)


def test_report_without_init_or_without_change():
    tokens = np.ones((2, 2))
    assert SoftPrompt(tokens).report()["ratio"] is None
    still = SoftPrompt(tokens, init=tokens).report()
    assert (still["init_norm"], still["vector_norm"], still["ratio"]) == (2.0, 0.0, None)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (np.ones(3), "shape"), (np.ones((2, 2, 2)), "shape"), (np.empty((0, 4)), "shape"), ([["a", "b"]], "no numbers"),
        ([[1.0], [1.0, 2.0]], "no numbers"), ([[np.nan, 1.0]], "NaN"), ([[np.inf, 1.0]], "NaN"),
        ([[1e39, 1.0]], "too large"), (None, "NaN|shape"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_numbers(tokens, said, one_sentence):
    with pytest.raises(PromptError, match=said) as caught:
        SoftPrompt(tokens)
    assert one_sentence(caught.value)


def test_what_does_not_go_together(make_prompt, backbone_of, one_sentence):
    prompt = make_prompt()
    for change, said in (
        ({"backbone": backbone_of(8)}, "4 wide and org/tiny is 8"),
        ({"init": np.ones((2, 4))}, r"\(3, 4\) and its init \(2, 4\)"),
        ({"init": np.full((3, 4), np.nan)}, "init of prompt 'mnli' holds NaN"),
        ({"layout": "suffix"}, "layout 'suffix'"),
        ({"weights": {"qnli": 1.0}}, "weights for"),
    ):
        with pytest.raises(PromptError, match=said) as caught:
            dataclasses.replace(prompt, **change)
        assert one_sentence(caught.value)


def test_a_prefix_is_wider_than_its_backbone(backbone_of):
    prefix = SoftPrompt(np.ones((2, 4 * 2 * 3)), backbone_of(4), layout="prefix")
    assert prefix.width == 24


def test_a_prompt_without_init_has_no_vector(one_sentence):
    with pytest.raises(PromptError, match="has no init") as caught:
        _ = SoftPrompt(np.ones((1, 2)), name="p").vector
    assert one_sentence(caught.value)
