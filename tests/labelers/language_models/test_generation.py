"""Greedy text against a loop that reads everything again for each token, and against transformers' own."""

from __future__ import annotations

import json
import random

import pytest

from taskspace.errors import LabelerError
from taskspace.labelers.language_models._generation import generate
from taskspace.labelers.language_models._loading import load

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

ENDS = 1


def some_contexts(rows=8):
    rng = random.Random(1)
    return [tuple(rng.randrange(3, 48) for _ in range(rng.randint(1, 12))) for _ in range(rows)]


def likeliest(module, context, length):
    """The likeliest next token, again and again, until the end or ``length`` tokens."""
    written = []
    for _ in range(length):
        with torch.no_grad():
            if module.config.is_encoder_decoder:
                ids = torch.tensor([[module.config.decoder_start_token_id, *written]])
                logits = module(input_ids=torch.tensor([context]), decoder_input_ids=ids, use_cache=False).logits
            else:
                logits = module(torch.tensor([[*context, *written]]), use_cache=False).logits
        token = int(logits[0, -1].argmax())
        if token == ENDS:
            break
        written.append(token)
    return tuple(written)


def written(model, contexts, **options):
    found = {}
    for batch in generate(model, contexts, **options):
        assert not set(batch) & set(found)
        found |= batch
    return [found[row] for row in range(len(contexts))]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "bloom", "mamba", "t5", "bart"])
@pytest.mark.parametrize("batch_tokens", [60, 4096])
def test_generation_is_the_likeliest_token_each_time(language_model, kind, batch_tokens):
    model, contexts = language_model(kind), some_contexts()
    expected = [likeliest(model.module, context, 7) for context in contexts]
    assert written(model, contexts, max_new_tokens=7, batch_tokens=batch_tokens) == expected
    assert len(set(expected)) > 3  # contexts matter


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_generation_equals_transformers_one_by_one(language_model, kind):
    model = language_model(kind)
    for context, ours in zip(some_contexts(), written(model, some_contexts(), max_new_tokens=7), strict=True):
        ids = torch.tensor([context])
        theirs = model.module.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=7, pad_token_id=0
        )
        new = theirs[0, 1 if model.is_encoder_decoder else len(context) :].tolist()
        assert tuple(new[: new.index(ENDS)] if ENDS in new else new) == ours


def test_a_text_ends_at_its_end_token(language_model):
    """Among many contexts some end early; the end itself is not part of the text."""
    model, contexts = language_model("llama"), some_contexts(16)
    texts = written(model, contexts, max_new_tokens=20)
    assert texts == [likeliest(model.module, context, 20) for context in contexts]
    assert {len(text) < 20 for text in texts} == {True, False}
    assert not any(ENDS in text for text in texts)


def test_what_the_files_say_of_sampling_is_ignored(save_language_model, language_model, tmp_path):
    folder = save_language_model(tmp_path / "wild", "llama")
    wild = {"do_sample": True, "temperature": 5.0, "top_k": 3, "repetition_penalty": 1.9, "no_repeat_ngram_size": 1}
    wild |= {"min_new_tokens": 5, "num_beams": 1, "eos_token_id": ENDS, "suppress_tokens": list(range(3, 40))}
    (folder / "generation_config.json").write_text(json.dumps(wild), encoding="utf-8")
    contexts = some_contexts()
    plain = written(language_model("llama"), contexts, max_new_tokens=9)
    assert written(load(folder, device="cpu"), contexts, max_new_tokens=9) == plain


def test_nothing_to_write_after(language_model):
    assert written(language_model("gpt2"), [], max_new_tokens=3) == []


@pytest.mark.parametrize(
    ("context", "seen"),
    [((4,) * 60, "with its new text has 70 tokens but .* reads 64"), ((), "no token at all")],
)
def test_what_does_not_fit_is_refused(language_model, one_sentence, context, seen):
    with pytest.raises(LabelerError, match=seen) as caught:
        next(generate(language_model("gpt2"), [(4, 5), context], max_new_tokens=10))
    assert one_sentence(caught.value)
