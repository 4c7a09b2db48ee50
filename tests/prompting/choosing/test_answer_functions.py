"""A data set beside prompts: the cosine is the space's own, and the signed form knows yes from no."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import Pool, Space, Task
from taskspace.errors import DataError, SettingError
from taskspace.labelers import from_callable
from taskspace.learners._coordinates import raw_features
from taskspace.prompting.choosing._answer_functions import answer_functions

LABELS = ("bad", "good")


@pytest.fixture(scope="module")
def pool(make_tasks):
    return Pool.from_tasks([make_tasks(rows=60, seed=3)["mood"], make_tasks(rows=60, seed=4)["trip"]], size=100)


@pytest.fixture
def space(pool, encoder, shared_home):
    return Space(pool, surrogate=encoder, components=20, shrinkage=0.3)


@pytest.fixture
def mood(make_tasks):
    return make_tasks(rows=60, seed=5)["mood"]


def answers(pool, seed):
    return np.random.default_rng(seed).dirichlet([1.0, 1.0], size=len(pool))


def test_the_cosine_is_that_of_the_embeddings(space, pool, mood):
    given = np.stack([answers(pool, seed) for seed in range(4)])
    functions = answer_functions(space, mood, pool.inputs, LABELS)
    cosines = functions.cosines(given, np.ones(given.shape[:2], dtype=bool))
    here = space.embed(mood)
    for row, cosine in zip(given, cosines, strict=True):
        of_text = dict(zip(pool.texts, row, strict=True))
        there = space.embed(from_callable(lambda texts, said=of_text: [said[t] for t in texts], name="prompt"))
        assert cosine == pytest.approx(here.similarity(there), abs=1e-5)


def test_abstentions_are_left_out_as_they_are_of_embeddings(space, pool, mood):
    given, known = answers(pool, 0)[None], np.random.default_rng(1).random((1, len(pool))) < 0.6
    said = {text: row if here else None for text, row, here in zip(pool.texts, given[0], known[0], strict=True)}
    there = space.embed(from_callable(lambda texts: [said[t] for t in texts], name="prompt"))
    functions = answer_functions(space, mood, pool.inputs, LABELS)
    assert functions.cosines(given, known)[0] == pytest.approx(space.embed(mood).similarity(there), abs=1e-5)


def test_the_signed_form_is_the_correlation_with_the_probes_answers(space, encoder, pool, mood):
    """Refitted by scikit-learn on the same coordinates, the columns centred over rows and classes."""
    linear = pytest.importorskip("sklearn.linear_model")
    functions = answer_functions(space, mood, pool.inputs, LABELS)
    texts, codes = list(dict(zip(mood.texts, mood.stated_labels.codes, strict=True)).items()), None
    rows = {text: [] for text, _ in texts}
    for text, code in zip(mood.texts, mood.stated_labels.codes, strict=True):
        rows[text].append(float(code))
    from taskspace.learners import Ground
    from taskspace.learners.response import pool_coordinates

    coordinates = pool_coordinates(Ground(encoder, pool, 0), 20)
    x = coordinates.of(raw_features(encoder, Task(list(rows)).inputs))
    codes = np.array([np.mean(values) for values in rows.values()])
    weights = np.array([len(values) for values in rows.values()]) / len(mood)
    ridge = linear.Ridge(alpha=0.3, solver="cholesky").fit(x, codes, sample_weight=weights)
    probed = ridge.predict(coordinates.of(raw_features(encoder, pool.inputs)))
    given = answers(pool, 2)
    expected = np.corrcoef(probed, given[:, 1])[0, 1]  # two classes: one column says it all
    assert functions.signed(given[None], np.ones((1, len(pool)), dtype=bool))[0] == pytest.approx(expected, abs=1e-8)


def test_swapped_answers_turn_the_sign_and_leave_the_cosine(space, pool, mood):
    given = answers(pool, 3)[None]
    everywhere = np.ones(given.shape[:2], dtype=bool)
    functions = answer_functions(space, mood, pool.inputs, LABELS)
    assert functions.signed(given[:, :, ::-1], everywhere)[0] == pytest.approx(-functions.signed(given, everywhere)[0])
    np.testing.assert_allclose(functions.cosines(given[:, :, ::-1], everywhere), functions.cosines(given, everywhere))


def test_the_order_of_the_labels_is_that_of_the_prompts(space, pool, mood):
    given = answers(pool, 4)[None]
    everywhere = np.ones(given.shape[:2], dtype=bool)
    one = answer_functions(space, mood, pool.inputs, ("bad", "good")).signed(given, everywhere)
    other = answer_functions(space, mood, pool.inputs, ("good", "bad")).signed(given[:, :, ::-1], everywhere)
    np.testing.assert_allclose(one, other)


def test_a_prompt_that_never_varies_or_says_nothing_scores_zero(space, pool, mood):
    constant = np.tile([[0.3, 0.7]], (1, len(pool), 1))
    functions = answer_functions(space, mood, pool.inputs, LABELS)
    for known in (np.ones((1, len(pool)), dtype=bool), np.zeros((1, len(pool)), dtype=bool)):
        assert functions.signed(constant, known)[0] == pytest.approx(0, abs=1e-9)
        assert functions.cosines(constant, known)[0] == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_compared_is_told(encoder, pool, mood, space, one_sentence):
    other = Space(pool, surrogate=encoder, learner="text")
    with pytest.raises(SettingError, match="learner 'response'") as error:
        answer_functions(other, mood, pool.inputs, LABELS)
    assert one_sentence(error.value)
    with pytest.raises(SettingError, match="'bad', which is no label.*'awful'") as error:
        answer_functions(space, mood, pool.inputs, ("awful", "good"))
    assert one_sentence(error.value)
    with pytest.raises(SettingError, match="numbers, not classes") as error:
        answer_functions(space, Task(["a b", "c d", "e f"], [0.5, 1.5, 2.5]), pool.inputs, LABELS)
    assert one_sentence(error.value)
    with pytest.raises(DataError, match="no labels"):
        answer_functions(space, Task(["a", "b"]), pool.inputs, LABELS)
