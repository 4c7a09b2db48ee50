"""A page on one target to send to a colleague: what it is, what to start from, what that costs, what is uncertain.

Facts and looks are apart: :func:`report_of` gathers a :class:`Report` of plain values, :func:`render` makes the page.
"""

from __future__ import annotations

from taskspace.report._gather import report_of
from taskspace.report._render import render
from taskspace.report._values import (
    Candidate,
    Cost,
    Doubt,
    Example,
    Lengths,
    Made,
    Past,
    Place,
    Report,
    Step,
    TaskFacts,
    Verdict,
)

__all__ = [
    "Candidate",
    "Cost",
    "Doubt",
    "Example",
    "Lengths",
    "Made",
    "Past",
    "Place",
    "Report",
    "Step",
    "TaskFacts",
    "Verdict",
    "render",
    "report_of",
]
