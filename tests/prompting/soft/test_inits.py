from __future__ import annotations

import json

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft import SoftPrompt, inits

TABLE = np.random.default_rng(5).standard_normal((200, 6)).astype(np.float32)


class Words:
    """Each word one token, "red" the first; "reddish" is two."""

    numbers = {"red": [0], "green": [1], "blue": [2], "reddish": [0, 9]}

    def __call__(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [n for word in text.split() for n in self.numbers[word]]}


def test_vocabulary_rows_are_distinct_and_among_the_first():
    start = inits.vocabulary(TABLE, 50, 7, first=60)
    ids = start.provenance["start"]["ids"]
    assert len(set(ids)) == 50
    assert max(ids) < 60
    np.testing.assert_array_equal(start.tokens, TABLE[ids])
    assert inits.vocabulary(TABLE, 200, 7).length == 200


def test_equal_arguments_equal_bytes_and_other_seeds_others(backbone_of):
    words = Words()
    for make in (
        lambda seed: inits.vocabulary(TABLE, 5, seed),
        lambda seed: inits.random_normal(TABLE, 5, seed),
        lambda seed: inits.class_words(TABLE, 5, words, ["red", "blue"], seed),
    ):
        assert make(1).fingerprint == make(1).fingerprint != make(2).fingerprint


def test_each_is_an_init_of_no_task(backbone_of):
    words, backbone = Words(), backbone_of(6)
    for start in (
        inits.vocabulary(TABLE, 5, 1, backbone=backbone), inits.from_text(TABLE, 5, words, "red", backbone=backbone),
        inits.class_words(TABLE, 5, words, ["red"], 1, backbone=backbone),
        inits.random_normal(TABLE, 5, 1, backbone=backbone),
    ):  # fmt: skip
        assert start.backbone == backbone
        assert start.tasks == ()
        assert start.vector.norm == 0
        assert inits.from_prompt(start).fingerprint == start.fingerprint
        json.dumps(dict(start.provenance))


def test_every_row_can_be_drawn():
    drawn = {n for seed in range(60) for n in inits.vocabulary(TABLE, 2, seed, 10).provenance["start"]["ids"]}
    assert drawn == set(range(10))


@pytest.mark.parametrize(("m", "first"), [(0, 5000), (201, 5000), (11, 10), (-1, 5000)])
def test_more_rows_than_there_are(m, first, one_sentence):
    with pytest.raises(SettingError, match="distinct rows") as caught:
        inits.vocabulary(TABLE, m, 0, first)
    assert one_sentence(caught.value)


def test_a_text_is_repeated_or_cut():
    assert inits.from_text(TABLE, 5, Words(), "red green").provenance["start"]["ids"] == [0, 1, 0, 1, 0]
    np.testing.assert_array_equal(inits.from_text(TABLE, 1, Words(), "green red").tokens, TABLE[[1]])


def test_class_words_then_vocabulary():
    start = inits.class_words(TABLE, 5, Words(), ["reddish", "blue"], 3)
    np.testing.assert_allclose(start.tokens[0], (TABLE[0] + TABLE[9]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(start.tokens[1], TABLE[2])
    np.testing.assert_array_equal(start.tokens[2:], inits.vocabulary(TABLE, 3, 3).tokens)
    assert inits.class_words(TABLE, 2, Words(), ["red", "blue"], 3).tokens.tolist() == TABLE[[0, 2]].tolist()


def test_normal_numbers_are_as_wide_as_the_table():
    table = TABLE * np.arange(1, 7, dtype=np.float32) + 10
    tokens = inits.random_normal(table, 20000, 0).tokens
    np.testing.assert_allclose(tokens.std(axis=0), table.std(axis=0), rtol=0.03)
    np.testing.assert_allclose(tokens.mean(axis=0), table.mean(axis=0), rtol=0.02)
    narrow = inits.random_normal(TABLE, 20000, 0, std=0.02).tokens
    np.testing.assert_allclose(narrow.std(axis=0), 0.02, rtol=0.03)
    assert abs(narrow.mean()) < 1e-3


def test_another_prompt_cut(make_prompt):
    prompt = make_prompt("sst2", m=3)
    start = inits.from_prompt(prompt, 2)
    np.testing.assert_array_equal(start.tokens, prompt.tokens[:2])
    assert start.tasks == ()
    assert start.backbone == prompt.backbone
    assert start.provenance["start"]["tasks"] == ["sst2"]


@pytest.mark.parametrize("act", [
    lambda: inits.from_text(TABLE, 5, Words(), ""), lambda: inits.from_text(TABLE, 0, Words(), "red"),
    lambda: inits.class_words(TABLE, 1, Words(), ["red", "blue"], 0),
    lambda: inits.class_words(TABLE, 5, Words(), [], 0),
    lambda: inits.random_normal(TABLE, 0, 0), lambda: inits.random_normal(TABLE, 1, 0, std=-1.0),
    lambda: inits.from_prompt(inits.vocabulary(TABLE, 3, 0), 4),
])  # fmt: skip
def test_settings_that_cannot_be(act, one_sentence):
    with pytest.raises(SettingError) as caught:
        act()
    assert one_sentence(caught.value)


def test_a_backbone_of_another_width(backbone_of):
    with pytest.raises(PromptError, match="another backbone"):
        inits.vocabulary(TABLE, 3, 0, backbone=backbone_of(8))


def test_a_start_keeps_what_its_prompt_said_and_does_not_grow_along_a_chain():
    begun = inits.vocabulary(TABLE, 2, 3, 10)
    made = SoftPrompt(
        begun.tokens + 1, None, "made", begun.tokens, ("a",), {"recipe": {"rate": 0.1}, "start": {"x": 1}}
    )
    assert inits.from_prompt(begun).provenance["start"]["of"] == begun.provenance["start"]
    assert inits.from_prompt(made).provenance["start"]["of"] == {"recipe": {"rate": 0.1}}
    sizes, prompt = [], made
    for _ in range(5):
        start = inits.from_prompt(prompt.vector.apply(begun))
        sizes.append(len(str(dict(start.provenance))))
        about = {"recipe": {"rate": 0.1}, "start": dict(start.provenance["start"])}
        prompt = SoftPrompt(start.tokens + 1, None, "made", start.tokens, ("a",), about)
    assert len(set(sizes[1:])) == 1
