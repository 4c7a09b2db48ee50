"""Features of the surrogate and of its tuned copies, each table made once."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.estimators import fit_map

pytest.importorskip("torch")

from taskspace.bench.rank.features import Features, TunedSource, map_of
from taskspace.bench.transfer import tuned_source
from taskspace.tuning.fine_tuning import FineTuned


@pytest.fixture
def features(toy, encoder, tmp_path):
    return Features(encoder, tmp_path / "features", toy.truth)


def test_they_are_last_states_of_the_right_model(features, toy, encoder, tasks):
    for name in ("echo", "mood"):
        inputs = tasks[name].inputs
        np.testing.assert_allclose(features.base(inputs), encoder.last_states(inputs), atol=1e-6)
        tuned = FineTuned.of(encoder, tuned_source(toy.truth, "topic"))
        source = TunedSource(features, "topic")
        logits = tuned.logits(tasks[name]).astype(np.float64)
        odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(source.probabilities(inputs), odds, atol=1e-6)
        assert not np.allclose(source.features(inputs), features.base(inputs))


def test_a_table_that_is_there_is_read_and_no_model_is_run(features, toy, encoder, tasks, monkeypatch):
    inputs = tasks["mood"].inputs
    first = TunedSource(features, "topic").features(inputs)
    monkeypatch.setattr(type(encoder), "last_states", lambda *_: pytest.fail("it was there"))
    again = Features(encoder, features._folder, toy.truth)
    np.testing.assert_array_equal(TunedSource(again, "topic").features(inputs), first)


def test_other_weights_are_other_features(features, tasks):
    inputs = tasks["mood"].inputs
    assert not np.allclose(features.tuned("topic", inputs), features.tuned("mood", inputs))


def test_prepare_makes_what_is_missing_model_by_model(features, tasks):
    told = []
    wanted = {name: [tasks["mood"].inputs, tasks["echo"].inputs] for name in ("topic", "echo")}
    features.tuned("topic", tasks["mood"].inputs)
    features.prepare(["topic", "echo"], wanted, told.append)
    assert [line.split(": ")[1:] for line in told] == [
        ["source 1 of 2, topic", "40 rows"], ["source 2 of 2, echo", "80 rows"]
    ]  # fmt: skip
    features.prepare(["topic", "echo"], wanted, told.append)
    assert len(told) == 2


def test_the_map_is_fitted_on_the_source_s_own_rows(features, tasks):
    inputs = tasks["topic"].inputs
    expected = fit_map(features.base(inputs), features.tuned("topic", inputs))
    np.testing.assert_array_equal(map_of(features, "topic", inputs).weight, expected.weight)


def test_what_is_not_there_is_told(features, encoder, tmp_path, tasks, one_sentence):
    assert features.tuned_sources(["topic", "sky"]) == ["topic"]
    with pytest.raises(DataError, match="no tuned model of 'sky'") as error:
        features.tuned("sky", tasks["mood"].inputs)
    assert one_sentence(error.value)
    bare = Features(encoder, tmp_path / "none")
    assert bare.tuned_sources(["topic"]) == []
    with pytest.raises(DataError, match="no tuned model of 'topic'"):
        TunedSource(bare, "topic").probabilities(tasks["mood"].inputs)
