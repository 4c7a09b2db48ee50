from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes, Numbers, Targets
from taskspace.task import Task
from taskspace.tuning._wordings import known_wording
from taskspace.tuning.examples import Verbaliser, labelled, number_of, plain, verbalised

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "tasks"
FILM = Task(["great film", "dull film"], ["positive", "negative"], name="sst2")
NLI = Task(["a dog runs", "a cat"], ["not entailment", "entailment"], ["it moves", "it sits"], name="RTE")
LONG = "Educational Institution of Higher Learning and of Research"


def real(name, split="train"):
    if not (SHARED / name).is_dir():
        pytest.skip(f"the shared task {name} is not there")
    return Task.from_file(SHARED / name, split=split)


# Built-in wordings


def test_known_task_in_t5_form():
    examples = verbalised(FILM)
    assert examples.inputs.texts == ("sst2 sentence: great film", "sst2 sentence: dull film")
    assert examples.inputs.pairs == (None, None)
    assert (examples.kind, examples.answers) == ("classes", ("negative", "positive"))
    assert examples.values.tolist() == [[0, 1], [1, 0]]


def test_pairs_and_published_label_words():
    examples = verbalised(NLI)
    assert examples.inputs.texts[0] == "rte sentence1: a dog runs sentence2: it moves"
    assert dict(zip(NLI.label_names, examples.answers, strict=True)) == {
        "entailment": "entailment",
        "not entailment": "not_entailment",
    }


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("yelp_polarity", "yelp_polarity sentence: X"),
        ("imdb", "imdb sentence: X"),
        ("sst5", "sst5 sentence: X"),
        ("cola", "cola sentence: X"),
        ("trec", "trec_coarse What is this question asking for: X"),
        ("ag_news", "ag_news What is the category for following text: X"),
        ("dbpedia_14", "dbpedia What is the category for following text: content: X"),
        ("my_task", "my_task sentence: X"),
        ("odd{text}{name}", "oddtextname sentence: X"),
    ],
)
def test_single_texts(name, begins):
    assert Verbaliser.of(Task(["X", "Y"], ["a", "b"], name=name)).ask("X") == begins


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("mnli", "mnli premise: X hypothesis: Y"),
        ("snli", "snli premise: X hypothesis: Y"),
        ("scitail", "scitail premise: X hypothesis: Y"),
        ("qnli", "qnli question: X sentence: Y"),
        ("rte", "rte sentence1: X sentence2: Y"),
        ("wnli", "wnli sentence1: X sentence2: Y"),
        ("qqp", "qqp question1: X question2: Y"),
        ("mrpc", "mrpc sentence1: X sentence2: Y"),
        ("stsb", "stsb sentence1: X sentence2: Y"),
        ("dbpedia", "dbpedia What is the category for following text: title: X content: Y"),
        ("yahoo_answers_topics", "yahoo What is the category for following text: title: X content: Y"),
        ("my_task", "my_task sentence1: X sentence2: Y"),
    ],
)
def test_pairs_of_texts(name, whole):
    assert Verbaliser.of(Task(["X", "Z"], ["a", "b"], ["Y", "Y"], name=name)).ask("X", "Y") == whole


@pytest.mark.parametrize("name", ["SST-2", "sst2", "Sst_2", "stanfordnlp/sst2", "nyu-mll/glue:sst2"])
def test_names_of_tasks_are_normalised(name):
    assert Verbaliser.of(Task(["a", "b"], ["0", "1"], name=name)).ask("a") == "sst2 sentence: a"


@pytest.mark.parametrize(
    ("name", "classes", "words"),
    [
        ("mrpc", ["not paraphrase", "paraphrase"], ["not_equivalent", "equivalent"]),
        ("qqp", ["Not Duplicate", "Duplicate"], ["not_duplicate", "duplicate"]),
        ("rte", ["0", "1"], ["entailment", "not_entailment"]),
        ("wnli", ["0", "1"], ["not_entailment", "entailment"]),
        ("scitail", ["entails", "neutral"], ["entailment", "neutral"]),
        ("trec", ["HUM", "LOC", "NUM"], ["Person", "Location", "Quantity"]),
        ("trec", ["human", "number"], ["Person", "Quantity"]),
        ("ag_news", ["science and technology", "world"], ["Sci/Tech", "World"]),
        ("dbpedia", ["EducationalInstitution", "means of transportation"],
         ["Educational Institution", "Mean Of Transportation"]),
        ("sst2", ["bad", "good"], ["bad", "good"]),  # none is known: all keep their names
        ("sst2", ["good", "negative"], ["good", "negative"]),  # one is known: likewise
        ("sst2", ["1", "2"], ["1", "2"]),  # codes of another numbering
        ("trec", ["human", "person"], ["human", "person"]),  # one word for both would tell nothing apart
        ("stsb", ["0", "1", "2"], ["0", "1", "2"]),
        ("my_task", ["very_good", "very_bad"], ["very good", "very bad"]),
        ("my_task", [LONG, "Village"], [LONG, "Village"]),
    ],
)  # fmt: skip
def test_label_words(name, classes, words):
    examples = verbalised(Task([f"text {c}" for c in classes], classes, name=name))
    said = {c: examples.answers[row.argmax()] for c, row in zip(classes, examples.values, strict=True)}
    assert said == dict(zip(classes, words, strict=True))


