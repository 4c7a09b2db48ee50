from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import MissingExtra, PromptError, SettingError
from taskspace.prompting.likeness import MEASURES, measure_named

SEEDS = st.integers(0, 2**32 - 1)
ALONE = sorted(name for name, m in MEASURES.items() if not {"prior", "transfers"} & set(m.needs))
BY_PLACE = {"flat", "cka"}
SCALED = {"euclidean", "norm_difference", "source_norm", "centred_raw"}
NOT_ROTATED = {"max_pool", "scaled"}
WITH_LENGTH = {"flat", "cka", "matched"}


def mirror_and_turn(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


# --- by hand -----------------------------------------------------------------------------------------------------


E1, E2, E3 = np.eye(3)


def test_pooled_by_hand():
    # Mean tokens: target (1/2, 1/2, 0); sources (1, 0, 0), (0, 0, 2), and minus the target.
    target = np.array([E1, E2])
    sources = [np.array([E1, E1]), np.array([2 * E3]), -target]
    np.testing.assert_allclose(MEASURES["pooled"](target, sources), [0.5**0.5, 0, -1])


def test_rows_are_brought_to_one_length_before_pooling():
    target, source = np.array([E1]), np.array([100 * E1, E2])
    assert MEASURES["pooled"](target, [source])[0] == pytest.approx(100 / (100**2 + 1) ** 0.5)
    assert MEASURES["pooled_rows"](target, [source])[0] == pytest.approx(0.5**0.5)


def test_token_measures_by_hand():
    target = np.array([3 * E1, E2])
    source = np.array([E2, E2])
    assert MEASURES["all_pairs"](target, [source])[0] == pytest.approx((0 + 0 + 1 + 1) / 4)
    assert MEASURES["max"](target, [source])[0] == pytest.approx((0 + 1) / 2)
    assert MEASURES["max"](source, [target])[0] == pytest.approx(1)  # not symmetric
    assert MEASURES["matched"](target, [source])[0] == pytest.approx((0 + 1) / 2)
    assert MEASURES["flat"](target, [source])[0] == pytest.approx(1 / (10**0.5 * 2**0.5))
    # Second moments diag(1, 1, 0) and diag(0, 2, 0): cosine 2 / (sqrt(2) * 2).
    assert MEASURES["second_moment"](target, [source])[0] == pytest.approx(0.5**0.5)


def test_norms_and_distances_by_hand():
    target = np.array([2 * E1, 2 * E2])  # norm per token 2, mean (1, 1, 0)
    sources = [np.array([4 * E1]), np.array([E1, E1]), target]
    np.testing.assert_allclose(MEASURES["norm_difference"](target, sources), [-np.log(2), -np.log(2), 0])
    np.testing.assert_allclose(MEASURES["source_norm"](target, sources), [4, 1, 2])
    np.testing.assert_allclose(MEASURES["euclidean"](target, sources), [-(10**0.5), -1, 0])


def test_max_pool_by_hand():
    target, source = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, -1.0], [0.0, -5.0]])
    # Largest entries (1, 2) and (1, -1).
    assert MEASURES["max_pool"](target, [source])[0] == pytest.approx(-1 / (5**0.5 * 2**0.5))


