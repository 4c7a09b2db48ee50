from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import LabelerError
from taskspace.labelers.language_models._loading import load
from taskspace.labelers.language_models._query import Query
from taskspace.labelers.language_models._scoring import score

pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_each_context_is_encoded_once_for_all_its_answers(language_model):
    model, seen = language_model("t5"), []
    handle = model.module.get_encoder().register_forward_hook(
        lambda _, args, kwargs, output: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    queries = [Query((4, 5, row), ((5,), (6, 7), (6, 8, 9), (10, 11))) for row in range(20, 25)]
    try:
        whole = {row: scored for batch in score(model, queries, batch_tokens=9) for row, scored in batch.items()}
    finally:
        handle.remove()
    assert seen == [(3, 3), (2, 3)]
    assert sorted(whole) == [0, 1, 2, 3, 4]


def test_probabilities_of_all_words_sum_to_one(language_model):
    query = Query((4, 5, 6), tuple((word,) for word in range(48)))
    (batch,) = score(language_model("bart"), [query])
    assert np.exp(batch[0].continuations).sum() == pytest.approx(1, abs=1e-5)


def test_a_model_that_does_not_say_where_it_starts(save_language_model, tmp_path, one_sentence):
    folder = save_language_model(tmp_path / "t5", "t5", decoder_start_token_id=None)
    with pytest.raises(LabelerError, match="does not say its decoder_start_token_id") as caught:
        next(score(load(folder, device="cpu"), [Query((4,), ((5,),))]))
    assert one_sentence(caught.value)
