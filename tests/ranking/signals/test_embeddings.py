"""Signals of vectors, against their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.history import neighbours, relevance, task_shop
from taskspace.ranking.signals import LEARNERS, signal_named, signals_of, take


def _cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _by_block(target, source):
    return [_cosine(target[:2], source[:2]), _cosine(target[2:], source[2:])]


def test_cosine_is_the_mean_over_blocks_and_unknown_without_a_vector(question):
    scores = signal_named("response").read(question)
    # (1, 1) with (3, 4): 7 / (√2 · 5); (1, 0) with (1, 0): 1.  (1, 1) with (0, 1): 1/√2; (1, 0) with (-1, 2): -1/√5.
    assert scores[0] == pytest.approx((7 / (5 * 2**0.5) + 1) / 2)
    assert scores[1] == pytest.approx((2**-0.5 - 5**-0.5) / 2)
    assert np.isnan(scores[2])


@pytest.mark.parametrize("name", [signal.name for signal in signals_of("response")])
def test_nothing_is_like_a_target_that_says_nothing(question, vectors, name):
    silent = replace(vectors, target=np.full_like(vectors.target, np.nan))
    with pytest.raises(DataError, match="the response vector of 'target' says nothing"):
        take(signal_named(name), replace(question, vectors={"response": silent}))


def test_centring_takes_off_the_mean_of_the_sources_that_have_a_vector(question, vectors):
    known = vectors.sources[:2].astype(np.float64)
    middle = known.mean(axis=0)
    expected = [np.mean(_by_block(vectors.target - middle, row - middle)) for row in known]
    scores = signal_named("response+centred").read(question)
    np.testing.assert_allclose(scores[:2], expected)
    assert np.isnan(scores[2])


def test_reciprocal_ranks_add_up_over_blocks(question):
    scores = signal_named("response+rrf").read(question)  # the first source is nearer in both blocks
    np.testing.assert_allclose(scores[:2], [2 / 61, 2 / 62])


def test_lasso_is_the_relevance_of_the_known(question, vectors):
    scores = signal_named("response+lasso").read(question)
    np.testing.assert_allclose(scores[:2], relevance(vectors.target, vectors.sources[:2]))
    assert np.isnan(scores[2])


def test_neighbours_are_the_tasks_whose_vectors_are_near(question, vectors, transfers):
    near = np.mean(_by_block(vectors.target, vectors.pivots[0]))
    scores = signal_named("response+neighbours").read(question)
    np.testing.assert_allclose(scores, neighbours(transfers, "target", [near, np.nan]))
    # Only the first task has a vector: there the two known sources stand at plus and minus one deviation.
    np.testing.assert_allclose(scores, [1, -1, 0])


def test_pivots_go_over_the_known_sources_and_tasks(question, vectors, transfers):
    near = [np.mean(_by_block(vectors.target, vectors.pivots[0]))]
    alike = [np.mean(_by_block(vectors.target, row)) for row in vectors.sources[:2]]
    expected = task_shop(transfers.only(sources=["near", "far"]), "target", alike, near, ["first"])
    scores = signal_named("response+pivots").read(question)
    np.testing.assert_allclose(scores[:2], expected)
    assert np.isnan(scores[2])


@pytest.mark.parametrize("name", [signal.name for signal in signals_of("response")])
def test_no_vector_at_all_is_unknown_throughout_or_an_error(question, vectors, name, one_sentence):
    lost = np.full_like(vectors.sources, np.nan)
    scores = take(signal_named(name), replace(question, vectors={"response": replace(vectors, sources=lost)})).scores
    if not name.endswith("neighbours"):  # which asks for no vector of a source
        assert np.isnan(scores).all()
    with pytest.raises(DataError, match="response vectors") as error:
        signal_named(name).read(replace(question, vectors={}))
    assert one_sentence(error.value)


@pytest.mark.parametrize("name", ["text+neighbours", "text+pivots"])
def test_what_needs_transfers_or_their_vectors_says_so(question, vectors, name, one_sentence):
    with pytest.raises(DataError, match="transfers") as error:
        signal_named(name).read(replace(question, transfers=None))
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="vectors of tasks with measured transfers"):
        signal_named(name).read(replace(question, vectors={"text": replace(vectors, pivots=None)}))


def test_every_learner_has_its_seven():
    assert all(len(signals_of(learner)) == 7 for learner in LEARNERS)
    assert {signal.name for signal in signals_of("tuned:lora")} >= {"tuned:lora", "tuned:lora+pivots"}