def test_instructions():
    asked = verbalised(NLI, Verbaliser.of(NLI, style="instruct"))
    assert asked.inputs.texts[0] == (
        "Classify the sentence1 and sentence2 pair into labels: entailment, not entailment. "
        "Reply only the corresponding label.\nsentence1: a dog runs\nsentence2: it moves\nlabel: "
    )
    assert asked.answers == ("entailment", "not entailment")
    assert Verbaliser.of(FILM, style="instruct").ask("so {bad}") == (
        "Classify the sentence into labels: negative, positive. "
        "Reply only the corresponding label.\nsentence: so {bad}\nlabel: "
    )


def test_instructions_for_numbers_and_free_text():
    rated = Task(["a", "b"], [0.5, 2.25], name="quality")
    assert Verbaliser.of(rated, style="instruct").ask("a") == (
        "Rate the sentence with a number. Reply only the number.\nsentence: a\nlabel: "
    )
    free = Task(["Name a colour.", "And a tree."], ["red", "oak"], kind="targets", name="chat")
    assert verbalised(free, Verbaliser.of(free, style="instruct")).inputs.texts == free.texts


def test_unknown_style(one_sentence):
    with pytest.raises(SettingError, match="style 'gpt' is not known") as caught:
        Verbaliser.of(FILM, style="gpt")
    assert one_sentence(caught.value)


# A user's own template and words


def test_own_template_and_words():
    words = {"positive": "yes", "negative": "no", "neutral": "maybe"}
    own = Verbaliser.of(FILM, template='{"q": "{text}", "or": "{labels}"}', words=words)
    examples = verbalised(FILM, own)
    assert examples.inputs.texts[0] == '{"q": "great film", "or": "no, yes"}'
    assert examples.answers == ("no", "yes")
    pair = Verbaliser.of(NLI, template="{text} => {text_pair}? {labels}")
    assert pair.ask("a", "b") == "a => b? entailment, not_entailment"


@given(st.text(), st.text(min_size=1))
def test_texts_with_braces_stay_as_they_are(text, second):
    both = Verbaliser(pair="<{text}|{text_pair}|{text}>")
    assert both.ask(text, second) == f"<{text}|{second}|{text}>"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"template": "{txt}"}, "the placeholder {txt}; it can hold {text}, {labels}"),
        ({"template": "{text} {text_pair} {label}"}, "{label}; it can hold {text}, {text_pair}, {labels}"),
        ({"template": "no text at all"}, "has no {text}"),
        ({"template": "only {text_pair}"}, "has no {text}"),
        ({"template": ""}, "the template is empty"),
        ({"words": {"positive": "good"}}, "no word for class 'negative'"),
        ({"words": {"positive": "good", "negativ": "bad"}}, "no word for class 'negative'; did you mean 'negativ'?"),
        ({"words": {}}, "no word for class 'negative'; give it one"),
        ({"words": {"positive": "same", "negative": " Same "}}, "'negative' and 'positive' have the same word 'same'"),
        ({"words": {"positive": "good", "negative": "  "}}, "the word for class 'negative' is empty"),
        ({"steps": 3}, "steps=3 cannot be written with decimals"),
        ({"steps": 0}, "steps=0 cannot be written"),
    ],
)
def test_what_a_template_cannot_be(options, says, one_sentence):
    with pytest.raises(SettingError) as caught:
        Verbaliser.of(FILM, **options)
    assert says in str(caught.value)
    assert one_sentence(caught.value)


