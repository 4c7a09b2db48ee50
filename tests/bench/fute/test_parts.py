"""What single parts promise, by hand or by enumeration."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from taskspace.bench.fute.parts._kin import chance_of, kin_beside_transfers, reciprocal_rank
from taskspace.bench.fute.parts.beyond import CLASSES, NAMES, NUMBERS, SECOND, _as
from taskspace.bench.fute.parts.pools import _pools
from taskspace.bench.fute.parts.scale import _first_of, _task_of
from taskspace.labels import Numbers, Targets


def test_a_reciprocal_rank_is_the_mean_over_orders_of_equals():
    assert reciprocal_rank(np.array([0.1, 0.9, 0.5]), 2) == 1 / 2
    assert reciprocal_rank(np.array([0.5, 0.9, 0.5, 0.5]), 0) == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert chance_of(3) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


@pytest.mark.parametrize(("wanted", "others"), [(1, 4), (2, 5), (3, 3)])
def test_the_first_of_several_by_chance(wanted, others):
    ranks = [1 + min(order.index(i) for i in range(wanted)) for order in permutations(range(others))]
    assert _first_of(wanted, others) == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_models_come_in_twos_of_a_task():
    assert [_task_of(i, 3) for i in range(10)] == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1]


def test_pools_are_nested_and_of_one_place_or_of_the_tasks_own_texts(make_study):
    study = make_study("pools")
    pools = {(axis, label, len(texts)): texts for axis, label, texts in _pools(study, ["mood", "sky"])}
    small, large = (pools["size", "everywhere", size] for size in (20, 40))
    assert large[:20] == small == pools["domain", "everywhere", 20]
    for place in ("here", "there", "else"):
        assert {study.corpus.places[text] for text in pools["domain", place, 20]} == {place}
    own = {*study.source_rows("mood").texts, *study.target_rows("sky").texts}
    shares = [len(own & set(texts)) / len(texts) for (axis, _, _), texts in pools.items() if axis == "overlap"]
    assert shares == [0, pytest.approx(0.5, abs=0.03), 1]


def test_a_task_in_other_forms(tasks):
    echo = tasks["echo"]
    numbers, names, second = (_as(echo, form).stated_labels for form in (NUMBERS, NAMES, SECOND))
    assert isinstance(numbers, Numbers)
    assert numbers.values.tolist() == echo.labels.codes.tolist()
    assert isinstance(names, Targets)
    assert names.texts == tuple(echo.label_names[code] for code in echo.labels.codes)
    assert isinstance(second, Targets)
    assert second.texts == echo.inputs.pairs
    assert not _as(echo, SECOND).inputs.is_pair.any()
    assert _as(echo, CLASSES) is echo


def test_kin_without_a_truth_is_a_table_by_itself():
    rows = [
        {"pool": pool, "model": name, "reciprocal_rank": score, "among": 4}
        for pool, scores in {"a": (1.0, 0.5), "b": (0.25, 0.25)}.items()
        for name, score in zip("xy", scores, strict=True)
    ]
    table = kin_beside_transfers(rows, None, ["pool"])
    assert [(row["pool"], row["mrr"], row["models"]) for row in table] == [("a", 0.75, 2), ("b", 0.25, 2)]
    assert table[0]["mrr_chance"] == chance_of(4)
