from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.data.rows import Example
from taskspace.data.sampling import Census, places, quotas, sample


def examples(labels):
    return [Example(f"text {i}", None, label) for i, label in enumerate(labels)]


def test_quotas_by_hand():
    assert quotas({"a": 900, "b": 90, "c": 10}, 100) == {"a": 90, "b": 9, "c": 1}
    # c would get half a row and gets one; 9 are left for 1900 : 100, that is 8.55 and 0.45, so b too gets one.
    assert quotas({"a": 1900, "b": 100, "c": 50}, 10) == {"a": 8, "b": 1, "c": 1}
    # 5/3 each: one row each, two remainders go to the first two.
    assert quotas({"a": 7, "b": 7, "c": 7}, 5) == {"a": 2, "b": 2, "c": 1}
    assert quotas({"a": 2, "b": 1}, 5) == {"a": 2, "b": 1}


def test_rows_without_label_give_way_to_classes():
    assert quotas({"": 100, "a": 1, "b": 1}, 2) == {"a": 1, "b": 1}
    assert quotas({"": 100, "a": 1, "b": 1}, 4) == {"": 2, "a": 1, "b": 1}


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 10_000), min_size=1, max_size=30), st.integers(0, 5000))
def test_quotas_sum_to_the_limit_and_keep_shares(counts, more):
    limit, total = len(counts) + more, sum(counts.values())
    quota = quotas(counts, limit)
    assert sum(quota.values()) == min(limit, total)
    for key, n in counts.items():
        assert 1 <= quota[key] <= n
        # No class exceeds its exact share by a whole row, unless the share is below one.
        assert quota[key] <= max(1, n * limit / total + 1)


@given(st.integers(0, 200), st.data())
def test_places_are_distinct_and_below_n(n, data):
    size = data.draw(st.integers(0, n))
    drawn = places(n, size, "seed")
    assert len(drawn) == size
    assert all(0 <= p < n for p in drawn)
    assert drawn == places(n, size, "seed")


def test_every_subset_is_equally_likely():
    draws = Counter(frozenset(places(5, 2, str(seed))) for seed in range(10_000))
    assert len(draws) == 10
    # Chi-square with 9 degrees of freedom stays below 27.9 with probability 0.999.
    assert sum((n - 1000) ** 2 / 1000 for n in draws.values()) < 27.9


def test_a_sample_is_stratified_ordered_and_seeded():
    rows = examples(["a"] * 800 + ["b"] * 150 + ["c"] * 50)
    picked, kind = sample(rows, 100, 0, None)
    assert kind == "classes"
    assert Counter(row.label for row in picked) == {"a": 80, "b": 15, "c": 5}
    assert picked == sorted(picked, key=rows.index)
    assert picked == sample(rows, 100, 0, None)[0]
    assert picked != sample(rows, 100, 1, None)[0]


def test_missing_labels_keep_their_share():
    picked, _ = sample(examples((["a"] * 6 + ["b"] * 2 + [None] * 2) * 100), 100, 0, None)
    assert Counter(row.label for row in picked) == {"a": 60, "b": 20, None: 20}


def test_a_class_with_one_row_stays():
    picked, _ = sample(examples(["a"] * 10_000 + ["rare"] + ["b"] * 10_000), 10, 0, None)
    assert Counter(row.label for row in picked)["rare"] == 1


def test_more_classes_than_the_limit_are_sampled_plainly():
    labels = [f"class {i}" for i in range(5000)]
    picked, kind = sample(examples(labels), 100, 0, None)
    assert kind == "classes"
    assert len(picked) == len({row.label for row in picked}) == 100
    plain, _ = sample(examples(["one"] * 5000), 100, 0, "targets")
    assert [row.text for row in picked] == [row.text for row in plain]


def test_the_spelling_of_a_label_does_not_change_the_sample():
    as_int = sample(examples([0, 1, 1] * 500), 60, 3, None)[0]
    for spelling in ({0: "0", 1: "1"}, {0: 0.0, 1: 1.0}, {0: "0.0", 1: "1.0"}):
        other = sample(examples([spelling[i] for i in [0, 1, 1] * 500]), 60, 3, None)[0]
        assert [row.text for row in other] == [row.text for row in as_int]


def test_the_kind_is_that_of_the_whole_table_not_of_the_sample():
    labels = [1, 2, 3] * 2000 + ["0.5"]
    picked, kind = sample(examples(labels), 5, 0, None)
    assert "0.5" not in [row.label for row in picked]
    assert kind == "numbers"
    assert sample(examples([*labels, "none"]), 5, 0, None)[1] == "classes"
    assert sample(examples(labels), 5, 0, "classes")[1] == "classes"


def test_numbers_are_sampled_plainly():
    labels = [0.5] + [1.0] * 999
    picked, kind = sample(examples(labels), 10, 0, None)
    assert kind == "numbers"
    assert [row.text for row in picked] == [f"text {i}" for i in sorted(places(1000, 10, "0/"))]


def test_the_census_forgets_classes_once_there_are_too_many():
    census = Census(limit=10)
    for i in range(50_000):
        census.add(f"c{i}")
    assert not census.stratified
    assert len(census._counts) <= 11
    assert len(census._keys) <= 42
    assert census.strata() == {"": 50_000}


@pytest.mark.parametrize("limit", [3, 50])
def test_fewer_rows_than_the_limit_are_all_taken(limit):
    rows = examples(["a", "b", "b"])
    assert sample(rows, limit, 0, None)[0] == rows
