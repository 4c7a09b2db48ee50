from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.history import relevance, sampling_budget
from taskspace.ranking.history.lasso import _path


def drawn(seed, n, d):
    """Unit columns with a common part, as task vectors have, and a unit target that some of them make."""
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(n, d)) + rng.normal(size=d)
    target = sources[: n // 3 + 1].sum(axis=0) + rng.normal(size=d)
    return target / np.linalg.norm(target), sources / np.linalg.norm(sources, axis=1, keepdims=True)


def test_orthogonal_sources_by_hand():
    """There ν_s(λ) = max(c_s - λ, 0), c_s the cosine: the mean over λ up to the largest is c_s² / (2 c_max)."""
    target = np.array([0.8, -0.6, 0, 0])
    found = relevance(target * 7, np.diag([1.0, 5.0, 2.0, 3.0])[:3])
    np.testing.assert_allclose(found, [0.4, 0.36 / 1.6, 0])
    np.testing.assert_allclose(relevance(target, np.eye(4)[:3], nonnegative=True), [0.4, 0, 0])


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize(("n", "d"), [(5, 20), (12, 30), (30, 12)])
@pytest.mark.parametrize("seed", range(4))
def test_the_path_is_where_no_smaller_loss_is(seed, n, d, nonnegative):
    """Karush–Kuhn–Tucker: correlations with the residual are ±λ where ν is not 0, and nowhere larger."""
    target, sources = drawn(seed, n, d)
    knots = list(_path(sources @ sources.T, sources @ target, nonnegative))
    levels, paths = np.array([level for level, _ in knots]), np.array([nu for _, nu in knots])
    assert levels[-1] <= 1e-6
    for level in np.linspace(0.02, 0.99, 9) * levels[0]:
        nu = np.array([np.interp(level, levels[::-1], path[::-1]) for path in paths.T])
        left = sources @ (target - nu @ sources)
        inside = np.abs(nu) > 1e-9
        np.testing.assert_allclose(left[inside], level * np.sign(nu[inside]), atol=1e-9)
        assert (left if nonnegative else np.abs(left)).max() <= level + 1e-9
        assert not nonnegative or nu.min() >= -1e-9


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_coordinate_descent_of_scikit_learn(seed, nonnegative):
    linear = pytest.importorskip("sklearn.linear_model")
    target, sources = drawn(seed, 8, 25)
    top = (sources @ target).max() if nonnegative else np.abs(sources @ target).max()
    levels = (np.arange(400) + 0.5) / 400 * top
    _, found, _ = linear.lasso_path(
        sources.T, target, alphas=levels / 25, positive=nonnegative, tol=1e-12, max_iter=100_000
    )
    np.testing.assert_allclose(
        relevance(target, sources, nonnegative=nonnegative), np.abs(found).mean(axis=1), atol=2e-5
    )


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_recovers_a_planted_mixture(seed, nonnegative):
    rng = np.random.default_rng(seed)
    sources = rng.normal(size=(40, 100)) * rng.uniform(0.1, 10, size=(40, 1))  # lengths must not matter
    parts = {3: 1.0, 17: 0.8, 29: 0.6}
    target = sum(part * sources[s] / np.linalg.norm(sources[s]) for s, part in parts.items())
    found = relevance(target + 0.02 * rng.normal(size=100), sources, nonnegative=nonnegative)
    assert np.argsort(-found)[:3].tolist() == [3, 17, 29]
    assert found[[3, 17, 29]].min() > 2 * np.sort(found)[-4]


def test_a_source_taken_away_counts_unless_it_may_not():
    rng = np.random.default_rng(0)
    sources = rng.normal(size=(6, 50))
    target = sources[1] - sources[4]
    assert set(np.argsort(-relevance(target, sources))[:2]) == {1, 4}
    assert relevance(target, sources, nonnegative=True)[4] == 0


def test_relevance_is_not_the_order_of_cosines():
    """The third source is the nearest to the target, yet the first two leave nothing of it over."""
    a, b, noise = np.eye(3)
    sources = np.array([a, b, a + b + noise])
    cosines = sources @ (a + b) / np.linalg.norm(sources, axis=1)
    found = relevance(a + b, sources)
    assert cosines.argmax() == 2
    assert found.argmin() == 2
    assert found[2] > 0  # it is the first to enter, and leaves again


def test_equal_sources_count_as_one_of_them_would():
    target, sources = drawn(1, 6, 20)
    found = relevance(target, sources)
    twice = relevance(target, np.vstack([sources, 3 * sources[2], -sources[4]]))
    np.testing.assert_allclose(twice, [*found, found[2], found[4]])


def test_a_source_of_nothing_and_a_target_of_nothing():
    target, sources = drawn(2, 4, 10)
    found = relevance(target, np.vstack([np.zeros(10), sources]))
    np.testing.assert_allclose(found, [0, *relevance(target, sources)])
    np.testing.assert_array_equal(relevance(np.zeros(10), sources), np.zeros(4))
    assert relevance(target, np.zeros((0, 10))).shape == (0,)
    np.testing.assert_array_equal(relevance(target, np.zeros((2, 10))), [0, 0])


def test_sources_that_are_alike_without_being_equal():
    """Exact ties and dependent columns: two equal correlations, and a third source that is their sum."""
    target = np.array([1.0, 1.0, 0.5])
    found = relevance(target, [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    assert found.argmax() == 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(7)), nonnegative=st.booleans())
def test_the_order_of_sources_does_not_matter(seed, order, nonnegative):
    target, sources = drawn(seed, 7, 5)  # more sources than dimensions
    expected = relevance(target, sources, nonnegative=nonnegative)
    found = relevance(target, sources[list(order)], nonnegative=nonnegative)
    np.testing.assert_allclose(found, expected[list(order)], atol=1e-7)


@pytest.mark.parametrize(
    ("target", "sources", "says"),
    [
        ([1, 2], [[1, 2, 3]], r"sources of shape \(1, 3\) do not fit a target of shape \(2,\)"),
        ([1, 2], [1, 2], "do not fit a target"),
        ([1, np.nan], [[1, 2]], "holds NaN or infinite numbers"),
        ([1, 2], [[1, np.inf]], "holds NaN or infinite numbers"),
    ],
)
def test_what_does_not_fit_is_said(target, sources, says):
    with pytest.raises(DataError, match=says):
        relevance(target, sources)


def test_a_budget_by_hand():
    assert sampling_budget([3, 1, 0], 80).tolist() == [60, 20, 0]
    assert sampling_budget([3, 1, 0], 80, floor=10).tolist() == [10 + 38, 10 + 12, 10]  # 37.5 and 12.5
    assert sampling_budget([0, 0, 0], 7, floor=1).tolist() == [3, 2, 2]


@given(
    parts=st.lists(st.floats(0, 1e6), min_size=1, max_size=9), total=st.integers(0, 10_000), floor=st.integers(0, 50)
)
def test_a_budget_is_spent_and_keeps_its_floor(parts, total, floor):
    if floor * len(parts) > total:
        with pytest.raises(SettingError, match="ask for more, or a lower floor"):
            sampling_budget(parts, total, floor)
        return
    budget = sampling_budget(parts, total, floor)
    assert budget.sum() == total
    assert budget.min() >= floor
    assert all(budget[i] >= budget[j] - 1 for i in range(len(parts)) for j in range(len(parts)) if parts[i] >= parts[j])


def test_a_relevance_that_is_none_is_refused():
    with pytest.raises(DataError, match="relevance holds NaN, infinite or negative numbers"):
        sampling_budget([1, -1], 10)
