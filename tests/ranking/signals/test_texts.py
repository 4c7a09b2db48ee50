"""Divergences as signals: minus the distance, of as many rows on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.divergences import DIVERGENCES, terms_of
from taskspace.ranking.signals import Corpus, Question, Source, _texts, signal_named, take
from taskspace.ranking.signals._texts import _reader
from taskspace.task import Task


def _views(divergence, corpora):
    if divergence.of == "features":
        return {name: corpus.features for name, corpus in corpora.items()}
    if divergence.of == "terms":
        return {name: terms_of(corpus.texts) for name, corpus in corpora.items()}
    return {name: corpus.texts for name, corpus in corpora.items()}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_a_signal_is_minus_the_divergence_of_target_and_source(question, corpora, name):
    views = _views(DIVERGENCES[name], corpora)
    scores = take(signal_named(name), question).scores
    expected = [-DIVERGENCES[name](views["target"], views[source]) for source in ("near", "far")]
    np.testing.assert_allclose(scores[:2], expected, rtol=1e-9)
    assert np.isnan(scores[2])


@pytest.mark.parametrize("name", ["jensen_shannon", "gzip"])
def test_the_source_with_the_target_s_words_is_nearer(question, name):
    scores = signal_named(name).read(question)
    assert scores[0] > scores[1]


def test_a_larger_source_is_cut_to_the_target_s_rows(question, corpora):
    near = corpora["near"].task
    many = Task([*near.texts, *[f"{text} again" for text in near.texts]], None, name="near")
    larger = Corpus(many, lambda: np.zeros((len(many), 4), dtype=np.float32))
    sources = (replace(question.sources[0], corpus=larger), *question.sources[1:])
    seen = []

    def count(a, b):
        seen.append((len(a), len(b)))
        return 0.0

    divergence = replace(DIVERGENCES["mmd"], function=count)
    _reader(divergence)(replace(question, sources=sources))
    assert seen == [(12, 12), (12, 12)]


@pytest.mark.parametrize("name", ["kl", "mmd", "gzip"])
def test_texts_on_both_sides_are_asked_for(question, name, one_sentence):
    with pytest.raises(DataError, match="texts of 'target'") as error:
        signal_named(name).read(replace(question, corpus=None))
    assert one_sentence(error.value)
    bare = replace(question, sources=tuple(replace(s, corpus=None) for s in question.sources))
    with pytest.raises(DataError, match="none of 3 sources has texts"):
        signal_named(name).read(bare)


def test_both_texts_of_a_pair_are_read():
    corpus = Corpus(Task(["a", "b"], None, ["c", None]))
    assert corpus.texts == ["a c", "b"]


def _drawn(name, rows, seed):
    """Texts of ten words out of two hundred, always the same distribution."""
    words = np.random.default_rng(seed).integers(200, size=(rows, 10))
    states = np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)
    return Corpus(Task([" ".join(f"w{word}" for word in row) for row in words], None, name=name), lambda: states)


def _sized(target, *rows):
    """A question whose target and sources have so many texts of one distribution."""
    sources = tuple(Source(f"s{count}", _drawn(f"s{count}", count, seed + 1)) for seed, count in enumerate(rows))
    return Question(target="target", sources=sources, corpus=_drawn("target", target, 0))


def _sizes(question, of):
    """How many rows a divergence is shown, pair by pair."""
    seen = []

    def count(a, b):
        seen.append(tuple(int(view.counts.sum()) if of == "terms" else len(view) for view in (a, b)))
        return 0.0

    scores = _reader(replace(next(d for d in DIVERGENCES.values() if d.of == of), function=count))(question)
    return seen, scores


@pytest.mark.parametrize("of", ["texts", "features"])
def test_all_sources_are_compared_at_one_size(of):
    seen, scores = _sizes(_sized(800, 99, 150, 1500), of)
    assert seen == [(150, 150), (150, 150)]
    np.testing.assert_array_equal(np.isnan(scores), [True, False, False])
    assert _sizes(_sized(1300, 1200), of)[0] == [(1000, 1000)]
    # Below a hundred the target sets the size, and a source that cannot fill it is left out.
    seen, scores = _sizes(_sized(50, 49, 60), of)
    assert seen == [(50, 50)]
    np.testing.assert_array_equal(np.isnan(scores), [True, False])


@pytest.mark.parametrize("name", ["jensen_shannon", "kl", "vocabulary_overlap"])
def test_a_source_is_not_farther_for_being_small(name):
    small, large = signal_named(name).read(_sized(800, 120, 1000))
    assert small == pytest.approx(large, rel=0.1)


def test_sources_that_are_all_too_small_are_said(one_sentence):
    with pytest.raises(DataError, match="no source has 100 texts, the largest 40") as error:
        signal_named("gzip").read(_sized(200, 30, 40))
    assert one_sentence(error.value)


def test_terms_of_a_corpus_are_counted_once_for_all_divergences(monkeypatch):
    counted = []

    def count(texts):
        counted.append(len(texts))
        return terms_of(texts)

    monkeypatch.setattr(_texts, "terms_of", count)
    question = _sized(150, 200, 120)
    for name in ("kl", "renyi", "hellinger"):
        signal_named(name).read(question)
    assert counted == [120] * 3
    signal_named("kl").read(replace(question, seed=1))
    assert len(counted) == 6


def test_a_source_that_cannot_be_read_silences_no_other(question, corpora):
    broken = Corpus(corpora["far"].task, lambda: np.full((12, 4), np.nan, dtype=np.float32))
    sources = (question.sources[0], replace(question.sources[1], corpus=broken))
    asked = replace(question, sources=sources, vectors={})
    scores = signal_named("energy").read(asked)
    assert scores[0] == signal_named("energy").read(question)[0]
    assert np.isnan(scores[1])
    with pytest.raises(DataError, match="features hold NaN"):
        signal_named("energy").read(replace(asked, sources=sources[1:]))
