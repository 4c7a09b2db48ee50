from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import (
    Terms,
    bhattacharyya,
    hellinger,
    jensen_shannon,
    kl,
    renyi,
    term_cosine,
    terms_of,
    vocabulary_overlap,
)

COUNTS = st.lists(st.integers(0, 30), min_size=6, max_size=6).filter(any)
SMOOTHED, BOUNDED = [kl, renyi, bhattacharyya], [jensen_shannon, hellinger, term_cosine, vocabulary_overlap]


def smoothed(target, source, epsilon=0.01):
    """Add-epsilon over what either has, in plain numpy."""
    q, p = np.array(target, float), np.array(source, float)
    kept = q + p > 0
    q, p = q[kept] + epsilon, p[kept] + epsilon
    return q / q.sum(), p / p.sum()


class TestByHand:
    """The target has terms 0 and 1 evenly, the source half of term 2; the fourth occurs nowhere."""

    target, source = Terms([5, 5, 0, 0]), Terms([1, 1, 2, 0])

    def test_kl_of_the_target_against_the_source(self):
        # 2 · ½ log(½ / ¼); the other way a term is missing, and only smoothing keeps it finite.
        assert kl(self.target, self.source, epsilon=1e-12) == pytest.approx(math.log(2))
        assert kl(self.source, self.target, epsilon=1e-12) > 10

    def test_smoothing_adds_to_what_either_has(self):
        # (1 + 1, 0 + 1) / 3 against (0 + 1, 1 + 1) / 3: ⅔ log 2 - ⅓ log 2.
        assert kl(Terms([1, 0, 0]), Terms([0, 1, 0]), epsilon=1) == pytest.approx(math.log(2) / 3)

    def test_renyi_of_the_target_against_the_source(self):
        # Σ q^α p^(1-α) = 2 · ½^α ¼^(1-α) = 2^(α-1), so log(2^(α-1)) / (α-1) = log 2 for every α below 1 ...
        for alpha in (0.9, 0.99, 1):
            assert renyi(self.target, self.source, alpha=alpha, epsilon=1e-13) == pytest.approx(math.log(2))
        # ... and log(2^(-α)) / (α-1) the other way.
        assert renyi(self.source, self.target, alpha=0.5, epsilon=1e-15) == pytest.approx(math.log(2), rel=1e-6)

    def test_the_symmetric_ones(self):
        affinity = 2 * math.sqrt(1 / 8)
        assert bhattacharyya(self.target, self.source, epsilon=1e-15) == pytest.approx(-math.log(affinity), rel=1e-6)
        assert hellinger(self.target, self.source) == pytest.approx(math.sqrt(1 - affinity))
        middle = -2 * 3 / 8 * math.log2(3 / 8) - 1 / 4 * math.log2(1 / 4)
        assert jensen_shannon(self.target, self.source) == pytest.approx(middle - (1 + 1.5) / 2)
        assert term_cosine(self.target, self.source) == pytest.approx(1 - 10 / math.sqrt(50 * 6))
        assert vocabulary_overlap(self.target, self.source) == pytest.approx(1 - 2 / 3)

    @pytest.mark.parametrize("divergence", BOUNDED)
    def test_nothing_in_common_is_1(self, divergence):
        assert divergence(Terms([2, 1, 0]), Terms([0, 0, 7])) == pytest.approx(1.0, abs=1e-12)


@given(COUNTS, COUNTS)
def test_against_scipy(target, source):
    stats, distance = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.spatial.distance")
    q, p = smoothed(target, source)
    assert kl(Terms(target), Terms(source)) == pytest.approx(stats.entropy(q, p), abs=1e-12)
    root = distance.jensenshannon(target, source, base=2)
    assert jensen_shannon(Terms(target), Terms(source)) == pytest.approx(root**2, abs=1e-7)
    assert term_cosine(Terms(target), Terms(source)) == pytest.approx(distance.cosine(target, source), abs=1e-12)
    both = distance.jaccard(np.array(target) > 0, np.array(source) > 0)
    assert vocabulary_overlap(Terms(target), Terms(source)) == pytest.approx(both)


@given(COUNTS, COUNTS, st.floats(0.05, 0.95))
def test_renyi_is_its_formula(target, source, alpha):
    q, p = smoothed(target, source)
    plain = math.log(np.sum(q**alpha * p ** (1 - alpha))) / (alpha - 1)
    assert renyi(Terms(target), Terms(source), alpha=alpha) == pytest.approx(plain, abs=1e-12)


@given(COUNTS, COUNTS)
def test_renyi_lies_between_its_relatives(target, source):
    a, b = Terms(target), Terms(source)
    assert renyi(a, b, alpha=0.5) == pytest.approx(2 * bhattacharyya(a, b), abs=1e-12)
    assert renyi(a, b, alpha=1) == kl(a, b)
    assert renyi(a, b, alpha=1 - 1e-9) == pytest.approx(kl(a, b), abs=1e-6)
    orders = [renyi(a, b, alpha=alpha) for alpha in (0.1, 0.5, 0.9, 0.99, 1)]
    assert np.all(np.diff(orders) >= -1e-12)  # it never falls with its order