def test_labels_without_words(one_sentence):
    free = Task(["a", "b"], ["x", "y"], kind="targets")
    with pytest.raises(SettingError, match="lists {labels}, but there are no label words") as caught:
        Verbaliser.of(free, template="{text} {labels}")
    assert one_sentence(caught.value)
    with pytest.raises(SettingError, match="are targets, which take no label words") as caught:
        Verbaliser.of(free, words={"x": "y"})
    assert one_sentence(caught.value)


def test_rows_that_do_not_fit_the_template(one_sentence):
    single, pair = Verbaliser.of(FILM, template="{text}"), Verbaliser.of(NLI, template="{text} {text_pair}")
    with pytest.raises(DataError, match=r"a row has two texts \('a dog runs'\), but the template is for one") as caught:
        verbalised(NLI, Verbaliser(single.template, answers=pair.answers))
    assert one_sentence(caught.value)
    with pytest.raises(DataError, match="a row has one text") as caught:
        verbalised(FILM, Verbaliser(pair=pair.pair, answers=single.answers))
    assert one_sentence(caught.value)


def test_default_words_that_coincide(one_sentence):
    with pytest.raises(SettingError, match="classes 'a b' and 'a_b' have the same word") as caught:
        plain(Task(["x", "y"], ["a b", "a_b"]))
    assert one_sentence(caught.value)


def test_one_verbaliser_serves_training_and_test_whatever_their_codes():
    test = Task(["ok"], Classes(np.array([0]), ("positive", "negative")), name="other name")
    examples = verbalised(test, Verbaliser.of(FILM))
    assert examples.inputs.texts == ("sst2 sentence: ok",)
    assert examples.answers == ("positive", "negative")
    assert examples.values.tolist() == [[1, 0]]
    with pytest.raises(SettingError, match="no word for class 'neutral'"):
        verbalised(Task(["a", "b"], ["neutral", "positive"]), Verbaliser.of(FILM))


def test_values_are_equal_by_content():
    assert Verbaliser.of(FILM) == Verbaliser.of(FILM)
    assert Verbaliser.of(FILM) != Verbaliser.of(FILM, style="instruct")
    assert hash(Verbaliser.of(FILM)) == hash(Verbaliser.of(FILM))


# What was answered


# Numbers


def test_stsb_targets_by_hand():
    scores = [0.0, 0.09, 0.3, 1.2, 2.5, 2.67, 3.75, 4.99, 5.0]
    rated = Task([f"{s}" for s in scores], scores, ["x"] * 9, name="stsb", kind="numbers")
    examples = verbalised(rated)
    # round(5 x) / 5; 5 * 0.3 and 5 * 2.5 lie half-way and go to the even step
    assert examples.targets == ("0.0", "0.0", "0.4", "1.2", "2.4", "2.6", "3.8", "5.0", "5.0")
    assert (examples.kind, examples.values.shape) == ("targets", (9, 0))
    assert examples.answers == tuple(f"{whole}.{tenth}" for whole in range(5) for tenth in range(0, 10, 2)) + ("5.0",)
    assert examples.inputs.texts[3] == "stsb sentence1: 1.2 sentence2: x"


@given(st.floats(-1e6, 1e6))
def test_written_numbers_are_read_back_to_the_nearest_step(number):
    own = Verbaliser()
    assert abs(number_of(own.written(number)) - number) <= 0.1 + 1e-9 * abs(number)
    assert own.written(number_of(own.written(number))) == own.written(number)


@pytest.mark.parametrize(
    ("steps", "number", "text"),
    [(1, 2.6, "3"), (2, 0.3, "0.5"), (4, 0.3, "0.25"), (10, -0.04, "0.0"), (100, 1, "1.00")],
)
def test_steps(steps, number, text):
    assert Verbaliser(steps=steps).written(number) == text


@pytest.mark.parametrize("said", ["", "five", "1.2.3", "nan", "inf", "9" * 400])
def test_what_is_no_number(said):
    assert number_of(said) == -1.0
    assert number_of(said, otherwise=2.5) == 2.5


def test_other_numbers_may_be_anything():
    examples = verbalised(Task(["a", "b", "c"], [7.9, -3.1, None], name="temperature", kind="numbers"))
    assert (examples.targets, examples.answers) == (("8.0", "-3.2"), ())
    assert examples.inputs.texts == ("temperature sentence: a", "temperature sentence: b")


def test_a_number_that_cannot_be_said(one_sentence):
    with pytest.raises(
        DataError, match=r"written '7\.4', which is not among the answers from '0\.0' to '5\.0'"
    ) as caught:
        verbalised(Task(["a", "b"], [7.4, 1.5], name="stsb"))
    assert one_sentence(caught.value)


