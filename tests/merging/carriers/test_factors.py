from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.merging import TaskVector
from taskspace.merging.carriers import Arrays, Factors, Pair, combine
from taskspace.merging.carriers.factors import PANEL, concatenated, inner, truncated
from taskspace.merging.checkpoint import InMemory
from taskspace.merging.measures import inner_products
from taskspace.merging.window import Window, windows


def pair(seed, m, n, rank, *, transposed=False, shape=None):
    rng = np.random.default_rng(seed)
    up, down = rng.standard_normal((m, rank)), rng.standard_normal((rank, n))
    shape = shape or ((n, m) if transposed else (m, n))
    return Pair(up.astype(np.float32), down.astype(np.float32), shape, transposed)


def dense(one):
    """float64, by the definition."""
    product = one.up.astype(np.float64) @ one.down.astype(np.float64)
    return (product.T if one.transposed else product).reshape(one.shape)


def read(carrier, name="w"):
    spec = carrier.layout[name]
    return carrier.block(Window(name, 0, spec.size)).reshape(spec.shape)


RANKS = st.lists(st.tuples(st.integers(1, 7), st.floats(-3, 3, width=32)), min_size=1, max_size=4)


@given(RANKS, st.booleans(), st.integers(0, 99))
def test_factors_side_by_side_are_the_sum_of_products(ranks, transposed, seed):
    pairs = [(w, pair(seed + i, 6, 5, rank, transposed=transposed)) for i, (rank, w) in enumerate(ranks)]
    whole = concatenated(pairs)
    assert whole.rank == sum(rank for rank, _ in ranks)
    np.testing.assert_allclose(dense(whole), sum(w * dense(one) for w, one in pairs), rtol=1e-5, atol=1e-5)


def test_a_pair_that_lies_the_other_way_is_turned():
    one, two = pair(0, 6, 5, 2), pair(1, 5, 6, 3, transposed=True)
    np.testing.assert_allclose(dense(concatenated([(1, one), (-2, two)])), dense(one) - 2 * dense(two), rtol=1e-5)
    np.testing.assert_allclose(dense(two.turned()), dense(two), rtol=1e-6)
    assert inner(one, two) == pytest.approx(float(np.vdot(dense(one), dense(two))))


@pytest.mark.parametrize("rank", [1, 3, 5, 9])
@pytest.mark.parametrize("transposed", [False, True])
def test_truncation_is_the_best_there_is(rank, transposed):
    exact = pair(3, 9, 7, 6, transposed=transposed)
    values = dense(exact)
    kept, lost = truncated(exact, rank)
    u, s, vt = np.linalg.svd(values)
    best = (u[:, :rank] * s[:rank]) @ vt[:rank] if rank < len(s) else values
    np.testing.assert_allclose(dense(kept), best, atol=1e-5)
    assert lost == pytest.approx(float(np.sum(s[rank:] ** 2) / np.sum(s**2)), abs=1e-12)
    assert kept.rank == min(rank, 6)


def test_a_pair_of_zeros_loses_nothing():
    nothing = Pair(np.zeros((4, 2), np.float32), np.ones((2, 3), np.float32), (4, 3))
    kept, lost = truncated(nothing, 1)
    assert lost == 0
    assert not dense(kept).any()


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_inner_products_are_those_of_the_weights(first, second, seed):
    one, two = pair(seed, 8, 3, first), pair(seed + 1, 8, 3, second)
    assert inner(one, two) == pytest.approx(float(np.vdot(dense(one), dense(two))), rel=1e-9, abs=1e-9)


def test_sums_of_factors_meet_without_being_multiplied_out(monkeypatch):
    parts = {name: Factors.of({"w": pair(i, 8, 3, 2)}) for i, name in enumerate("abc")}
    one = combine([(2.0, parts["a"]), (-1.0, parts["b"])])
    expected = np.vdot(2 * dense(parts["a"].pairs["w"]) - dense(parts["b"].pairs["w"]), dense(parts["c"].pairs["w"]))
    with monkeypatch.context() as patch:
        patch.setattr(Factors, "block", lambda *_: pytest.fail("the difference was formed"))
        assert inner_products(one, parts["c"])["w"] == pytest.approx(float(expected))
    plain = Arrays(InMemory({"w": dense(parts["c"].pairs["w"]).astype(np.float32)}))
    assert inner_products(one, plain)["w"] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("stretch", [1, 7, 64, 1000, 10**6])
def test_the_same_bits_however_it_is_cut(transposed, stretch):
    rows = 2 * PANEL + 11
    factors = Factors.of({"w": pair(5, *((13, rows) if transposed else (rows, 13)), 4, transposed=transposed)})
    spec = factors.layout["w"]
    cut = np.concatenate([factors.block(window) for window in windows("w", spec, stretch)])
    whole = read(factors)
    assert cut.tobytes() == whole.tobytes()
    np.testing.assert_allclose(whole, dense(factors.pairs["w"]), rtol=1e-4, atol=1e-5)


def test_a_window_may_begin_anywhere(rng):
    factors = Factors.of({"w": pair(6, PANEL + 40, 9, 3)})
    whole = read(factors).reshape(-1)
    for _ in range(30):
        start, stop = sorted(rng.integers(0, len(whole) + 1, 2))
        np.testing.assert_array_equal(factors.block(Window("w", int(start), int(stop))), whole[start:stop])


def test_convolutions_are_seen_unfolded():
    factors = Factors.of({"w": pair(7, 4, 3 * 2 * 2, 2, shape=(4, 3, 2, 2))})
    np.testing.assert_allclose(read(factors), dense(factors.pairs["w"]), rtol=1e-5, atol=1e-6)


def test_a_vector_of_factors_obeys_the_algebra():
    one, two = (TaskVector(Factors.of({"w": pair(i, 6, 4, i + 1)}), {str(i): 1.0}) for i in range(2))
    mixed = 0.5 * one - 2 * two
    values = 0.5 * dense(one.carrier.pairs["w"]) - 2 * dense(two.carrier.pairs["w"])
    np.testing.assert_allclose(read(mixed.carrier), values, rtol=1e-4, atol=1e-5)
    assert mixed.norm == pytest.approx(float(np.linalg.norm(values)), rel=1e-6)
