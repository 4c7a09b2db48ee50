"""The table of names, the controls, and what a reading is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import DIVERGENCES
from taskspace.ranking.estimators import ESTIMATORS
from taskspace.ranking.history import source_prior
from taskspace.ranking.signals import LEARNERS, Question, Signal, Source, signal_named, signals, take


def test_the_table_holds_all_of_every_kind():
    names = set(signals())
    assert names >= {
        *LEARNERS,
        *ESTIMATORS,
        *DIVERGENCES,
        "leep",
        "nce",
        "esm",
        "prior",
        "size",
        "random",
        "in_context",
    }
    assert all(signal.name == name and signal.needs and signal.about for name, signal in signals().items())


def test_a_misspelt_name_is_told_the_nearest(one_sentence):
    with pytest.raises(SettingError, match="did you mean 'logme'") as error:
        signal_named("logmee")
    assert one_sentence(error.value)


def test_the_prior_is_that_of_history(question, transfers):
    np.testing.assert_allclose(signal_named("prior").read(question), source_prior(transfers, "target"))


def test_transfers_are_lined_up_with_the_sources_asked_about(question, transfers):
    turned = replace(question, sources=(Source("new"), *question.sources[::-1]), vectors={})
    np.testing.assert_allclose(turned.measured.scores[1:], transfers.scores[::-1])
    assert np.isnan(turned.measured.scores[0]).all()
    np.testing.assert_allclose(signal_named("prior").read(turned)[1:], source_prior(transfers, "target")[::-1])
    assert signal_named("prior").read(turned)[0] == 0


def test_size_is_a_logarithm_of_rows_said_or_counted(question):
    sources = (replace(question.sources[0], rows=1000), question.sources[1], Source("unseen"))
    scores = signal_named("size").read(replace(question, sources=sources))
    np.testing.assert_allclose(scores, [np.log(1000), np.log(12), np.nan])
    with pytest.raises(DataError, match="rows were counted"):
        signal_named("size").read(replace(question, sources=(Source("unseen"),), vectors={}))


def test_random_hangs_on_target_and_seed_alone(question):
    draw = signal_named("random").read
    assert (draw(question) == draw(replace(question, vectors={}))).all()
    assert (draw(question) != draw(replace(question, target="other"))).all()
    assert (draw(question) != draw(replace(question, seed=1))).all()


def test_in_context_asks_the_language_model(question, corpora):
    class Counts:
        def score(self, source, target):
            assert target is corpora["target"].task
            return float(source is corpora["near"].task)

    scores = signal_named("in_context").read(replace(question, demonstrates=Counts()))
    np.testing.assert_equal(scores, [1.0, 0.0, np.nan])
    with pytest.raises(DataError, match="language model"):
        signal_named("in_context").read(question)


def test_a_reading_has_no_infinities_and_knows_whether_it_orders_anything(question):
    def said(*values):
        return take(Signal("x", "x", ("nothing",), "none", lambda q: np.array(values)), question)

    np.testing.assert_equal(said(np.inf, 1, -np.inf).scores, [np.nan, 1, np.nan])
    assert said(1, 2, np.nan).tells
    assert not said(1, 1, np.nan).tells
    assert not said(1, np.nan, np.nan).tells
    assert said(1, 2, 3).seconds >= 0
    assert said(1, 2, 3).name == "x"


def test_a_question_refuses_its_own_transfers_and_no_sources(transfers, one_sentence):
    with pytest.raises(DataError, match="without_target") as error:
        Question(target="first", sources=(Source("near"),), transfers=transfers)
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="no source"):
        Question(target="target", sources=())
