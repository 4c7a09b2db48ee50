from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError, MissingExtra, SettingError
from taskspace.task import Task
from taskspace.tuning.metrics import (
    METRICS,
    accuracy,
    best_metric_for,
    exact_match,
    f1,
    macro_f1,
    matthews,
    metric_named,
    pearson,
    qa_exact_match,
    qa_f1,
    rouge_l,
    spearman,
    squad_words,
)

CLASSES = st.sampled_from(["red", "green", "a very long name of a class", "a very long name of a clasp"])
ROWS = st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=30)
NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 2))
WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat"]), max_size=7)


# Classes


def test_classes_by_hand():
    truth, said = list("aaabbc"), list("aabbca")
    assert accuracy(truth, said) == 0.5
    # a: 2 right of 3 and 3; b: 1 of 2 and 2; c: 0
    assert macro_f1(truth, said) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert f1(truth, said, positive="a") == pytest.approx(2 / 3)
    assert f1(truth, said, positive="c") == 0.0
    # two classes: (tp tn - fp fn) / sqrt(...) = (2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2)
    assert matthews(list("aaabb"), list("aabab")) == pytest.approx(1 / 6)


@given(ROWS)
def test_classes_as_scikit_learn(rows):
    truth, said = map(list, zip(*rows, strict=True))
    assert accuracy(truth, said) == pytest.approx(sklearn.metrics.accuracy_score(truth, said))
    reference = sklearn.metrics.f1_score(truth, said, average="macro", zero_division=0.0)
    assert macro_f1(truth, said) == pytest.approx(reference)
    if len({*truth, *said}) > 1:
        assert matthews(truth, said) == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, said), abs=1e-12)
        reference = sklearn.metrics.f1_score(truth, said, labels=["red"], average="macro", zero_division=0.0)
        assert f1(truth, said, positive="red") == pytest.approx(reference)


@given(ROWS)
def test_names_of_classes_do_not_count(rows):
    truth, said = zip(*rows, strict=True)
    code = {"red": 3, "green": 0, "a very long name of a class": 2, "a very long name of a clasp": 1}
    for metric in (accuracy, macro_f1, matthews):
        coded = metric(np.array([code[t] for t in truth]), np.array([code[s] for s in said]))
        assert metric(truth, said) == pytest.approx(coded, abs=1e-12)


def test_long_names_are_never_cut():
    truth = ["Educational Institution", "Educational Institute", "x\0", "x"]
    assert accuracy(truth, truth[1::-1] + truth[:1:-1]) == 0.0
    assert macro_f1(truth, truth[1::-1] + truth[:1:-1]) == 0.0
    assert macro_f1(truth, truth) == matthews(truth, truth) == 1.0


def test_no_answer_is_wrong_for_its_own_class_alone():
    truth, said = list("aabb"), ["a", None, "b", None]
    assert accuracy(truth, said) == 0.5
    # precision 1 and recall 1/2 for both; nothing is a third class
    assert macro_f1(truth, said) == pytest.approx(2 / 3)
    assert f1(truth, said, positive="a") == pytest.approx(2 / 3)
    assert macro_f1(truth, [None] * 4) == matthews(truth, [None] * 4) == 0.0
    # as a class of its own for Matthews, since each answer must be something
    assert matthews(truth, said) == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, ["a", "-", "b", "-"]))


@pytest.mark.parametrize(("truth", "said"), [("aabb", "aaaa"), ("aaaa", "aabb"), ("aaaa", "aaaa"), ("a", "a")])
def test_constant_classes_have_no_correlation(truth, said):
    assert matthews(truth, said) == 0.0


# Numbers


def test_numbers_by_hand():
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    # deviations (-1, 0, 1) and (-1, 1, 0): 1 / 2
    assert pearson([1, 2, 3], [0, 2, 1]) == pytest.approx(0.5)
    assert spearman([1, 2, 3], [1, 100, 50]) == pytest.approx(0.5)
    assert spearman([1, 2, 3], [1, 10, 1000]) == pytest.approx(1)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=30))
