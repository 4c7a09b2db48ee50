"""Against Student's own data as R prints them, against scipy, against hand-worked cases, and by their properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from taskspace.errors import DataError
from taskspace.prompting.study.statistics import (
    bonferroni,
    holm,
    mean_interval,
    paired,
    paired_by,
    two_way_interval,
    welch,
)

# Extra hours of sleep with two drugs, ten patients (Student 1908); R's `sleep`.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

probabilities = st.lists(st.floats(0, 1), max_size=12)


def test_welch_on_students_sleep_data_as_r_prints_it():
    """`t.test(extra ~ group, data = sleep)`"""
    found = welch(DRUG_1, DRUG_2)
    assert (found.t, found.df, found.p) == pytest.approx((-1.8608, 17.776, 0.07939), rel=1e-4)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), rel=1e-6)
    assert found.difference == pytest.approx(-1.58)
    assert found.n == (10, 10)


def test_paired_on_students_sleep_data_as_r_prints_it():
    """`t.test(Pair(extra[group == 1], extra[group == 2]) ~ 1, data = sleep)`"""
    found = paired(DRUG_1, DRUG_2)
    assert (found.t, found.df, found.p) == pytest.approx((-4.0621, 9, 0.002833), rel=1e-4)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_both_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.8, 0.1, rng.integers(2, 9)), rng.normal(0.7, 0.3, 6)
    ours, theirs = welch(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert (ours.t, ours.p, ours.df) == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    c = b + rng.normal(0, 0.05, 6)
    ours, theirs = paired(b, c, confidence=0.9), stats.ttest_rel(b, c)
    assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval(0.9)))


def test_hedges_g_of_a_textbook_case():
    """Borenstein et al. 2009, page 26: means 103 and 100, sd 5.5 and 4.5, n 50 each give g = 0.5924."""
    z = np.linspace(-1, 1, 50)
    z = (z - z.mean()) / z.std(ddof=1)
    assert welch(103 + 5.5 * z, 100 + 4.5 * z).g == pytest.approx(0.5924, abs=5e-5)


def test_hedges_g_of_three_pairs_by_hand():
    """Differences 1, 2, 3: mean 2, sd 1, J(2) = Γ(1) / (√1 Γ(1/2)) = 1/√π."""
    assert paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).g == pytest.approx(2 / np.sqrt(np.pi))


def test_two_pairs_have_a_p_but_no_unbiased_effect():
    """t with one degree of freedom is Cauchy: differences 1, 3 give t = 2 and p = 1 - 2 atan(2)/π."""
    found = paired([1.0, 3.0], [0.0, 0.0])
    assert found.p == pytest.approx(1 - 2 * np.arctan(2) / np.pi)
    assert found.g is None


@pytest.mark.parametrize(("first", "second"), [([], []), ([0.5], [0.4]), ([0.5], [0.4, 0.3])])
def test_fewer_than_two_runs_give_no_number(first, second):
    found = welch(first, second)
    assert (found.note, found.p, found.low, found.g) == ("not enough runs", None, None, None)
    if len(first) == len(second):
        found = paired(first, second)
        assert (found.note, found.p) == ("not enough runs", None)
        assert found.difference == (pytest.approx(0.1) if first else None)


def test_runs_without_spread_give_no_number_either():
    assert welch([0.5, 0.5], [0.4, 0.4, 0.4]).note == "no spread"
    found = paired([0.1 + 0.2, 0.6], [0.3, 0.6])  # equal up to rounding
    assert (found.note, found.p) == ("no spread", None)


def test_pairs_must_pair():
    with pytest.raises(DataError, match="2 values cannot be paired with 3"):
        paired([1, 2], [1, 2, 3])


@pytest.mark.parametrize("values", [[0.1, float("nan")], [[0.1, 0.2]], 0.3])
def test_a_sample_is_a_list_of_finite_numbers(values):
    with pytest.raises(DataError, match="one score per run"):
        welch(values, [0.1, 0.2])


def test_cells_of_one_unit_are_averaged_before_pairing():
    """Six mixed cells of three vectors are three pairs: (.7, .6, .8) against (.8, .8, .8)."""
    mixed = {0: [0.6, 0.8], 1: [0.5, 0.7], 2: [0.8, 0.8]}
    found = paired_by(mixed, {0: [0.8], 1: [0.8], 2: [0.8], 3: [0.1]})
    assert found.n == (3, 3)
    assert (found.difference, found.t, found.df) == pytest.approx((-0.1, -0.1 / (0.1 / np.sqrt(3)), 2))
    assert paired([c for own in mixed.values() for c in own], [0.8] * 6).p < found.p  # what it guards against


def test_mean_interval_is_scipys():
    values = [0.71, 0.74, 0.78, 0.69]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx((np.mean(values), low, high))
    assert mean_interval([0.3]) == (0.3, None, None)


def test_holm_as_r_prints_it():
    """`p.adjust(c(.01, .02, .03, .04, .05), "holm")`, in another order and with a test that has no number."""
    assert holm([0.03, 0.01, None, 0.05, 0.04, 0.02]) == [
        pytest.approx(0.09), pytest.approx(0.05), None, pytest.approx(0.09), pytest.approx(0.09), pytest.approx(0.08),
    ]  # fmt: skip


def test_bonferroni_counts_tests_that_have_a_number():
    assert bonferroni([0.01, None, 0.4, 0.5]) == [pytest.approx(0.03), None, 1.0, 1.0]
    assert holm([]) == bonferroni([]) == []


@given(probabilities)
def test_holm_lies_between_the_raw_p_and_bonferroni(ps):
    for raw, ours, bound in zip(ps, holm(ps), bonferroni(ps), strict=True):
        assert raw <= ours <= bound + 1e-15


@given(probabilities)
def test_holm_rejects_what_the_step_down_procedure_rejects(ps):
    level, order = 0.05, sorted(range(len(ps)), key=lambda i: ps[i])
    rejected = set()
    for rank, i in enumerate(order):
        if ps[i] * (len(ps) - rank) > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(ps)) if p <= level} == rejected


def test_the_two_way_bootstrap_of_two_by_two_is_its_enumeration():
    """Each side draws (2,0), (1,1), (0,2) with probability 1/4, 1/2, 1/4; nan cells do not count."""
    cells = np.array([[np.nan, 1.0], [2.0, 4.0]])
    outcomes = []
    for rows, columns in itertools.product(itertools.product((0, 1), repeat=2), repeat=2):
        drawn = cells[np.ix_(rows, columns)]
        if not np.isnan(drawn).all():
            outcomes.append(np.nanmean(drawn))
    outcomes = np.sort(outcomes)
    for confidence in (0.5, 0.95):
        low, high = two_way_interval(cells, confidence=confidence, draws=40_000)
        tail = (1 - confidence) / 2
        assert np.mean(outcomes < low - 1e-9) <= tail + 0.01 <= np.mean(outcomes <= low + 1e-9) + 0.02
        assert np.mean(outcomes > high + 1e-9) <= tail + 0.01 <= np.mean(outcomes >= high - 1e-9) + 0.02


def test_the_two_way_bootstrap_is_wider_where_rows_differ_than_the_cells_alone_say():
    """Ten inits of two vectors are two vectors: the spread between them does not shrink with the inits."""
    rng = np.random.default_rng(0)
    cells = np.array([[0.0], [0.1], [0.05]]) + rng.normal(0, 1e-4, (3, 10))
    low, high = two_way_interval(cells)
    _, plain_low, plain_high = mean_interval(cells.ravel())
    assert high - low > 2 * (plain_high - plain_low)


def test_the_two_way_bootstrap_needs_two_of_both_and_repeats():
    assert two_way_interval(np.array([[0.1, 0.2, 0.3]])) is None
    assert two_way_interval(np.array([[0.1, np.nan], [0.2, np.nan]])) is None
    assert two_way_interval(np.zeros((0, 0))) is None
    cells = np.arange(6.0).reshape(2, 3)
    assert two_way_interval(cells) == two_way_interval(cells)
    assert two_way_interval(np.full((3, 3), 0.25)) == pytest.approx((0.25, 0.25))
