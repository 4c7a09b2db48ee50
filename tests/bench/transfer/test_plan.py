"""What a plan measures, and in which shares."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from taskspace.bench.transfer import NO_TRANSFER, Cell, Plan
from taskspace.errors import SettingError


def test_cells_of_a_small_plan_by_hand():
    plan = Plan(sources=("a", "b"), targets=("b", "c"), seeds=(0, 4))
    first = [("none", "b"), ("none", "c"), ("a", "b"), ("a", "c"), ("b", "c")]  # b is not transferred to itself
    assert list(plan.cells()) == [Cell(*pair, seed) for seed in (0, 4) for pair in first]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shares_are_all_runs_once_and_whole_sources(plan, parts):
    shares = [plan.share(part, parts) for part in range(parts)]
    assert sorted(cell for share in shares for cell in share) == sorted(plan.cells())
    for source in (NO_TRANSFER, *plan.sources):
        assert sum(source in {cell.source for cell in share} for share in shares) == 1


def test_settings_are_what_may_not_differ(plan):
    settings = plan.settings("model")
    assert settings.keys() == {"model", "shots", "source_rows", "test_rows", "metric", "on_source", "on_target"}
    grown = Plan(**{**vars(plan), "sources": ("more", *plan.sources), "seeds": (0, 1, 2)})
    assert grown.settings("model") == settings
    assert settings["on_target"] == asdict(plan.on_target)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sources": ()}, "needs sources, targets and seeds"),
        ({"targets": ("none",)}, "'none' stands for not transferring"),
        ({"sources": ("a", "b", "a")}, "'a' stands twice among the sources"),
        ({"seeds": (1, 1)}, "1 stands twice among the seeds"),
        ({"seeds": (-1, 0)}, "seed -1 is below 0"),
        ({"shots": 1}, "shots=1 is too few"),
    ],
)
def test_plans_that_make_no_sense(one_sentence, wrong, told):
    with pytest.raises(SettingError, match=told) as error:
        Plan(**({"sources": ("a",), "targets": ("b",)} | wrong))
    assert one_sentence(error.value)


@pytest.mark.parametrize("share", [(2, 2), (-1, 2)])
def test_a_share_that_is_not_there(plan, one_sentence, share):
    with pytest.raises(SettingError, match="there is no part") as error:
        plan.share(*share)
    assert one_sentence(error.value)