def test_numbers_as_scipy(rows):
    truth, said = map(list, zip(*rows, strict=True))
    if min(len(set(truth)), len(set(said))) < 2:
        assert pearson(truth, said) == spearman(truth, said) == 0.0
    else:
        assert pearson(truth, said) == pytest.approx(scipy.stats.pearsonr(truth, said).statistic, abs=1e-9)
        assert spearman(truth, said) == pytest.approx(scipy.stats.spearmanr(truth, said).statistic, abs=1e-9)


@pytest.mark.parametrize("said", [[2, 2, 2], [0, 0, 0], [1, 1, 1 + 1e-16]])
def test_constant_numbers_have_no_correlation(said):
    for metric in (pearson, spearman):
        assert metric([1, 2, 3], said) == metric(said, [1, 2, 3]) == 0.0
    assert pearson([1], [2]) == spearman([1], [2]) == 0.0


def test_numbers_that_a_model_might_write():
    """Nearly constant, or far too large: a value, and no warning."""
    assert abs(pearson([1, 2, 4], [3, 3 + 1e-14, 3])) <= 1
    assert pearson([1.0, 2.0, 3.0], [1e308, -1e308, 1e308]) == pytest.approx(0, abs=1e-12)
    assert spearman([1.0, 2.0, 3.0], [1e-300, 2.0, 1e308]) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_numbers_that_are_none(wrong, one_sentence):
    with pytest.raises(DataError, match="hold NaN or infinity") as caught:
        pearson([1, 2, 3], [1, wrong, 2])
    assert one_sentence(caught.value)


# Texts


def test_exact_match():
    assert exact_match(["yes", "no ", "Yes"], ["yes\n", "no", "yes"]) == pytest.approx(2 / 3)
    assert exact_match([("a", "b"), ["c"]], ["b", "d"]) == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The  cat's mat.", ["cats", "mat"]),
        ("An apple a day", ["apple", "day"]),
        ("theatre and anthem", ["theatre", "and", "anthem"]),
        ("U.S.A", ["usa"]),
        ("the", []),
        ("", []),
    ],
)
def test_squad_words(text, words):
    assert squad_words(text) == words


def test_question_answering_by_hand():
    assert qa_exact_match(["The Eiffel Tower!", "1912"], ["eiffel tower", "in 1912"]) == 0.5
    # 1 of 1 and 2 words: 2 * 1 / 3; one word twice counts once where the truth has it once
    assert qa_f1(["1912"], ["in 1912"]) == pytest.approx(2 / 3)
    assert qa_f1(["so so good"], ["so so so"]) == pytest.approx(2 * 2 / 6)
    assert qa_f1([("red car", "car")], ["the car"]) == 1.0
    assert qa_f1(["red", ("blue", "green")], ["green", "green"]) == 0.5


def test_questions_without_an_answer():
    for metric in (qa_f1, qa_exact_match):
        assert metric([(), "", "x", ()], ["", "the", "", "y"]) == 0.5


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_word_f1_is_the_harmonic_mean_of_precision_and_recall(rows):
    def score(gold, text):
        gold, text = [w for w in gold if w != "the"], [w for w in text if w != "the"]
        common = sum(min(gold.count(word), text.count(word)) for word in {*gold})
        if not common:
            return float(gold == text)
        precision, recall = common / len(text), common / len(gold)
        return 2 * precision * recall / (precision + recall)

    expected = sum(score(*row) for row in rows) / len(rows)
    assert qa_f1([" ".join(g) for g, _ in rows], [" ".join(t) for _, t in rows]) == pytest.approx(expected)


def test_rouge_by_hand():
    pytest.importorskip("rouge_score")
    # "cat the mat" is common: 3 of 6 and of 4 words
    assert rouge_l(["the cat sat on the mat"], ["a Cat: the mat"]) == pytest.approx(2 * 3 / 10)
    assert rouge_l([("no", "a b c d")], ["a c"]) == pytest.approx(2 * 2 / 6)
    assert rouge_l(["a", "b"], ["a", "c"]) == 0.5
    assert rouge_l(["", "!", "x"], ["", "!", ""]) == 0.0
    assert rouge_l(["Köln am Rhein", "猫 が いる"], ["köln rhein", "猫 が いる"]) == pytest.approx((4 / 5 + 1) / 2)


