"""Ground truth: what each source is measured to do for each target."""

from __future__ import annotations

from taskspace.bench.transfer.noting import note_transfers
from taskspace.bench.transfer.plan import NO_TRANSFER, Cell, Plan
from taskspace.bench.transfer.records import Records, Run
from taskspace.bench.transfer.rows import Distilled, distilled, shared_rows
from taskspace.bench.transfer.running import measure_transfers
from taskspace.bench.transfer.table import Summary, summaries, write_csv
from taskspace.bench.transfer.weights import tuned_source
from taskspace.bench.transfer.workers import measure_together

__all__ = [
    "NO_TRANSFER",
    "Cell",
    "Distilled",
    "Plan",
    "Records",
    "Run",
    "Summary",
    "distilled",
    "measure_together",
    "measure_transfers",
    "note_transfers",
    "shared_rows",
    "summaries",
    "tuned_source",
    "write_csv",
]
