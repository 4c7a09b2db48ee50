"""Questions that know nothing of what they ask about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.bench.rank import GroundTruth
from taskspace.errors import DataError
from taskspace.ranking.history import Transfers


def test_candidates_were_measured_and_are_not_the_target(ground):
    assert ground.candidates("p") == ("a", "b", "c", "d", "e")
    assert ground.candidates("q") == ("a", "b", "c", "e")  # d was not tried there
    assert ground.candidates("e") == ("a", "b", "c", "d")  # e itself does not count
    assert ground.candidates("q", hidden=("p", "e")) == ("a", "b", "c")


def test_gains_are_over_the_baseline_of_the_same_run(ground, transfers):
    first = transfers.scores[:, 0] - np.array([0.5, 0.52])
    np.testing.assert_allclose(ground.gains("p", SOURCES := ("a", "b", "c", "d", "e")), first.mean(axis=1))
    np.testing.assert_allclose(ground.runs("p", SOURCES), first)
    assert ground.baseline("p") == pytest.approx(0.51)
    assert ground.gains("r", ["a"])[0] == pytest.approx(transfers.scores[0, 2, 0] - 0.4)  # its one run
    assert not ground.relative


def test_without_baselines_gains_are_over_the_mean_of_the_target_s_sources():
    scores = np.array([[0.2, 0.9], [0.4, 0.5], [0.9, 0.1]])
    bare = Transfers(("a", "b", "c"), ("a", "t"), scores[..., None], np.full((2, 1), np.nan))
    ground = GroundTruth(transfers=bare)
    assert ground.relative
    np.testing.assert_allclose(ground.gains("t", "abc"), [0.4, 0.0, -0.4])
    np.testing.assert_allclose(ground.gains("a", "bc"), [-0.25, 0.25])  # a on itself has no say in the mean
    assert ground.baseline("a") == pytest.approx(0.65)
    np.testing.assert_allclose(ground.runs("t", "abc")[:, 0], [0.4, 0.0, -0.4])


def test_a_question_knows_neither_the_target_nor_what_is_hidden(ground):
    asked = ground.question("p", hidden=("e", "q"))
    assert asked.transfers.targets == ("r", "s")
    assert asked.transfers.sources == ("a", "b", "c", "d")
    assert asked.names == ("a", "b", "c", "d")
    assert asked.vectors["response"].pivots.shape == (2, 3)
    one = ground.earlier("q", hidden=("p",))
    assert one.question.transfers.targets == ("r", "s", "e")
    np.testing.assert_allclose(one.gains, ground.gains("q", one.question.names))


def test_a_source_on_itself_is_not_even_known_as_measured(ground):
    asked = ground.question("p")
    row, column = asked.transfers.sources.index("e"), asked.transfers.targets.index("e")
    assert np.isnan(asked.transfers.scores[row, column]).all()


def test_vectors_line_up_and_nan_stands_for_none(vectors):
    found = vectors.vectors("p", ("b", "new", "a"), ("q", "new"), ())
    np.testing.assert_array_equal(found.sources[[0, 2]], [vectors.sources["b"], vectors.sources["a"]])
    assert np.isnan(found.sources[1]).all()
    assert np.isnan(found.pivots[1]).all()
    np.testing.assert_array_equal(found.target, vectors.targets["p"])
    assert vectors.vectors("new", ("a",), (), ()) is None


def test_a_target_without_a_vector_has_none_in_its_question(transfers, vectors):
    targets = {name: vector for name, vector in vectors.targets.items() if name != "p"}
    ground = GroundTruth(transfers=transfers, vectors={"text": replace(vectors, targets=targets)})
    assert "text" not in ground.question("p").vectors
    assert np.isnan(ground.question("q").vectors["text"].pivots[0]).all()


def test_targets_with_a_single_source_cannot_be_ranked(one_sentence):
    scores = np.array([[0.1, 0.2], [np.nan, 0.3]])
    made = Transfers(("a", "b"), ("t", "u"), scores[..., None], np.zeros((2, 1)))
    assert GroundTruth(transfers=made).targets == ("u",)
    with pytest.raises(DataError, match="none was measured from 2 sources") as error:
        GroundTruth(transfers=made.only(targets=["t"]))
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="did you mean 'u'"):
        GroundTruth(transfers=made).gains("uu", ["a"])
