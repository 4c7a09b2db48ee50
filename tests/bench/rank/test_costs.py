"""Texts that go through a model."""

from __future__ import annotations

import pytest

from taskspace.bench.rank.costs import Cost, cost_of
from taskspace.ranking.signals import signal_named

ROWS = {"target_rows": 128, "source_rows": 1000}


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("response", Cost(128, 0, 1000)),
        ("response+neighbours", Cost(128, 0, 1000)),
        ("logme", Cost(0, 128, 0)),
        ("leep", Cost(0, 128, 0)),
        ("esm", Cost(128, 0, 2000)),
        ("mmd", Cost(128, 0, 1000)),
        ("jensen_shannon", Cost(0, 0, 0)),
        ("prior", Cost(0, 0, 0)),
        ("random", Cost(0, 0, 0)),
        ("in_context", Cost(0, 1128, 0)),
    ],
)
def test_of_a_signal(name, cost):
    assert cost_of([signal_named(name)], **ROWS) == cost


def test_what_is_read_together_is_read_once_and_a_shortlist_in_part():
    parts = [signal_named(name) for name in ("response", "response+neighbours", "prior", "logme")]
    assert cost_of(parts, **ROWS) == Cost(128, 128, 1000)
    assert cost_of(parts, **ROWS, run=0.25, costly=["logme"]) == Cost(128, 32, 1000)
