"""Prompts that are one prompt: by their words, or by their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.prompts import Prompt

ALIKE = 0.01
"""Mean total variation below which two prompts' answers count as the same."""


@dataclass(frozen=True)
class Alike:
    """Two prompts that need not both be kept: ``distance`` is the mean total variation of their answers, 0 to 1."""

    kept: str
    other: str
    distance: float
    same_words: bool


def same_words(prompts: Sequence[Prompt]) -> list[int]:
    """For each prompt the number of the first with the same words, spaces and case aside; its own if it is new."""
    first: dict[object, int] = {}
    return [first.setdefault(_plain(prompt), number) for number, prompt in enumerate(prompts)]


def alike(
    prompts: Sequence[Prompt], probs: NDArray[np.float64], known: NDArray[np.bool_], *, within: float = ALIKE
) -> tuple[Alike, ...]:
    """Pairs of prompts with equal words, or with answers float64[T, n, c] that differ by less than ``within``.

    The distance of a pair is taken over the rows that both answered; each prompt is named with the first
    that it repeats.
    """
    first = same_words(prompts)
    found: list[Alike] = []
    for other in range(len(prompts)):
        distances = [_distance(probs, known, kept, other) for kept in range(other)]
        near = [kept for kept in range(other) if first[other] == kept or distances[kept] < within]
        if near:
            kept = first[other] if first[other] < other else near[0]
            found.append(Alike(prompts[kept].name, prompts[other].name, distances[kept], first[other] == kept))
    return tuple(found)


def _distance(probs: NDArray[np.float64], known: NDArray[np.bool_], one: int, other: int) -> float:
    both = known[one] & known[other]
    return float(np.abs(probs[one][both] - probs[other][both]).sum(axis=1).mean() / 2) if both.any() else 1.0


def _plain(prompt: Prompt) -> object:
    """All that the model is asked, in one form for wordings that differ in spaces and case alone."""
    words = " ".join(prompt.template.split()).casefold()
    answers = tuple(tuple(" ".join(word.split()).casefold() for word in part) for part in prompt.answers.values())
    shown = tuple((e.text, e.text_pair, e.label) for e in prompt.examples)
    return words, answers, prompt.labels, prompt.chat, prompt.system, shown, prompt.reasoning, prompt.with_end