def longest(gold, text):
    """The longest common subsequence, straight from its definition."""
    if not gold or not text:
        return 0
    if gold[0] == text[0]:
        return 1 + longest(gold[1:], text[1:])
    return max(longest(gold[1:], text), longest(gold, text[1:]))


@given(WORDS, WORDS)
def test_rouge_is_the_longest_common_subsequence(gold, text):
    rouge = pytest.importorskip("rouge_score.rouge_scorer")
    value = rouge_l([" ".join(gold)], [" ".join(text)])
    assert value == pytest.approx(2 * longest(gold, text) / max(1, len(gold) + len(text)))
    reference = rouge.RougeScorer(["rougeL"]).score(" ".join(gold), " ".join(text))["rougeL"].fmeasure
    assert value == pytest.approx(reference)


def test_rouge_without_its_package(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("taskspace._extras.import_module", missing)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"^ROUGE-L needs rouge_score, .*'taskspace\[rouge\]'$"):
        rouge_l(["a"], ["a"])


# The table


def test_the_table():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric is metric_named(name)
    samples = {"classes": ["x", "y", "x"], "numbers": [1.0, 2.0, 4.0], "targets": ["word", "one two", "z"]}
    for metric in METRICS.values():
        right = samples[metric.kind]
        assert metric(right, right, classes=("x", "y")) == pytest.approx(1)
        assert metric(right, right[1:] + right[:1], classes=("x", "y")) < 1


def test_the_second_class_is_the_positive_one(one_sentence):
    truth, said = list("ppn"), list("pnn")
    metric = METRICS["f1"]
    assert metric(truth, said, classes=("n", "p")) == f1(truth, said, positive="p") == pytest.approx(2 / 3)
    with pytest.raises(SettingError, match="f1 is of two classes, not of 3") as caught:
        metric(truth, said, classes=("n", "p", "q"))
    assert one_sentence(caught.value)


def test_an_unknown_metric(one_sentence):
    with pytest.raises(SettingError, match="there is no metric 'macrof1'; did you mean 'macro_f1'") as caught:
        metric_named("macrof1")
    assert one_sentence(caught.value)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_rows_that_do_not_match(metric, one_sentence):
    for truth, said in (([], []), (["a", "b"], ["a"])):
        with pytest.raises(DataError, match=f"{len(truth)} right answers but {len(said)} given") as caught:
            metric(truth, said, classes=("a", "b"))
        assert one_sentence(caught.value)


def test_rows_without_truth(one_sentence):
    for metric in (macro_f1, matthews):
        with pytest.raises(DataError, match="a row has no right answer") as caught:
            metric(["a", None], ["a", "b"])
        assert one_sentence(caught.value)


@pytest.mark.parametrize(
    ("name", "labels", "kind", "metric"),
    [
        ("sst2", ["a", "b"], None, "macro_f1"),
        ("nyu-mll/glue:cola", ["a", "b"], None, "matthews"),
        ("CoLA", [0.5, 1.5], None, "pearson"),
        ("stsb", [0.5, 1.5], None, "pearson"),
        ("squad_v2", ["a", "b"], "targets", "qa_f1"),
        ("dialogues", ["a", "b"], "targets", "rouge_l"),
    ],
)
def test_the_usual_metric(name, labels, kind, metric):
    assert best_metric_for(Task(["x", "y"], labels, name=name, kind=kind)) is METRICS[metric]


def test_no_metric_without_labels(one_sentence):
    with pytest.raises(DataError, match="task 'task' has no labels") as caught:
        best_metric_for(Task(["x", "y"]))
    assert one_sentence(caught.value)


def test_loading_the_table_imports_no_package(elsewhere):
    script = (
        "import sys, taskspace.tuning.metrics\n"
        "print([name for name in ('sklearn', 'scipy', 'rouge_score', 'torch') if name in sys.modules])"
    )
    assert elsewhere(script).strip() == "[]"
