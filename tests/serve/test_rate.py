from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskspace.serve.rate import Rate


def test_by_hand():
    now = [0.0]
    rate = Rate(2, clock=lambda: now[0])
    assert [rate.take("a"), rate.take("a"), rate.take("b")] == [0, 0, 0]
    now[0] = 10.0
    assert rate.take("a") == 50
    now[0] = 59.5
    assert rate.take("a") == 1
    now[0] = 60.0
    assert [rate.take("a"), rate.take("a"), rate.take("a")] == [0, 0, 60]


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=60), st.integers(1, 4))
def test_never_more_than_that_in_any_minute(steps, most):
    now, taken = [0.0], {"a": [], "b": []}
    rate = Rate(most, clock=lambda: now[0])
    for pause, client in steps:
        now[0] += pause
        wait = rate.take(client)
        recent = [at for at in taken[client] if at > now[0] - 60]
        assert (wait == 0) is (len(recent) < most)
        if wait == 0:
            taken[client].append(now[0])
        else:
            assert recent[0] + 60 - now[0] == wait


def test_it_remembers_only_so_many_clients(monkeypatch):
    monkeypatch.setattr("taskspace.serve.rate._MOST_CLIENTS", 3)
    rate = Rate(1)
    for client in "abcd":
        assert rate.take(client) == 0
    assert rate.take("d") > 0
    assert rate.take("a") == 0
