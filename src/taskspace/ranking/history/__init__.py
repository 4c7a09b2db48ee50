"""What transfers measured before say about the next one."""

from __future__ import annotations

from taskspace.ranking.history.completion import complete
from taskspace.ranking.history.lasso import relevance, sampling_budget
from taskspace.ranking.history.means import MeanTransfer, mean_transfers
from taskspace.ranking.history.neighbourhood import neighbours
from taskspace.ranking.history.pivots import task_shop
from taskspace.ranking.history.prior import rank_prior, source_prior
from taskspace.ranking.history.rows import Measured, Row, read_rows
from taskspace.ranking.history.scale import standardised
from taskspace.ranking.history.transfers import NO_TRANSFER, Transfers

__all__ = [
    "NO_TRANSFER",
    "MeanTransfer",
    "Measured",
    "Row",
    "Transfers",
    "complete",
    "mean_transfers",
    "neighbours",
    "rank_prior",
    "read_rows",
    "relevance",
    "sampling_budget",
    "source_prior",
    "standardised",
    "task_shop",
]
