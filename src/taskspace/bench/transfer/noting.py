"""Measured transfers in an atlas, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.bench.transfer.plan import NO_TRANSFER
from taskspace.bench.transfer.table import baselines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from taskspace.atlas import Atlas
    from taskspace.bench.transfer.records import Run


def note_transfers(atlas: Atlas, runs: Iterable[Run]) -> int:
    """Have the atlas observe each transfer whose baseline stands and that it has not noted yet; gives how many.

    One that was measured again with another score (in another folder, under other settings) is another measurement.
    """
    runs = list(runs)
    known = {(t.source, t.target, t.metric, t.seed, t.score, t.baseline) for t in atlas.transfers()}
    without, noted = baselines(runs), 0
    for run in runs:
        cell, base = run.cell, without.get((run.cell.target, run.cell.seed))
        key = (cell.source, cell.target, run.metric, cell.seed, run.score, base)
        if cell.source == NO_TRANSFER or base is None or key in known:
            continue
        atlas.observe(
            source=cell.source,
            target=cell.target,
            score=run.score,
            baseline=base,
            metric=run.metric,
            seed=cell.seed,
        )
        noted += 1
    return noted