@given(COUNTS, COUNTS)
def test_hellinger_and_bhattacharyya_agree(target, source):
    affinity = np.sum(np.sqrt(np.array(target) / sum(target) * np.array(source) / sum(source)))
    assert hellinger(Terms(target), Terms(source)) ** 2 == pytest.approx(1 - affinity, abs=1e-12)
    q, p = smoothed(target, source)
    assert bhattacharyya(Terms(target), Terms(source)) == pytest.approx(-math.log(np.sum(np.sqrt(q * p))), abs=1e-12)


@pytest.mark.parametrize("divergence", [*SMOOTHED, *BOUNDED])
@given(target=COUNTS, source=COUNTS, times=st.integers(2, 5))
def test_a_distance_is_not_negative_and_zero_on_itself(divergence, target, source, times):
    a, b = Terms(target), Terms(source)
    assert divergence(a, a) == 0.0
    assert math.copysign(1, divergence(a, a)) == 1
    assert 0 <= divergence(a, b) < math.inf
    if divergence in BOUNDED:
        assert divergence(a, b) <= 1
        assert divergence(Terms(times * a.counts), b) == pytest.approx(divergence(a, b), abs=1e-7)
    if divergence not in (kl, renyi):
        assert divergence(a, b) == pytest.approx(divergence(b, a), abs=1e-12)


@pytest.mark.parametrize("metric", [hellinger, lambda a, b: math.sqrt(jensen_shannon(a, b))])
@given(COUNTS, COUNTS, COUNTS)
def test_the_triangle_closes(metric, one, two, three):
    a, b, c = Terms(one), Terms(two), Terms(three)
    assert metric(a, c) <= metric(a, b) + metric(b, c) + 1e-7


class TestCounting:
    def test_words_and_pairs_of_neighbours_within_a_text(self):
        terms = terms_of(["The cat, the dog!", "Dog"], buckets=2**20)
        # the 2, cat 1, dog 2; "the cat", "cat the", "the dog" once each; not "dog dog" across texts
        assert sorted(terms.counts[terms.counts > 0]) == [1, 1, 1, 1, 2, 2]

    def test_the_bucket_is_the_crc(self):
        # 0xCBF43926 is the published check value of CRC-32.
        assert np.flatnonzero(terms_of(["123456789"], buckets=1000).counts).tolist() == [0xCBF43926 % 1000]

    def test_words_of_any_script(self):
        terms = terms_of(["Größe naïve", "größe ЖИЗНЬ жизнь", "\ud800 x"])
        assert terms.counts.sum() == 2 + 1 + 3 + 2 + 1
        assert terms.counts.max() == 2

    @given(st.lists(st.sampled_from(["a b", "b", "c a b", "!"]), min_size=1), st.randoms())
    def test_the_order_of_texts_is_nothing(self, texts, random):
        assume(set(texts) != {"!"})
        before = terms_of(texts, buckets=64).counts
        random.shuffle(texts)
        np.testing.assert_array_equal(terms_of(texts, buckets=64).counts, before)

    def test_terms_do_not_change(self):
        counts = np.ones(3)
        terms = Terms(counts)
        counts[0] = 9
        assert terms.counts[0] == 1
        with pytest.raises(ValueError, match="read-only"):
            terms.counts[0] = 2


class TestRefused:
    @pytest.mark.parametrize("texts", [["", "?!"], [" \n"]])
    def test_texts_without_words(self, texts):
        with pytest.raises(DataError, match=f"none of {len(texts)} texts has a word; give"):
            terms_of(texts)

    def test_an_empty_corpus(self):
        with pytest.raises(DataError, match="no texts"):
            terms_of([])

    @pytest.mark.parametrize("counts", [[0, 0], [1, -1], [1, np.nan], [[1, 2]], []])
    def test_counts_that_are_no_distribution(self, counts):
        with pytest.raises(DataError, match="no distribution"):
            Terms(counts)

    @pytest.mark.parametrize("divergence", [*SMOOTHED, *BOUNDED])
    def test_other_buckets(self, divergence):
        with pytest.raises(DataError, match="in 8 and in 16 buckets"):
            divergence(terms_of(["a"], buckets=8), terms_of(["a"], buckets=16))

    def test_settings_that_are_none(self):
        terms = Terms([1, 1])
        for alpha in (0, 1.5, math.nan):
            with pytest.raises(SettingError, match="alpha is"):
                renyi(terms, terms, alpha=alpha)
        for divergence in SMOOTHED:
            with pytest.raises(SettingError, match="epsilon is 0; take a positive number"):
                divergence(terms, terms, epsilon=0)
        with pytest.raises(SettingError, match="buckets is 1"):
            terms_of(["a"], buckets=1)
