"""Rows that are embedded, rows that are not, and the pool drawn beside them."""

from __future__ import annotations

import json

import pytest

from taskspace.bench.fute.tasks import Corpus, TaskFolders, study_pool
from taskspace.errors import DataError
from taskspace.task import plain_letters


@pytest.fixture
def tasks(data):
    return TaskFolders(data / "tasks")


def test_a_smaller_draw_is_part_of_a_larger_one_and_the_others_share_no_row(tasks):
    few, more = (set(tasks.rows("mood", count).inputs.digests) for count in (10, 30))
    assert few < more
    assert len(few) == 10
    others = tasks.others("mood", 30)
    assert not more & set(others.inputs.digests)
    assert more | set(others.inputs.digests) == set(tasks.train("mood").inputs.digests)
    assert set(tasks.others("mood", 30, 12).inputs.digests) < set(others.inputs.digests)


def test_no_more_rows_than_there_are_and_one_of_each_class_at_least(tasks):
    assert len(tasks.rows("topic", 10_000)) == len(tasks.train("topic"))
    assert len(tasks.rows("topic", 2).stated_labels.present()) == 3


def test_a_task_without_spare_rows_says_so(tasks, one_sentence):
    with pytest.raises(DataError, match="needs more than the 10000") as caught:
        tasks.others("mood", 10_000)
    assert one_sentence(caught.value)


def test_grades_with_fractions_are_refused(tmp_path):
    (tmp_path / "warm").mkdir()
    rows = [{"text": f"text {i}", "label": i + 0.5} for i in range(4)]
    (tmp_path / "warm" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="'warm' has numbers"):
        TaskFolders(tmp_path).train("warm")


def test_families_are_those_of_the_cards(tasks):
    assert tasks.family("sky") == "topic"
    assert tasks.pairs("echo")
    assert not tasks.pairs("mood")


def test_texts_of_one_place_and_without_those_of_the_tasks(tmp_path):
    lines = [("Red, sky!", "a"), ("blue", "b"), ("red sky", "b"), ("green", "a"), ("blue", "a")]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": t, "source": s}) + "\n" for t, s in lines))
    corpus = Corpus(path, seed=0)
    assert len(corpus.places) == 4  # "blue" counts once, where it came first
    assert sorted(corpus.draw(10, {"redsky"})) == ["blue", "green"]
    assert corpus.draw(10, set(), place="b") == [text for text in corpus.places if corpus.places[text] == "b"]
    assert corpus.draw(1, set()) == list(corpus.places)[:1]


@pytest.mark.parametrize("line", ["[1]", '{"words": "x"}', "{"])
def test_a_line_that_is_no_text_is_told(tmp_path, one_sentence, line):
    (tmp_path / "texts.jsonl").write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2") as caught:
        Corpus(tmp_path / "texts.jsonl", seed=0).draw(1, set())
    assert one_sentence(caught.value)


def test_the_pool_holds_no_text_of_a_task_but_pairs_that_no_model_was_tuned_on(tasks, data):
    sources, targets = ("mood", "echo"), ("feeling", "twin")
    pool = study_pool(
        tasks, Corpus(data / "texts.jsonl", 0), 40, 0.25, sources=sources, names=(*sources, *targets), fitted_rows=50,
        seed=0,
    )  # fmt: skip
    pairs = pool.inputs.is_pair
    assert pairs.sum() == 10
    fitted = set(tasks.rows("echo", 50).inputs.digests)
    drawn = {digest for digest, pair in zip(pool.inputs.digests, pairs, strict=True) if pair}
    assert drawn <= set(tasks.train("echo").inputs.digests) - fitted
    singles = {plain_letters(t) for t, pair in zip(pool.inputs.texts, pairs, strict=True) if not pair}
    assert not singles & tasks.letters((*sources, *targets))
    assert not {plain_letters(t) for t in pool.inputs.texts} & tasks.letters(targets)


def test_without_sources_of_pairs_the_pool_has_none(tasks, data):
    pool = study_pool(
        tasks, Corpus(data / "texts.jsonl", 0), 20, 0.5, sources=("mood",), names=("mood",), fitted_rows=50, seed=0
    )
    assert len(pool) == 20
    assert not pool.inputs.is_pair.any()
