from __future__ import annotations

import pytest

from taskspace.data.columns import Columns, choose, choose_texts
from taskspace.errors import DataError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["text", "label"], ("text", None, "label")),
        (["label", "sentence", "idx"], ("sentence", None, "label")),
        (["sentence1", "sentence2", "label"], ("sentence1", "sentence2", "label")),
        (["premise", "hypothesis", "gold_label"], ("premise", "hypothesis", "gold_label")),
        (["id", "question1", "question2", "is_duplicate"], ("question1", "question2", "is_duplicate")),
        (["question", "sentence", "label"], ("question", "sentence", "label")),
        (["question", "category"], ("question", None, "category")),
        (["text", "text_pair", "label", "label_name"], ("text", "text_pair", "label_name")),
        (["text", "sentence1", "sentence2", "y"], ("text", None, "y")),
        (["Review", "Sentiment"], ("Review", None, "Sentiment")),
        (["Text Pair", "Text", "Label"], ("Text", "Text Pair", "Label")),
        (["title", "content", "class"], ("content", None, "class")),
        (["tweet", "intent"], ("tweet", None, "intent")),
        (["title", "target"], ("title", None, "target")),
        (["text", "score"], ("text", None, "score")),
    ],
)
def test_usual_names_are_guessed(columns, expected):
    assert choose("f", columns) == Columns(*expected)


def test_text_said_alone_means_one_text_per_row():
    assert choose("f", ["premise", "hypothesis", "label"], text="hypothesis") == Columns("hypothesis", None, "label")


def test_a_pair_said_alone_finds_its_partner():
    assert choose_texts("f", ["question", "passage", "sentence"], text_pair="passage") == Columns("question", "passage")
    assert choose_texts("f", ["text", "other"], text_pair="other") == Columns("text", "other")


def test_numbers_prefer_scores_and_target_texts_count_only_when_said():
    assert choose("f", ["text", "label_name", "score"], kind="numbers").label == "score"
    assert choose("f", ["text", "label", "summary"], kind="targets").label == "summary"
    with pytest.raises(DataError, match="usual name for labels; it has 'text', 'summary'"):
        choose("f", ["text", "summary"])


def test_said_names_win_over_guesses():
    assert choose("f", ["text", "label", "mood", "body"], text="body", label="mood") == Columns("body", None, "mood")


def test_missing_label_names_the_columns_and_the_option():
    with pytest.raises(DataError, match=r"f\.csv .*it has 'text', 'mood', say which with label= \(--label\)"):
        choose("f.csv", ["text", "mood"])


def test_missing_text_names_the_columns_and_the_option():
    with pytest.raises(DataError, match=r"for texts; it has 'a', 'label', say which with text= \(--text\)"):
        choose("f.csv", ["a", "label"])


@pytest.mark.parametrize(
    ("said", "flag"),
    [({"text": "txet"}, "--text"), ({"text_pair": "pear"}, "--text-pair"), ({"label": "lable"}, "--label")],
)
def test_a_said_name_that_is_not_there_gets_a_suggestion(said, flag):
    with pytest.raises(DataError, match=rf"has no column '{next(iter(said.values()))}' for {flag}; did you mean"):
        choose("f", ["text", "pair", "label"], **said)


def test_text_cannot_be_the_label():
    with pytest.raises(DataError, match="cannot be both"):
        choose("f", ["text", "label"], label="text")


def test_many_columns_are_not_all_listed():
    with pytest.raises(DataError, match="and 88 more"):
        choose("f", [f"c{i}" for i in range(100)])
