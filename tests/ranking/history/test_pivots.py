from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.history import Row, Transfers, source_prior, task_shop

NAN = np.nan


def plainly(table, target, similarity, to_pivots, pivots, weight):
    """The published sum, term by term, for a table without missing or own cells that does not hold the target."""

    def z(values):
        return (np.asarray(values) - np.mean(values)) / np.std(values)

    direct, nearness, scores = z(similarity), z(to_pivots), []
    for i, source in enumerate(table.sources):
        terms = []
        for j, pivot in enumerate(pivots):
            if pivot not in (source, target):
                terms.append(0.5 * z(table.column(pivot))[i] + 0.5 * nearness[j])
        scores.append(weight * np.mean(terms) + (1 - weight) * direct[i])
    return scores


def test_by_hand(four):
    similarity, to_pivots = [0.0, 0.0, 1.0], [0.2, 0.4]
    direct = np.array([-1, -1, 2]) / 2**0.5
    expected = 0.7 * ((four.u + four.v) / 2 + (-1 + 1) / 2) / 2 + 0.3 * direct
    np.testing.assert_allclose(task_shop(four.table, "t", similarity, to_pivots, ["u", "v"]), expected)
    # A single pivot is at the mean of its own, so that only T speaks for it.
    np.testing.assert_allclose(task_shop(four.table, "t", similarity, [0.4], ["u"]), 0.35 * four.u + 0.3 * direct)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), weight=st.floats(0, 1))
def test_agrees_with_the_published_sum(seed, weight):
    rng = np.random.default_rng(seed)
    table = Transfers(tuple("abcd"), tuple("uvwx"), rng.normal(size=(4, 4, 1)), np.full((4, 1), NAN))
    similarity, to_pivots = rng.normal(size=4), rng.normal(size=3)
    found = task_shop(table, "t", similarity, to_pivots, ["v", "x", "u"], weight)
    np.testing.assert_allclose(found, plainly(table, "t", similarity, to_pivots, ["v", "x", "u"], weight), atol=1e-9)


def test_a_source_is_not_its_own_pivot():
    rows = [Row(s, t, 0.0) for s in "abc" for t in "abc" if s != t]  # no benefit tells them apart
    found = task_shop(Transfers.of(rows), "t", [0, 0, 0], [1, 2, 3], ["a", "b", "c"], weight=1)
    z = (np.array([1, 2, 3]) - 2) / (2 / 3) ** 0.5
    np.testing.assert_allclose(found, [(z[1] + z[2]) / 4, (z[0] + z[2]) / 4, (z[0] + z[1]) / 4])


def test_which_pivots_were_measured_is_no_merit(four):
    """b and c are equal on u, and b was measured on the pivot nearest to the target too, with an average result."""
    rows = [Row("a", "u", 1), Row("b", "u", 4), Row("c", "u", 4), Row("a", "v", 0), Row("b", "v", 1), Row("d", "v", 2)]
    found = task_shop(Transfers.of(rows), "t", [0] * 4, [0, 1], ["u", "v"], weight=1)
    z = 1 / 2**0.5  # on u: -2 z, z, z; on v: -s, 0, s
    np.testing.assert_allclose(found, [-(z + 1.5**0.5 / 2) / 2, z / 4, z / 2, 1.5**0.5 / 2], atol=1e-12)


def test_without_measured_pivots_similarity_decides(four):
    direct = np.array([-(1.5**0.5), 0, 1.5**0.5])
    for pivots in ([], ["t"], ["never", "measured"]):
        found = task_shop(four.table, "t", [1, 2, 3], np.zeros(len(pivots)), pivots)
        np.testing.assert_allclose(found, direct, atol=1e-12)


def test_all_weight_on_pivots_of_a_complete_table_is_half_the_prior(published):
    table = published("model_recycling_roberta_base.csv.gz").without_target("mnli_lp")
    pivots = [name for name in table.targets if name != "rte"]
    rng = np.random.default_rng(0)
    found = task_shop(table, "rte", rng.normal(size=386), rng.normal(size=35), pivots, weight=1)
    np.testing.assert_allclose(found, source_prior(table, "rte") / 2, atol=1e-9)


def test_the_target_is_never_seen(sparse):
    table = sparse(3)
    scores = table.scores.copy()
    scores[:, 2], scores[2] = 7.0, -7.0
    names = list(table.targets)
    similarity = np.arange(6.0) ** 2
    hidden = np.where(np.array(names) == "c", NAN, similarity)  # its likeness to itself may be left out
    found = task_shop(replace(table, scores=scores), "c", hidden, hidden, names)
    np.testing.assert_array_equal(found, task_shop(table, "c", similarity, similarity, names))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (([1, 2], [1, 2], ["u", "v"]), DataError, r"similarities of shape \(2,\) do not fit 3 sources"),
        (([1, 2, 3], [1], ["u", "v"]), DataError, r"similarities of shape \(1,\) do not fit 2 pivots"),
        (([1, NAN, 3], [1, 2], ["u", "v"]), DataError, "to some sources is not a finite number"),
        (([1, 2, 3], [1, 2], ["u", "v"], 1.5), SettingError, "weight=1.5 is not a share; give one between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_said(four, given, error, says):
    with pytest.raises(error, match=says):
        task_shop(four.table, "t", *given)