def test_centring_removes_what_all_share():
    """Three prompts at the corners of a triangle about a common vector: less the mean, each pair is at 120 degrees."""
    corners = [np.array([np.cos(a), np.sin(a), 0]) for a in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    prompts = [np.array([9 * E3 + corner]) for corner in corners]
    assert MEASURES["pooled"](prompts[0], prompts[1:]).min() > 0.98
    np.testing.assert_allclose(MEASURES["centred"](prompts[0], prompts[1:]), [-0.5, -0.5])
    np.testing.assert_allclose(MEASURES["centred_raw"](prompts[0], prompts[1:]), [-0.5, -0.5])


def test_raw_centring_is_decided_by_the_longest_prompt():
    target, near, far = np.array([E1]), np.array([E1 + 0.1 * E2]), np.array([E2])
    sources = [near, far, np.array([1000 * E3])]
    at_one_length, raw = MEASURES["centred"](target, sources), MEASURES["centred_raw"](target, sources)
    assert at_one_length[1] < 0
    assert raw[1] > 0.99  # all short prompts lie opposite the long one, whatever they are


def test_without_top_leaves_the_second_direction():
    # Unit vectors near e1, apart along e2 only: what is left is the sign along e2.
    prompts = [np.array([10 * E1 + sign * E2]) for sign in (1, 1, -1)]
    np.testing.assert_allclose(np.sign(MEASURES["without_top"](prompts[0], prompts[1:])), [1, -1])


def test_top_components_keep_nine_tenths_of_the_energy():
    prompts = [np.array([E1]), np.array([E1]), np.array([10 * E1 + E2])]
    # The first direction holds nearly all: the second, which alone tells the third prompt apart, is dropped.
    np.testing.assert_allclose(MEASURES["top_components"](prompts[0], prompts[1:]), [1, 1])


def test_scaled_is_not_ruled_by_one_coordinate():
    rogue = np.array([50.0, 0, 0])
    prompts = [np.array([rogue + E2]), np.array([rogue + E2]), np.array([rogue + E3])]
    assert np.ptp(MEASURES["pooled"](prompts[0], prompts[1:])) < 0.001
    scores = MEASURES["scaled"](prompts[0], prompts[1:])
    assert scores[0] - scores[1] > 0.5


def test_hubness_prefers_the_source_that_is_not_near_everything():
    a = np.array([1.0, 0, 0])
    hub = np.array([1.0, 1.0, 1.0])
    prompts = [np.array([v]) for v in (a, a + 0.8 * hub, a - 0.45 * (E2 + E3), E2, E3)]
    target, sources = prompts[0], prompts[1:]
    cosines = MEASURES["pooled"](target, sources)
    assert cosines[0] > cosines[1]
    corrected = MEASURES["hubness"](target, sources)
    assert corrected[1] > corrected[0]


# --- against slow and other references ------------------------------------------------------------------------------


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_token_measures_are_those_of_loops(draw, seed):
    target, sources = draw(seed, n=2, m=4)
    target, sources = target.astype(np.float64), [s.astype(np.float64) for s in sources]
    for i, source in enumerate(sources):
        best = np.mean([max(cosine(p, q) for q in source) for p in target])
        assert MEASURES["max"](target, sources)[i] == pytest.approx(best)
        pairs = np.mean([cosine(p, q) for p, q in itertools.product(target, source)])
        assert MEASURES["all_pairs"](target, sources)[i] == pytest.approx(pairs)
        orders = (
            np.mean([cosine(p, source[j]) for p, j in zip(target, order, strict=True)])
            for order in itertools.permutations(range(4))
        )
        assert MEASURES["matched"](target, sources)[i] == pytest.approx(max(orders))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_cka_is_hsic_of_centred_grams(draw, seed):
    """Kornblith et al. 2019, equations 2 and 3, with explicit centring matrices."""
    target, sources = draw(seed, n=1, m=6)
    h = np.eye(6) - 1 / 6
    one, two = (x.astype(np.float64) @ x.T.astype(np.float64) for x in (target, sources[0]))

    def hsic(a, b):
        return np.trace(a @ h @ b @ h)

    expected = hsic(one, two) / np.sqrt(hsic(one, one) * hsic(two, two))
    assert MEASURES["cka"](target, sources)[0] == pytest.approx(expected)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_second_moment_is_the_cosine_of_the_d_by_d_matrices(draw, seed):
    target, sources = draw(seed, n=1, m=5)
    moments = []
    for tokens in (target, sources[0]):
        rows = tokens.astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        moments.append(sum(np.outer(row, row) for row in rows).ravel())
    assert MEASURES["second_moment"](target, sources)[0] == pytest.approx(cosine(*moments))


@settings(max_examples=10)
@given(seed=SEEDS)
def test_subspace_is_that_of_scipys_principal_angles(draw, seed):
    angles_between = pytest.importorskip("scipy.linalg").subspace_angles
    target, sources = draw(seed, n=1, m=4, d=9)
    expected = np.mean(np.cos(angles_between(target.T.astype(np.float64), sources[0].T.astype(np.float64))) ** 2)
    assert MEASURES["subspace"](target, sources)[0] == pytest.approx(expected, abs=1e-8)


def test_matched_on_larger_prompts_is_never_beaten_by_a_random_order(draw):
    target, sources = draw(0, n=1, m=40, d=6)
    best = MEASURES["matched"](target, sources)[0]
    rng = np.random.default_rng(1)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (target, sources[0])]
    assert best >= max(float((unit[0] * rng.permutation(unit[1])).sum(axis=1).mean()) for _ in range(200))
    assert MEASURES["matched"](target, [rng.permutation(target)])[0] == pytest.approx(1, abs=1e-6)


# --- invariances -----------------------------------------------------------------------------------------------------


@settings(max_examples=8)
@pytest.mark.parametrize("name", [n for n in ALONE if n not in BY_PLACE])
@given(seed=SEEDS)
def test_the_order_of_tokens_says_nothing(draw, name, seed):
    target, sources = draw(seed)
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(source) for source in sources]
    expected = MEASURES[name](target, sources)
    np.testing.assert_allclose(MEASURES[name](rng.permutation(target), shuffled), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(BY_PLACE))
def test_measures_by_place_heed_the_order_of_tokens(draw, name):
    target, _ = draw(3)
    same, turned = MEASURES[name](target, [target, target[::-1]])
    assert same == pytest.approx(1)
    assert turned < 0.9
    moved = MEASURES["cka"](target[::-1], [target[::-1]])[0]  # both in another order are still one
    assert moved == pytest.approx(1)


