from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers.endpoints._budget import Budget


def test_what_is_held_is_not_spent_twice(one_sentence):
    budget = Budget(None, 10.0, 1e6, 2e6)  # a token in costs 1, a token out 2
    first = budget.hold(2, 2, again=False)
    budget.settle(first, (1, 1))
    assert budget.usage.cost == 3.0
    with pytest.raises(LabelerError, match=r"could cost 8, and of the budget of 10 there is 7 left") as caught:
        budget.hold(4, 2, again=False)
    assert one_sentence(caught.value)
    budget.settle(budget.hold(3, 2, again=True), None)
    usage = budget.usage
    assert (usage.cost, usage.calls, usage.retried, usage.unmetered) == (10.0, 2, 1, 1)
    assert (usage.tokens_in, usage.tokens_out) == (4, 3)


def test_a_call_waits_for_others_that_may_leave_enough():
    budget = Budget(None, 10.0, 1e6, 0.0)
    first = budget.hold(6, 0, again=False)
    got = threading.Event()
    thread = threading.Thread(target=lambda: (budget.hold(6, 0, again=False), got.set()), daemon=True)
    thread.start()
    assert not got.wait(0.1)
    budget.settle(first, (3, 0))
    assert got.wait(5)
    thread.join(5)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=40), st.integers(1, 60))
def test_never_overspent(calls, limit):
    """Whatever is used of what was set aside, in threads of four."""
    budget = Budget(25, float(limit), 1e6, 0.0)
    work, lock = list(calls), threading.Lock()

    def run():
        while True:
            with lock:
                if not work:
                    return
                most, used = work.pop()
            try:
                held = budget.hold(most, 0, again=False)
            except LabelerError:
                return
            budget.settle(held, (min(most, used), 0))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert budget.usage.cost <= limit
    assert budget.usage.calls <= 25


@pytest.mark.parametrize(
    "settings",
    [
        {"calls": 0, "cost": None, "price_in": 0.0, "price_out": 0.0},
        {"calls": None, "cost": 1.0, "price_in": 0.0, "price_out": 0.0},
        {"calls": None, "cost": -1.0, "price_in": 1.0, "price_out": 0.0},
        {"calls": None, "cost": None, "price_in": float("nan"), "price_out": 0.0},
    ],
)
def test_budgets_that_cannot_be_meant(settings, one_sentence):
    with pytest.raises(SettingError) as caught:
        Budget(**settings)
    assert one_sentence(caught.value)
