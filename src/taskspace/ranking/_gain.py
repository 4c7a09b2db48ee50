"""A predicted gain as a value."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.9
"""Share of measured gains that an interval is meant to hold."""


@dataclass(frozen=True)
class Gain:
    """What starting from a source is expected to add to not transferring, in the units of the measured scores.

    With probability 0.9 the measured gain lies between ``low`` and ``high``; ``helps`` is the probability that it is
    above 0.
    """

    mean: float
    low: float
    high: float
    helps: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


NO_GAIN = Gain(0.0, 0.0, 0.0, 0.0)
"""Of not transferring."""
