"""The rules, at and beyond their bounds."""

from __future__ import annotations

import pytest

from taskspace.errors import SettingError
from taskspace.prompting.study import Rules
from taskspace.prompting.study.statistics import Comparison, paired

RULES = Rules(level=0.05, margin=0.02, share=0.9)
ZERO, SHIFTED, SINGLE = paired([0.5, 0.6], [0.5, 0.6]), paired([0.5, 0.6], [0.4, 0.5]), paired([0.5], [0.4])


def test(low, high):
    return Comparison((3, 3), (low + high) / 2, low, high, p=0.5)


test.__test__ = False


@pytest.mark.parametrize(
    ("found", "p", "verdict"),
    [
        (test(-0.01, 0.019), 0.5, "holds"),
        (test(-0.019, -0.001), 0.01, "holds"),  # sure, but too small to matter
        (test(-0.021, 0.01), 0.5, "not enough runs"),
        (test(-0.05, -0.01), 0.01, "does not hold"),
        (test(0.01, 0.05), 0.01, "does not hold"),
        (test(-0.05, -0.01), 0.06, "not enough runs"),
        (test(-0.03, -0.005), 0.01, "not enough runs"),  # sure, but not beyond the margin
        (ZERO, None, "holds"),
        (SHIFTED, None, "not enough runs"),
        (SINGLE, None, "not enough runs"),
    ],
)
def test_same(found, p, verdict):
    assert RULES.same(found, p) == verdict


@pytest.mark.parametrize(
    ("found", "p", "verdict"),
    [
        (test(0.001, 0.01), 0.04, "holds"),
        (test(0.001, 0.03), 0.05, "not enough runs"),
        (test(-0.01, 0.019), 0.6, "does not hold"),
        (test(-0.03, -0.01), 0.01, "does not hold"),
        (test(-0.1, 0.1), 1.0, "not enough runs"),
        (ZERO, None, "does not hold"),
        (SHIFTED, None, "not enough runs"),
        (SINGLE, None, "not enough runs"),
    ],
)
def test_better(found, p, verdict):
    assert RULES.better(found, p) == verdict


@pytest.mark.parametrize(
    ("found", "p", "verdict"),
    [
        (test(0.01, 0.03), 0.04, "holds"),
        (test(-0.03, -0.01), 0.04, "does not hold"),
        (test(-0.03, -0.01), 0.05, "not enough runs"),
        (SINGLE, None, "not enough runs"),
    ],
)
def test_above(found, p, verdict):
    assert RULES.above(found, p) == verdict


@pytest.mark.parametrize(
    ("difference", "p", "verdict"),
    [
        (0.2, 0.01, "holds"), (0.2, 0.2, "not enough runs"), (-0.1, 0.9, "does not hold"),
        (0.0, 0.9, "does not hold"), (0.2, None, "not enough runs"), (None, None, "not enough runs"),
    ],
)  # fmt: skip
def test_alike(difference, p, verdict):
    assert RULES.alike(difference, p) == verdict


@pytest.mark.parametrize("fields", [{"level": 0}, {"margin": -0.1}, {"share": 1.0}, {"level": float("nan")}])
def test_rules_are_shares(fields):
    with pytest.raises(SettingError, match="is not between 0 and 1"):
        Rules(**fields)
