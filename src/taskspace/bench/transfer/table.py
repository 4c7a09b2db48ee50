"""Runs as a table of transfers, and what they say of each target."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from taskspace._files import replacing
from taskspace.bench.transfer.plan import NO_TRANSFER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from taskspace.bench.transfer.records import Run

COLUMNS = ("source", "target", "seed", "metric", "score", "baseline", "seconds")


@dataclass(frozen=True)
class Summary:
    """What was found for a target: means over the seeds for which the run without transfer stands too.

    ``gain`` is that of the ``best`` source over ``baseline``; ``helped`` of ``sources`` have a gain above 0.
    """

    target: str
    metric: str
    baseline: float
    best: str
    gain: float
    helped: int
    sources: int


def baselines(runs: Iterable[Run], none: str = NO_TRANSFER) -> dict[tuple[str, int], float]:
    """The score without transfer by target and seed."""
    return {(run.cell.target, run.cell.seed): run.score for run in runs if run.cell.source == none}


def write_csv(path: Path, runs: Iterable[Run], none: str = NO_TRANSFER) -> Path:
    """A row per run, whole or not at all; ``baseline`` is the run without transfer of the same target and seed.

    Nothing stands for a baseline that has not been measured yet.
    """
    runs = list(runs)
    without = baselines(runs, none)
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for run in runs:
            cell = run.cell
            base = without.get((cell.target, cell.seed))
            shown = "" if base is None else f"{base:.6g}"
            score, seconds = f"{run.score:.6g}", f"{run.seconds:.1f}"
            rows.writerow((cell.source, cell.target, cell.seed, run.metric, score, shown, seconds))
    return path


def summaries(runs: Iterable[Run]) -> list[Summary]:
    """One per target of which a transfer and its baseline stand, by name."""
    runs = list(runs)
    without = baselines(runs)
    gains: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    bases: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for run in runs:
        cell, about = run.cell, (run.cell.target, run.metric)
        base = without.get((cell.target, cell.seed))
        if cell.source != NO_TRANSFER and base is not None:
            gains[about][cell.source].append(run.score - base)
            bases[about][cell.seed] = base
    return [
        _summary(*about, fmean(bases[about].values()), {source: fmean(each) for source, each in found.items()})
        for about, found in sorted(gains.items())
    ]


def as_text(found: Sequence[Summary]) -> str:
    """The summaries as aligned lines under a heading."""
    heading = ("target", "metric", "no transfer", "best source", "gain", "sources that help")
    lines = [
        (s.target, s.metric, f"{s.baseline:.3f}", s.best, f"{s.gain:+.3f}", f"{s.helped} of {s.sources}") for s in found
    ]
    widths = [max(map(len, column)) for column in zip(heading, *lines, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in (heading, *lines)
    )


def _summary(target: str, metric: str, baseline: float, gains: dict[str, float]) -> Summary:
    best = max(sorted(gains), key=gains.__getitem__)
    helped = sum(gain > 0 for gain in gains.values())
    return Summary(target, metric, baseline, best, gains[best], helped, len(gains))
