"""Prompts that are one prompt: by their words, or by their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from taskspace.prompting.choosing._readings import PromptReadings

ALIKE = 0.01
"""Mean total variation below which two prompts' answers count as the same."""


@dataclass(frozen=True)
class Alike:
    """Two prompts that need not both be kept: ``distance`` is the mean total variation of their answers, 0 to 1."""

    kept: str
    other: str
    distance: float
    same_words: bool


def alike(readings: PromptReadings, *, within: float = ALIKE) -> tuple[Alike, ...]:
    """Prompts that repeat an earlier one, each named with the first that it repeats (ours).

    Either their words are equal, spaces and case aside, or their answers differ by less than ``within`` over
    the rows that both answered.
    """
    found: list[Alike] = []
    names = readings.prompts
    for other, twin in enumerate(readings.twins.tolist()):
        distances = [_distance(readings, kept, other) for kept in range(other)]
        near = [kept for kept in range(other) if distances[kept] < within]
        if twin < other or near:
            kept = twin if twin < other else near[0]
            found.append(Alike(names[kept], names[other], distances[kept], twin < other))
    return tuple(found)


def _distance(readings: PromptReadings, one: int, other: int) -> float:
    both = readings.known[one] & readings.known[other]
    apart = np.abs(readings.probs[one][both] - readings.probs[other][both])
    return float(apart.sum(axis=1).mean() / 2) if both.any() else 1.0