@settings(max_examples=8)
@pytest.mark.parametrize("name", [n for n in ALONE if n not in SCALED])
@given(seed=SEEDS, factor=st.sampled_from([1e-3, 0.25, 44.0]))
def test_the_scale_of_a_prompt_says_nothing(draw, name, seed, factor):
    target, sources = draw(seed)
    expected = MEASURES[name](target, sources)
    scaled = [sources[0] * np.float32(factor), *sources[1:]]
    np.testing.assert_allclose(MEASURES[name](target * np.float32(1 / factor), scaled), expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SCALED))
def test_the_others_heed_the_scale(draw, name):
    target, sources = draw(5)
    scaled = [sources[0] * 44, *sources[1:]]
    assert np.abs(MEASURES[name](target, scaled) - MEASURES[name](target, sources)).max() > 0.01


@settings(max_examples=8)
@pytest.mark.parametrize("name", [n for n in ALONE if n not in NOT_ROTATED])
@given(seed=SEEDS)
def test_turning_the_space_says_nothing(draw, name, seed):
    target, sources = draw(seed)
    turn = mirror_and_turn(np.random.default_rng(seed), target.shape[1])
    expected = MEASURES[name](target, sources)
    np.testing.assert_allclose(MEASURES[name](target @ turn, [s @ turn for s in sources]), expected, atol=1e-5)


@settings(max_examples=8)
@pytest.mark.parametrize("name", ALONE)
@given(seed=SEEDS)
def test_the_order_of_sources_says_nothing(draw, name, seed):
    target, sources = draw(seed)
    order = np.random.default_rng(seed).permutation(len(sources))
    expected = MEASURES[name](target, sources)[order]
    np.testing.assert_allclose(MEASURES[name](target, [sources[i] for i in order]), expected, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in ALONE if n not in {"source_norm"}])
def test_the_target_itself_comes_first(draw, name):
    target, sources = draw(11)
    scores = MEASURES[name](target, [*sources, target.copy()])
    assert scores.argmax() == len(sources)


@pytest.mark.parametrize("name", ALONE)
def test_equal_sources_tie_exactly(draw, name):
    target, sources = draw(13)
    scores = MEASURES[name](target, [*sources, sources[1].copy()])
    if name != "fused":  # ranks tie at their mean
        assert scores[-1] == scores[1]
    assert scores[-1] == pytest.approx(scores[1])


# --- lengths, widths, zeros -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALONE)
def test_other_lengths_are_taken_unless_tokens_are_paired(draw, name):
    target, sources = draw(17)
    uneven = [sources[0][:3], *sources[1:]]
    if name in WITH_LENGTH:
        with pytest.raises(PromptError, match=r"'a' has 3 tokens and the target 5.*take one that pools"):
            MEASURES[name](target, uneven, names=["'a'", "b", "c", "d"])
    else:
        assert np.isfinite(MEASURES[name](target, uneven)).all()


def test_more_of_the_same_tokens_are_the_same_prompt_to_pooling(draw):
    target, sources = draw(19)
    longer = [np.concatenate([source, source]) for source in sources]
    for name in ("pooled", "pooled_rows", "all_pairs", "max", "second_moment", "centred", "norm_difference"):
        np.testing.assert_allclose(MEASURES[name](target, longer), MEASURES[name](target, sources), atol=1e-6)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_another_width_is_refused(draw, name):
    target, sources = draw(23)
    with pytest.raises(PromptError, match=r"source 2 is 6 wide and the target 7; compare prompts of one backbone only"):
        MEASURES[name](target, [sources[0], sources[1][:, :6]], prior=[0, 0], known=np.zeros((2, 2)))


@pytest.mark.parametrize("name", ALONE)
def test_a_prompt_of_zeros_breaks_nothing(draw, name):
    target, sources = draw(29)
    assert np.isfinite(MEASURES[name](target, [np.zeros_like(target), *sources])).all()
    assert np.isfinite(MEASURES[name](np.zeros_like(target), sources)).all()


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_what_is_no_prompt_is_refused(bad):
    with pytest.raises(PromptError, match="source 1"):
        MEASURES["pooled"](np.ones((2, 3)), [bad])


def test_what_looks_at_all_sources_needs_two(draw):
    target, sources = draw(31)
    with pytest.raises(PromptError, match="there is 1; give two at least"):
        MEASURES["centred"](target, sources[:1])


def test_no_sources_no_scores(draw):
    assert MEASURES["pooled"](draw(0)[0], []).shape == (0,)


def test_an_unknown_measure_is_named():
    with pytest.raises(SettingError, match="there is no measure 'poled'; did you mean 'pooled'"):
        measure_named("poled")


def test_matching_says_which_extra_it_needs(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    monkeypatch.setattr("taskspace._extras.find_spec", lambda name: None)
    target, sources = draw(37)
    with pytest.raises(MissingExtra, match=r"'matched' needs scipy.*taskspace\[sklearn\]"):
        MEASURES["matched"](target, sources)
