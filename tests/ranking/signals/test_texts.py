"""Divergences as signals: minus the distance, of as many rows on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.divergences import DIVERGENCES, terms_of
from taskspace.ranking.signals import Corpus, signal_named, take
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
    from taskspace.ranking.signals._texts import _reader

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
