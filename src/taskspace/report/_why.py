"""Why one candidate stands before another, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.ranking._ranking import LEVEL_PART
from taskspace.report._words import signed

if TYPE_CHECKING:
    from taskspace.report._values import Candidate, Report

_LITTLE = 0.25
"""Share of the whole difference below which a signal is not worth a word."""


def why(report: Report) -> str:
    """What sets the first candidate apart from the second, and what it has going for it; empty while uncalibrated."""
    if not report.ranking.calibrated or not report.candidates:
        return ""
    first = report.candidates[0]
    if len(report.candidates) == 1:
        return f"{first.hit.name} is the only candidate."
    second = report.candidates[1]
    ahead = first.hit.score - second.hit.score
    told = _apart(first, second, report.hundredths)
    ahead_by = signed(ahead, hundredths=report.hundredths).removeprefix("+")
    return f"{first.hit.name} is {ahead_by} {report.unit} ahead of {second.hit.name}{told}."


def _apart(first: Candidate, second: Candidate, hundredths: bool) -> str:
    """The signals that make the difference, those for the first and those against it."""
    gaps = [
        (step.says, step.adds - second.hit.parts.get(step.signal, 0.0))
        for step in first.steps
        if step.signal != LEVEL_PART
    ]
    least = _LITTLE * max((abs(gap) for _, gap in gaps), default=0.0)
    counts = sorted((pair for pair in gaps if abs(pair[1]) >= max(least, 5e-5)), key=lambda pair: -abs(pair[1]))
    spoken = {
        sign: [f"{says} ({signed(gap, hundredths=hundredths)})" for says, gap in counts if (gap > 0) == sign]
        for sign in (True, False)
    }
    parts = [f": for it speaks {' and '.join(spoken[True])}"] if spoken[True] else []
    parts += [f"{', ' if parts else ': '}against it {' and '.join(spoken[False])}"] if spoken[False] else []
    return "".join(parts)
