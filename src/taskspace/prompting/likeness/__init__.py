"""Likeness of soft prompts: which of them to start a target's prompt from, and how well a measure tells."""

from __future__ import annotations

from taskspace.prompting.likeness._evaluation import (
    Interval,
    TargetResult,
    TransferEvaluation,
    evaluate_transfers,
    interval,
)
from taskspace.prompting.likeness._experience import neighbours, with_neighbours, with_prior
from taskspace.prompting.likeness._measures import MEASURES, Measure, measure_named
from taskspace.prompting.likeness._query import Query
from taskspace.prompting.likeness._rank import rank_prompts
from taskspace.prompting.likeness._transfers import (
    Transfer,
    by_target,
    known_transfers,
    read_transfers,
    source_prior,
    standardised,
)
from taskspace.ranking.history import Measured

__all__ = [
    "MEASURES",
    "Interval",
    "Measure",
    "Measured",
    "Query",
    "TargetResult",
    "Transfer",
    "TransferEvaluation",
    "by_target",
    "evaluate_transfers",
    "interval",
    "known_transfers",
    "measure_named",
    "neighbours",
    "rank_prompts",
    "read_transfers",
    "source_prior",
    "standardised",
    "with_neighbours",
    "with_prior",
]
