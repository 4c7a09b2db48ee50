"""When a claim holds: rules stated before any run is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from taskspace.errors import SettingError
from taskspace.prompting.study.statistics import NO_SPREAD

if TYPE_CHECKING:
    from taskspace.prompting.study.statistics import Comparison

Verdict: TypeAlias = Literal["holds", "does not hold", "not enough runs"]


@dataclass(frozen=True)
class Rules:
    """What counts as shown.  "Not enough runs" also means: enough to test, too few to tell.

    ``level``: a difference is sure if its adjusted p is below.  ``margin``: in units of the score, what is too small
    to matter.  ``share``: of a single-task prompt's score, what a sum that serves must keep.
    """

    level: float = 0.05
    margin: float = 0.02
    share: float = 0.9

    def __post_init__(self) -> None:
        for name in ("level", "margin", "share"):
            if not 0 < getattr(self, name) < 1:
                raise SettingError(f"{name}={getattr(self, name)!r} is not between 0 and 1; give such a number")

    def same(self, test: Comparison, p: float | None) -> Verdict:
        """Holds: the interval lies within ± margin.  Does not: the difference is sure, and beyond the margin."""
        if test.difference is None or test.low is None or test.high is None or p is None:
            return "holds" if _all_zero(test) else "not enough runs"
        if -self.margin < test.low and test.high < self.margin:
            return "holds"
        return "does not hold" if self.differs(test, p) else "not enough runs"

    def better(self, test: Comparison, p: float | None) -> Verdict:
        """Holds: the difference is sure, and above 0.  Does not: the interval lies below the margin."""
        if test.difference is None or test.high is None or p is None:
            return "does not hold" if _all_zero(test) else "not enough runs"
        if p < self.level and test.difference > 0:
            return "holds"
        return "does not hold" if test.high < self.margin else "not enough runs"

    def above(self, test: Comparison, p: float | None) -> Verdict:
        """Holds: the difference is sure, and above 0.  Does not: it is sure, and below."""
        if test.difference is None or p is None or p >= self.level:
            return "not enough runs"
        return "holds" if test.difference > 0 else "does not hold"

    def alike(self, difference: float | None, p: float | None) -> Verdict:
        """Holds: the excess is above 0 and the one-sided p sure.  Does not: it is not above 0."""
        if difference is None or p is None:
            return "not enough runs"
        if difference <= 0:
            return "does not hold"
        return "holds" if p < self.level else "not enough runs"

    def differs(self, test: Comparison, p: float | None) -> bool:
        """Whether a difference is sure, and beyond the margin."""
        return p is not None and p < self.level and abs(test.difference or 0.0) > self.margin


def _all_zero(test: Comparison) -> bool:
    """Whether every unit of several showed the same score on both sides."""
    return test.note == NO_SPREAD and abs(test.difference or 0.0) < 1e-12
