from __future__ import annotations

import gzip
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import alignment, corpus_distance, ncd
from taskspace.ranking.divergences.compression import WINDOW, compressed_length

WEATHER = [
    "rain",
    "snow",
    "cloud",
    "thunder",
    "wind",
    "storm",
    "fog",
    "sunshine",
    "frost",
    "degrees",
    "tomorrow",
    "coast",
]
KITCHEN = ["butter", "flour", "sugar", "oven", "bake", "minutes", "salt", "pepper", "bowl", "dough", "serve", "garlic"]


def gzipped(data):
    return len(gzip.compress(data)) - len(gzip.compress(b""))


def formula(x, y):
    lengths = gzipped(x), gzipped(y)
    return (gzipped(b"\n".join([x, y])) - min(lengths)) / max(lengths)


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


def sentences(words, count, seed=0, length=None):
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=length or draw.randint(4, 9))) for _ in range(count)]


class TestLength:
    @given(st.binary(max_size=3000), st.integers(1, 12))
    def test_is_that_of_gzip_without_what_it_makes_of_nothing(self, data, times):
        assert compressed_length(data * times) == gzipped(data * times)

    @pytest.mark.parametrize(
        "size", [0, 1, 249, 250, 251, 761, 762, 763, 3833, 3834, 3835, 16_121, 16_122, 30_000, 90_000]
    )
    def test_of_any_size(self, size):
        for data in (noise(size), "\n".join(sentences(WEATHER, size // 20 + 1)).encode()[:size], b"a" * size):
            assert compressed_length(data) == gzipped(data)


class TestNcd:
    def test_is_the_formula_smaller_text_first(self):
        x, y = b"a text about rain and wind", b"another text about wind and rain"
        assert ncd(y, x) == ncd(x, y) == formula(x, y)
        assert ncd(x.decode(), y) == formula(x, y)

    def test_ends_of_the_scale(self):
        assert ncd(noise(10_000), noise(10_000)) < 0.03
        assert ncd(noise(10_000), noise(10_000, seed=1)) == pytest.approx(1, abs=0.01)
        assert ncd("twenty letters, no more", "twenty letters, no more") < 0.25

    @given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
    def test_bounds_and_symmetry(self, x, y):
        assert ncd(x, y) == ncd(y, x)
        assert -0.05 < ncd(x, y) < 2.1

    @given(st.integers(0, 99), st.integers(0, 99))
    @settings(max_examples=10)
    def test_the_order_of_joining_is_compressor_noise(self, one, two):
        x, y = ("\n".join(sentences(words, 60, s)).encode() for words, s in [(WEATHER, one), (KITCHEN, two)])
        assert formula(x, y) == pytest.approx(formula(y, x), abs=0.03)

    def test_related_texts_are_nearer(self):
        forecast, outlook, recipe = (
            "\n".join(sentences(words, 40, seed)) for words, seed in [(WEATHER, 0), (WEATHER, 1), (KITCHEN, 0)]
        )
        assert ncd(forecast, outlook) < ncd(forecast, recipe) - 0.05

    def test_a_pair_that_does_not_fit_is_cut_to_the_window(self):
        long, short = noise(40_000), noise(40_000)[:5000]
        assert formula(long, long) > 0.95  # what gzip says when it cannot look back far enough
        assert ncd(long, long) < 0.03
        assert ncd(long, short) == formula(short, long[: WINDOW - 1 - 5000])
        half = (WINDOW - 1) // 2
        assert ncd(long, noise(40_000, seed=1)) == formula(*sorted([long[:half], noise(half, seed=1)]))

    def test_empty_texts(self):
        assert ncd("", "") == 0.0
        assert ncd("", "a text") == ncd("a text", b"") == 1.0


class TestCorpusDistance:
    def test_related_corpora_are_nearer_and_a_corpus_is_near_itself(self):
        forecasts, outlooks, recipes = sentences(WEATHER, 900), sentences(WEATHER, 700, 1), sentences(KITCHEN, 900)
        assert corpus_distance(forecasts, forecasts[::-1]) < 0.1
        assert corpus_distance(forecasts, outlooks) < corpus_distance(forecasts, recipes) - 0.05

    def test_symmetric_and_blind_to_order(self):
        a, b = sentences(WEATHER, 300), sentences(KITCHEN, 2000)
        before = corpus_distance(a, b)
        assert corpus_distance(b, a) == before
        random.Random(1).shuffle(a)
        random.Random(2).shuffle(b)
        assert corpus_distance(a, b) == before != corpus_distance(a, b, seed=1)

    def test_one_text_each_is_the_ncd_of_equal_lengths(self):
        short, long = "rain and wind at the coast", "flour and sugar in the bowl, then bake"
        assert corpus_distance([short], [long], pieces=1) == ncd(short, long[: len(short)])
        # With more pieces allowed, a longer corpus is used up: here a second whole piece.
        twice = long[: len(short)] + "salt"
        assert corpus_distance([short], [twice + "x" * (2 * len(short) - len(twice))]) == pytest.approx(
            np.mean([ncd(short, part) for part in (long[: len(short)], "salt" + "x" * (len(short) - 4))])
        )

    def test_a_piece_is_made_of_texts_on_lines_of_their_own(self):
        texts = [f"text number {i} of few" for i in range(5)]
        whole = len("\n".join(texts))
        assert corpus_distance(texts, ["y" * whole], pieces=1) in {
            ncd("\n".join(texts[i] for i in order), "y" * whole) for order in [np.random.default_rng(0).permutation(5)]
        }

    @pytest.mark.parametrize("texts", [["", " \n"], [""]])
    def test_texts_that_say_nothing(self, texts):
        with pytest.raises(DataError, match="no text of a corpus has a letter"):
            corpus_distance(["fine"], texts)

    def test_refused(self):
        with pytest.raises(DataError, match="no texts"):
            corpus_distance(["fine"], [])
        with pytest.raises(DataError, match="single string"):
            corpus_distance("fine", ["fine"])
        with pytest.raises(SettingError, match="pieces is 0"):
            corpus_distance(["a"], ["b"], pieces=0)
        for size in (0, 20_000):
            with pytest.raises(SettingError, match=f"pieces of {size} bytes do not fit twice"):
                corpus_distance(["a"], ["b"], size=size)


class TestAlignment:
    def test_is_one_less_the_mean_distance(self):
        candidates, targets = sentences(WEATHER, 3) + [""], sentences(KITCHEN, 4)
        expected = [1 - np.mean([ncd(candidate, target) for target in targets]) for candidate in candidates]
        np.testing.assert_allclose(alignment(candidates, targets), expected)
        assert alignment(candidates, targets)[-1] == 0.0

    def test_what_fits_the_target_comes_first(self):
        candidates = sentences(WEATHER, 30, 1, length=8) + sentences(KITCHEN, 30, 1, length=8)
        scores = alignment(candidates, sentences(KITCHEN, 40, 2))
        assert np.mean(np.argsort(-scores)[:30] >= 30) > 0.8

    def test_some_targets_stand_for_all_whatever_their_order(self):
        candidates, targets = sentences(WEATHER, 5), sentences(KITCHEN, 50)
        some = alignment(candidates, targets, limit=10)
        np.testing.assert_array_equal(alignment(candidates, targets[::-1], limit=10), some)
        np.testing.assert_array_equal(alignment(candidates[::-1], targets, limit=10), some[::-1])
        np.testing.assert_allclose(some, alignment(candidates, targets), atol=0.1)

    def test_long_texts_are_cut_to_half_the_window(self):
        assert alignment([noise(40_000).hex()], [noise(40_000).hex()])[0] > 0.9

    def test_refused(self):
        with pytest.raises(DataError, match="no texts"):
            alignment([], ["a"])
        with pytest.raises(DataError, match="no texts"):
            alignment(["a"], [])
        with pytest.raises(SettingError, match="limit is 0"):
            alignment(["a"], ["b"], limit=0)
