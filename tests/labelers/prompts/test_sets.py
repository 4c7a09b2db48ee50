"""The packaged prompt sets: sound, original to this package, and as varied as they say."""

import json
import re
from pathlib import Path

import pytest

from taskspace.labelers.prompts import builtin_sets, read_prompts

LABELS = {
    "nli": ("entailment", "neutral", "contradiction"),
    "sentiment": ("negative", "positive"),
    "topic": ("world", "sports", "business", "science and technology"),
}
PROMPTS = [(name, prompt) for name in LABELS for prompt in read_prompts(name).prompts]

each_set = pytest.mark.parametrize("name", LABELS)
each_prompt = pytest.mark.parametrize(("name", "prompt"), PROMPTS, ids=[f"{n}-{p.name}" for n, p in PROMPTS])


def test_the_sets_are_these():
    assert builtin_sets() == tuple(LABELS)


@each_prompt
def test_every_prompt_fills(name, prompt):
    text, pair = "A {text} of {labels}.", "Another {text_pair}."
    filled = prompt.question(text, pair)
    assert prompt.labels == LABELS[name]
    assert prompt.reads == ("pairs" if name == "nli" else "texts")
    assert filled.count(text) == 1
    assert filled.count(pair) == (name == "nli")
    assert not re.search(r"\{(text|text_pair|labels)\}", prompt.question("", ""))
    assert "{" not in prompt.question("", ""), "a misspelt slot"
    assert filled == filled.rstrip(), "white space at the end would belong to the answer"
    assert len(prompt.shown()) == len(prompt.examples)


@each_prompt
def test_answers_that_begin_with_each_other_are_told_apart_by_their_end(name, prompt):
    words = prompt.strings
    nested = [(a, b) for a in words for b in words if a != b and b.startswith(a)]
    assert prompt.with_end or not nested


@each_set
def test_a_set_is_large_and_varied(name):
    prompts = read_prompts(name).prompts
    assert len(prompts) >= 12
    assert len({" ".join(prompt.template.casefold().split()) + str(prompt.answers) for prompt in prompts}) == len(
        prompts
    )
    assert len({tuple(prompt.answers.items()) for prompt in prompts}) >= 4, "vocabularies"
    assert any(len(words) > 1 for prompt in prompts for words in prompt.answers.values())
    assert any(" " in word for prompt in prompts for word in prompt.strings)
    assert any(prompt.with_end for prompt in prompts)
    assert any(prompt.examples for prompt in prompts)


@each_set
def test_a_set_has_prompts_that_cannot_work_and_says_so(name):
    notes = [prompt.note for prompt in read_prompts(name).prompts]
    doubtful = [note for note in notes if re.match("(contradictory|ambiguous): ", note)]
    assert len(doubtful) >= 3
    assert {note.partition(":")[0] for note in doubtful} == {"contradictory", "ambiguous"}
    assert len(notes) - len(doubtful) >= 12


def test_most_topic_templates_serve_other_labels():
    prompts = read_prompts("topic").prompts
    listed = [prompt for prompt in prompts if "{labels}" in prompt.template]
    assert len(listed) > len(prompts) / 2
    for prompt in listed:
        assert "spam or ham" in type(prompt)("x", prompt.template, {"spam": "spam", "ham": "ham"}).question("hello")


def test_the_topic_labels_are_those_of_the_news_data():
    card = Path(__file__).parents[3] / ".." / "shared" / "data" / "tasks" / "ag_news" / "task.json"
    if not card.exists():
        pytest.skip("the shared data sets are not beside this repository")
    assert LABELS["topic"] == tuple(json.loads(card.read_text(encoding="utf-8"))["label_names"])
