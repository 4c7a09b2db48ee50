"""Base models made of what is at hand."""

from __future__ import annotations

import pytest

from taskspace.bench.fute.encoders import first_layers, forgotten, tiny_t5
from taskspace.surrogates import load_surrogate

TEXTS = ["it was a good day", "the sky was red", "we saw rain and snow", "a bad train it is"] * 4


def test_the_lower_half_gives_the_states_of_that_layer(encoder, tmp_path, shared_home):
    first_layers(encoder, tmp_path / "half")
    half = load_surrogate(tmp_path / "half", cache=False)
    assert half.module.config.num_hidden_layers == 1
    whole = load_surrogate(encoder.located.folder, layers=[1], cache=False)
    cut = load_surrogate(tmp_path / "half", layers=[1], cache=False)
    assert cut.features(TEXTS[:3]) == pytest.approx(whole.features(TEXTS[:3]), abs=1e-6)


def test_forgotten_weights_are_others_of_the_same_shape(encoder, tmp_path, shared_home):
    for name in ("one", "two"):
        forgotten(encoder, tmp_path / name, seed=3)
    one, two = (load_surrogate(tmp_path / name, cache=False) for name in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    shapes = {name: tuple(t.shape) for name, t in encoder.module.named_parameters()}
    assert {name: tuple(t.shape) for name, t in one.module.named_parameters()} == shapes
    assert one.features(TEXTS[:2]) != pytest.approx(encoder.features(TEXTS[:2]), abs=1e-3)


def test_a_tiny_t5_learns_to_restore_words(tmp_path, shared_home):
    told, losses = [], {}
    for steps in (0, 100):
        tiny_t5(TEXTS, tmp_path / f"{steps}", steps=steps, seed=0, width=16, layers=1, vocabulary=80, tell=told.append)
        surrogate = load_surrogate(tmp_path / f"{steps}", cache=False)
        assert surrogate.kind == "encoder-decoder"
        assert surrogate.features(["a good day"]).shape == (1, 2 * 16)
        row = surrogate.tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
        losses[steps] = float(surrogate.writer(input_ids=row, labels=row).loss)
    assert [line.partition(",")[0] for line in told] == ["tiny T5: step 100 of 100"]
    assert losses[100] < losses[0] / 2
