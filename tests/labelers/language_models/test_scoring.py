"""Every kind of model against the slow reference, one query and one answer at a time."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskspace.errors import LabelerError
from taskspace.labelers.language_models import _forward
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._scoring import score

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

DECODERS = ["gpt2", "llama", "mistral", "gemma2", "bloom", "mamba"]
ENCODER_DECODERS = ["t5", "bart"]

BEGINNINGS = ((5,), (5, 6), (5, 6, 7), (8, 9, 10, 11), (5, 6, 12), (5,))
"""Answers that are beginnings of each other, one that stands alone, one that comes twice."""

OPTIONS = [
    {},
    {"padding": "left"},
    {"prefix_cache": False},
    {"prefix_cache": False, "padding": "left"},
    {"batch_tokens": 1},
    {"batch_tokens": 50},
    {"batch_tokens": 10**9, "padding": "left"},
]


def tokens(rng, low, high):
    return tuple(rng.randrange(3, 48) for _ in range(rng.randint(low, high)))


def some_queries(shared):
    rng = random.Random(0)
    prefix = tokens(rng, shared, shared)
    queries = [Query(prefix + tokens(rng, 1, 10), BEGINNINGS) for _ in range(6)]
    return [*queries, Query(prefix + (5,), ((9, 4),)), Query(prefix + (5,), BEGINNINGS[::-1]), queries[2]]


def scored(model, queries, **options):
    """All rows, each of which came once."""
    found = {}
    for batch in score(model, queries, **options):
        assert not set(batch) & set(found)
        found |= batch
    assert sorted(found) == list(range(len(queries)))
    return [found[row] for row in range(len(queries))]


def require_equal(model, queries, results, one_by_one, *, with_context=True):
    for query, result in zip(queries, results, strict=True):
        expected = [one_by_one(model.module, query.context, answer) for answer in query.continuations]
        np.testing.assert_allclose(result.continuations, [answer for answer, _ in expected], rtol=0, atol=1e-4)
        assert result.continuations.dtype == np.float64
        if not with_context or model.is_encoder_decoder:
            assert (result.context, result.context_tokens) == (None, 0)
            continue
        whole, _ = one_by_one(model.module, query.context[:1], query.context[1:]) if query.context[1:] else (0.0, 0)
        assert result.context == pytest.approx(whole, abs=1e-4)
        assert result.context_tokens == len(query.context) - 1


# Equal to the slow reference


@pytest.mark.parametrize("kind", DECODERS + ENCODER_DECODERS)
@pytest.mark.parametrize("shared", [0, 7])
def test_any_padding_batch_and_cache_equal_one_by_one(language_model, one_by_one, kind, shared):
    model, queries = language_model(kind), some_queries(shared)
    for options in OPTIONS:
        require_equal(model, queries, scored(model, queries, **options), one_by_one)


@pytest.mark.parametrize("kind", DECODERS + ENCODER_DECODERS)
def test_the_answers_are_told_apart(language_model, one_by_one, kind):
    """So that the agreement says something: log-probabilities far from uniform, and different for each context."""
    module = language_model(kind).module
    first = np.array([one_by_one(module, query.context, (5,))[0] for query in some_queries(7)[:6]])
    assert first.std() > 0.3
    assert abs(one_by_one(module, (4, 5, 6), (7,))[0] + np.log(48)) > 0.1


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "t5"])
def test_without_the_likelihood_of_the_context(language_model, one_by_one, kind):
    model, queries = language_model(kind), some_queries(7)
    for options in ({}, {"padding": "left"}, {"prefix_cache": False}):
        results = scored(model, queries, with_context=False, **options)
        require_equal(model, queries, results, one_by_one, with_context=False)


LISTS = st.lists(st.integers(3, 5), min_size=1, max_size=7).map(tuple)
"""Of three words only, so that contexts and answers often begin alike."""


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "t5"])
@settings(max_examples=12)
@given(
    queries=st.lists(st.builds(Query, LISTS, st.lists(LISTS, max_size=4).map(tuple)), min_size=1, max_size=5),
    budget=st.integers(1, 80),
    padding=st.sampled_from(["left", "right"]),
    prefix_cache=st.booleans(),
)
@example([Query((3,), ((4,),)), Query((3, 4), ((4, 3), (4,)))], 80, "right", True)  # all of one context is shared
@example([Query((3, 4), ((4,),)), Query((3, 4), ((5, 5),))], 80, "left", True)  # two equal contexts
@example([Query((3,), ()), Query((3, 4, 4), ())], 80, "right", True)  # the contexts alone
def test_any_lists_of_tokens(language_model, one_by_one, kind, queries, budget, padding, prefix_cache):
    model = language_model(kind)
    results = scored(model, queries, batch_tokens=budget, padding=padding, prefix_cache=prefix_cache)
    require_equal(model, queries, results, one_by_one)


def test_texts_that_fill_every_position_of_the_model(language_model, one_by_one):
    """Padding beside a row that ends at the last position must not ask for one beyond it."""
    model = language_model("gpt2", n_positions=12)
    queries = [Query(tuple(range(4, 14)), ((5, 6, 7), (8,))), Query((4, 5), ((9, 9, 9), (9, 8, 7, 6)))]
    for options in OPTIONS:
        require_equal(model, queries, scored(model, queries, **options), one_by_one)


def test_probabilities_of_all_words_sum_to_one_in_half_precision(language_model, save_language_model, tmp_path):
    from taskspace.labelers.language_models._loading import load

    model = load(save_language_model(tmp_path / "half", "llama"), dtype="bfloat16", device="cpu")
    assert model.module.dtype == torch.bfloat16
    (result,) = scored(model, [Query((4, 5, 6), tuple((word,) for word in range(48)))])
    assert np.exp(result.continuations).sum() == pytest.approx(1, abs=1e-5)  # normalised in bfloat16: 1e-2 off


def test_normalising_in_small_pieces_changes_nothing(language_model, one_by_one, monkeypatch):
    monkeypatch.setattr(_forward, "_EXACT", 48 * 2)
    model, queries = language_model("llama"), some_queries(7)
    require_equal(model, queries, scored(model, queries), one_by_one)


def test_no_queries(language_model):
    assert scored(language_model("gpt2"), []) == []


# What is refused


@pytest.mark.parametrize(
    ("kind", "query", "seen"),
    [
        ("gpt2", Query((4,) * 60, ((5,) * 6,)), r"a prompt with its answer has 65 tokens but .* reads 64"),
        ("gpt2", Query((4,) * 65, ()), r"has 65 tokens but .* reads 64"),
        ("bart", Query((4,) * 65, ((5,),)), r"a prompt or an answer has 65 tokens but .* reads 64"),
        ("bart", Query((4,), ((5,) * 65,)), r"has 65 tokens but .* reads 64"),
        ("gpt2", Query((), ((5,),)), "a prompt comes to no token at all"),
        ("gpt2", Query((4,), ((5,), ())), "an answer comes to no token at all"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(language_model, one_sentence, kind, query, seen):
    fits = Query((4, 5), ((6,),))
    with pytest.raises(LabelerError, match=seen) as caught:
        next(score(language_model(kind), [fits, query]))
    assert one_sentence(caught.value)


@pytest.mark.parametrize("kind", ["bloom", "t5", "mamba"])
def test_models_without_last_position_read_on(language_model, one_by_one, kind):
    model, queries = language_model(kind), [Query((4, 5) * 50, ((6, 7),))]
    require_equal(model, queries, scored(model, queries), one_by_one)
