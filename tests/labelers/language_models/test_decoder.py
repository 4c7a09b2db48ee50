"""What a decoder is made to read, and which decoders can go on from what they have read."""

from __future__ import annotations

import contextlib

import pytest

from taskspace.labelers.language_models._decoder import reads_in_parts
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._scoring import score

pytest.importorskip("torch")
pytest.importorskip("transformers")

PREFIX = tuple(range(4, 24))


@contextlib.contextmanager
def reading(model):
    """The shapes of what goes through the model: (rows, columns) per pass, and the logits that come out."""
    seen = []

    def look(_, args, kwargs, output):
        seen.append((tuple(kwargs["input_ids"].shape), tuple(output.logits.shape[:2])))

    handle = model.module.register_forward_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def read(model, queries, **options):
    with reading(model) as seen:
        for _ in score(model, queries, **options):
            pass
    return seen


def test_the_shared_prefix_is_read_once_for_all_batches(language_model):
    queries = [Query((*PREFIX, 30 + row, 31), ((5,), (6,))) for row in range(6)]
    seen = read(language_model("llama"), queries, batch_tokens=44)
    assert [shape for shape, _ in seen] == [(1, 20), (2, 2), (2, 2), (2, 2)]
    alone = read(language_model("llama"), queries, batch_tokens=44, prefix_cache=False)
    assert [shape for shape, _ in alone] == [(2, 22)] * 3


def test_answers_that_begin_alike_are_read_together(language_model):
    answers = ((5, 6, 7, 8), (5, 6), (5,), (5, 6, 9), (10,), (11, 12))
    seen = read(language_model("llama"), [Query((4, 4), answers), Query((4, 3), answers)])
    # One shared token, one of each context; then per context 5 6 7 and 11.
    assert [shape for shape, _ in seen] == [(1, 1), (2, 1), (4, 3)]


def test_logits_are_made_only_where_they_are_wanted(language_model):
    queries = [Query((*PREFIX, *range(30 + length, 30 + 2 * length)), ((5,),)) for length in (3, 7, 7)]
    (_, first), (shape, last) = read(language_model("llama"), queries, with_context=False)
    assert (first, shape, last) == ((1, 1), (3, 7), (3, 2))  # two lengths, so two columns


def test_one_query_is_read_in_one_pass(language_model):
    seen = read(language_model("gpt2"), [Query(PREFIX, ((5,), (6,)))])
    assert [shape for shape, _ in seen] == [(1, 20)]


@pytest.mark.parametrize(
    ("kind", "more", "longest", "can"),
    [
        ("gpt2", {}, 60, True),
        ("llama", {}, 60, True),
        ("llama", {"use_cache": False}, 60, False),
        ("mistral", {"sliding_window": 5}, 4, True),
        ("mistral", {"sliding_window": 5}, 5, False),
        ("gemma2", {}, 60, False),
        ("gemma2", {}, 59, True),
        ("bloom", {}, 4, False),
        ("mamba", {}, 4, False),
    ],
)
def test_which_models_go_on_from_what_they_have_read(language_model, kind, more, longest, can):
    assert reads_in_parts(language_model(kind, **more).module, longest) is can


def test_a_model_told_not_to_cache_is_read_whole(language_model, one_by_one):
    model = language_model("llama", use_cache=False)
    queries = [Query((*PREFIX, 30), ((5, 6), (7,))), Query((*PREFIX, 31, 32), ((5, 6), (8, 9)))]
    assert [shape for shape, _ in read(model, queries)] == [(3, 23)]  # the first with 5, the second with 5 and with 8
    for number, query in enumerate(queries):
        (result,) = [batch[number] for batch in score(model, queries) if number in batch]
        expected = [one_by_one(model.module, query.context, answer)[0] for answer in query.continuations]
        assert result.continuations == pytest.approx(expected, abs=1e-4)


def test_windows_of_gpt_neo_are_seen():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPTNeoConfig(
        vocab_size=48, hidden_size=16, num_layers=2, num_heads=2, window_size=8, max_position_embeddings=64,
        attention_types=[[["global", "local"], 1]], bos_token_id=2, eos_token_id=1,
    )  # fmt: skip
    module = transformers.AutoModelForCausalLM.from_config(config)
    assert reads_in_parts(module, 7)
    assert not reads_in_parts(module, 8)