# Kinds, and labels that are missing


def test_plain_examples_keep_the_texts():
    examples = plain(NLI)
    assert (examples.inputs, examples.kind) == (NLI.inputs, "classes")
    assert examples.answers == ("entailment", "not entailment")
    assert plain(FILM, {"positive": "great", "negative": "terrible"}).answers == ("terrible", "great")


def test_plain_numbers_and_targets():
    numbers = plain(Task(["a", "b"], Numbers(np.array([0.25, 3.0]))))
    assert (numbers.kind, numbers.values.tolist(), numbers.answers) == ("numbers", [[0.25], [3.0]], ())
    free = Task(["q", "r", "s"], Targets(("one_two", None, "")), name="qa")
    assert plain(free).targets == ("one_two", "")
    assert plain(free).values.shape == (2, 0)
    assert verbalised(free).inputs.texts == ("qa sentence: q", "qa sentence: s")
    assert verbalised(free).targets == ("one_two", "")


def test_rows_without_a_label_are_left_out():
    task = Task(["a", "b", "c", "d"], ["x", None, "y", ""], name="t")
    assert verbalised(task).inputs.texts == ("t sentence: a", "t sentence: c")
    assert verbalised(task).values.tolist() == [[1, 0], [0, 1]]
    assert labelled(task).texts == ("a", "c")
    assert labelled(FILM) is FILM


@pytest.mark.parametrize("labels", [None, [None, None]])
def test_no_labels_at_all(labels, one_sentence):
    with pytest.raises(DataError, match="task 'task' has no labels") as caught:
        verbalised(Task(["a", "b"], labels))
    assert one_sentence(caught.value)


@given(st.lists(st.sampled_from(["a", "b_c", "d", None]), min_size=1).filter(any))
def test_each_row_has_its_own_word(labels):
    task = Task([f"{i}" for i in range(len(labels))], labels, name="t")
    examples = verbalised(task)
    said = [examples.answers[row.argmax()] for row in examples.values]
    assert said == [label.replace("_", " ") for label in labels if label]
    assert examples.values.sum(axis=1).tolist() == [1.0] * len(said)
    assert examples.take(np.arange(len(said))).inputs == examples.inputs


# Real tasks


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sst2", "negative positive"),
        ("imdb", "negative positive"),
        ("rte", "entailment not_entailment"),
        ("wnli", "entailment not_entailment"),
        ("qqp", "not_duplicate duplicate"),
        ("mrpc", "not_equivalent equivalent"),
        ("cola", "unacceptable acceptable"),
        ("snli", "entailment neutral contradiction"),
        ("trec", "Abbreviation Description Entity Person Location Quantity"),
        ("ag_news", "World Sports Business Sci/Tech"),
    ],
)
def test_real_tasks_have_the_published_words(name, words):
    task = real(name, "test")
    examples = verbalised(task)
    assert len(examples) == len(task)
    assert examples.answers == tuple(words.split())
    assert all(text in asked for text, asked in zip(task.texts, examples.inputs.texts, strict=True))


def test_real_classes_with_long_names():
    assert "Educational Institution" in verbalised(real("dbpedia", "test")).answers
    banking = real("banking77", "test")
    assert plain(banking).answers == banking.label_names
    assert max(map(len, banking.label_names)) > 40


# The shared tasks


def test_every_named_task_loads_its_own_data():
    if not SHARED.is_dir():
        pytest.skip("the shared tasks are not there")
    listed = {each["name"]: each for each in json.loads((SHARED / "index.json").read_text(encoding="utf-8"))["tasks"]}
    named = [name for name in sorted(listed) if known_wording(name) and (SHARED / name).is_dir()]
    assert len(named) > 5
    tasks = {name: real(name) for name in named}
    assert len({task.inputs.digests for task in tasks.values()}) == len(named)
    for name, task in tasks.items():
        assert len(task.label_names) == (listed[name].get("n_classes") or 0), name
        assert len(known_wording(name).words or task.label_names) == len(task.label_names), name


@pytest.mark.parametrize("label", [float("inf"), 1e300])
def test_a_number_that_cannot_be_learned_is_refused(label, one_sentence):
    with pytest.raises(DataError, match="too large") as error:
        plain(Task(["a", "b"], Numbers(np.array([1.0, label])), name="n"))
    assert one_sentence(error.value)
