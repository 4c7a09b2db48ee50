"""Signals of source models and of their maps, against a direct call of the estimator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SurrogateError
from taskspace.ranking.estimators import ESTIMATORS, leep, logme, nce
from taskspace.ranking.signals import Corpus, signal_named, take
from taskspace.task import Task


def _expect(question, name, rule):
    scores = take(signal_named(name), question).scores
    np.testing.assert_allclose(scores[:2], [rule(source) for source in ("near", "far")])
    assert np.isnan(scores[2])
    assert scores[0] != scores[1]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_reads_the_features_of_each_model(question, models, corpora, name):
    codes = corpora["target"].labels
    _expect(question, name, lambda source: ESTIMATORS[name](models[source].states, codes))


def test_leep_and_nce_read_the_answers(question, models, corpora):
    codes = corpora["target"].labels
    _expect(question, "leep", lambda source: leep(models[source].answers, codes))
    _expect(question, "nce", lambda source: nce(models[source].answers.argmax(axis=1), codes))


def test_esm_maps_the_base_features(question, maps, corpora):
    target = corpora["target"]
    _expect(question, "esm", lambda source: logme(maps[source].apply(target.features), target.labels))


def test_labels_are_the_target_s_codes_in_its_own_numbering(corpora, labels):
    task = corpora["target"].task
    named = [("one", "two", "three")[label] for label in labels]
    assert [task.label_names[code] for code in corpora["target"].labels] == named


@pytest.mark.parametrize("name", ["logme", "leep", "esm"])
def test_without_any_model_or_labelled_target_there_is_nothing_to_read(question, corpora, name, one_sentence):
    bare = replace(question, sources=tuple(replace(s, model=None, space_map=None) for s in question.sources))
    with pytest.raises(DataError, match="none of 3 sources can be run") as error:
        signal_named(name).read(bare)
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="labelled rows of 'target'"):
        signal_named(name).read(replace(question, corpus=None))
    plain = Task(corpora["target"].task.texts, None, name="target")
    with pytest.raises(DataError, match="no classes"):
        signal_named(name).read(replace(question, corpus=Corpus(plain, corpora["target"].encode)))


def test_numbers_serve_features_but_not_answers(question, corpora, models):
    numbers = np.linspace(0, 1, 12)
    task = Task(corpora["target"].task.texts, [f"{x:.3f}" for x in numbers], name="target", kind="numbers")
    asked = replace(question, corpus=Corpus(task, corpora["target"].encode))
    scores = signal_named("logme").read(asked)
    np.testing.assert_allclose(scores[:2], [logme(models[s].states, asked.corpus.labels) for s in ("near", "far")])
    with pytest.raises(DataError, match="no classes"):
        signal_named("leep").read(asked)


def test_base_features_are_asked_for_in_words(question, corpora, one_sentence):
    with pytest.raises(DataError, match="base features of 'target'") as error:
        signal_named("esm").read(replace(question, corpus=Corpus(corpora["target"].task)))
    assert one_sentence(error.value)


class Broken:
    """A model that cannot be loaded."""

    def features(self, inputs):
        raise SurrogateError("the model is not in its folder; fetch it again")

    probabilities = features


@pytest.mark.parametrize("name", ["knn", "leep"])
def test_a_model_that_cannot_be_read_silences_no_other(question, name, one_sentence):
    near, far, unseen = question.sources
    asked = replace(question, sources=(replace(near, model=Broken()), far, unseen))
    scores = signal_named(name).read(asked)
    np.testing.assert_array_equal(scores, [np.nan, signal_named(name).read(question)[1], np.nan])
    with pytest.raises(DataError, match="the model is not in its folder") as error:
        signal_named(name).read(replace(asked, sources=(asked.sources[0], unseen), vectors={}))
    assert one_sentence(error.value)
    assert isinstance(error.value.__cause__, SurrogateError)


def test_features_that_are_no_numbers_are_of_one_source_alone(question, models):
    near, far, unseen = question.sources
    spoilt = replace(models["near"], states=np.full_like(models["near"].states, np.nan))
    scores = signal_named("logme").read(replace(question, sources=(replace(near, model=spoilt), far, unseen)))
    np.testing.assert_array_equal(scores, [np.nan, signal_named("logme").read(question)[1], np.nan])
