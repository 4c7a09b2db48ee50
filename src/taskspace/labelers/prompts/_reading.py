"""What a model said to one prompt, and the class scores made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.labels import Answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.labelers.prompts._prompt import Prompt


LOW_COVERAGE = 0.1
"""Below this median probability of saying any answer at all, what a prompt says rests on little."""


@dataclass(frozen=True)
class Reading:
    """One row put to one model with one prompt.

    ``log_probs`` (nats) and ``tokens`` hold the log-probability and length of each of ``Prompt.strings``.
    A model that gives no probabilities says a label instead: ``log_probs`` is empty and ``said`` is the
    class number, or ``None`` where its words could not be read as a label.  ``prompt_log_prob`` (nats)
    and ``prompt_tokens`` tell how likely the filled prompt itself is, where that was measured.
    """

    log_probs: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    said: int | None = None
    words: str = ""
    prompt_log_prob: float | None = None
    prompt_tokens: int = 0

    def to_item(self) -> dict[str, Any]:
        """For the answer store: what is not there is left out, and an impossible answer is ``null``."""
        item: dict[str, Any] = {"said": self.said}
        if self.log_probs:
            item |= {"log_probs": [None if v == -math.inf else v for v in self.log_probs], "tokens": list(self.tokens)}
        if self.words:
            item["words"] = self.words
        if self.prompt_log_prob is not None:
            item |= {"prompt_log_prob": self.prompt_log_prob, "prompt_tokens": self.prompt_tokens}
        return item

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Reading:
        known = dict(item)
        known["log_probs"] = tuple(-math.inf if value is None else value for value in item.get("log_probs", ()))
        known["tokens"] = tuple(item.get("tokens", ()))
        return cls(**known)


@dataclass(frozen=True, eq=False)
class ClassScores:
    """n rows and c classes, as one prompt has them.

    ``log_unnorm`` float64[n, c] is the log of the mass on each label's answer strings (nats; -inf for a
    label not said, where the model gives words only); ``known`` bool[n] is False where nothing could be
    read, or every answer string is impossible; ``soft`` says whether they are probabilities.
    ``perplexity`` float64[n] is that of the filled prompt per token, NaN where it was not measured.
    """

    log_unnorm: NDArray[np.float64]
    known: NDArray[np.bool_]
    soft: bool
    perplexity: NDArray[np.float64]

    @property
    def probs(self) -> NDArray[np.float64]:
        """float64[n, c], rows that sum to 1; zero where unknown."""
        top = np.where(self.known[:, None], self.log_unnorm, 0.0)
        raw = np.exp(top - top.max(axis=1, keepdims=True))
        return np.where(self.known[:, None], raw / raw.sum(axis=1, keepdims=True), 0.0)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """float64[n]: the probability that the model says one of the answer strings at all; 0 where unknown.

        Above 1 where one answer string begins with another and the prompt does not say ``with_end``; no
        probability under ``length="token"``.
        """
        return np.where(self.known, np.exp(np.where(self.known[:, None], self.log_unnorm, 0.0)).sum(axis=1), 0.0)

    def answers(self) -> Answers:
        return Answers(self.probs, self.known)


def class_scores(readings: Sequence[Reading], prompt: Prompt) -> ClassScores:
    """Log-mass per label under the prompt's own rules (``words``, ``length``)."""
    scored = np.array([bool(r.log_probs) for r in readings], dtype=bool)
    log_unnorm = np.full((len(readings), len(prompt.labels)), -np.inf)
    if scored.any():
        log_unnorm[scored] = _of_strings([r for r in readings if r.log_probs], prompt)
    for row, reading in enumerate(readings):
        if not scored[row] and reading.said is not None:
            log_unnorm[row, reading.said] = 0.0
    known: NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(log_unnorm), axis=1)
    soft = bool(scored[known].all())  # an abstention takes no probability away from the others
    return ClassScores(log_unnorm, known, soft, np.array([_perplexity(r) for r in readings]))


def _of_strings(readings: Sequence[Reading], prompt: Prompt) -> NDArray[np.float64]:
    log_probs = np.array([r.log_probs for r in readings])
    if prompt.length == "token":
        log_probs = log_probs / np.array([r.tokens for r in readings])
    merge = np.logaddexp if prompt.words == "sum" else np.maximum
    ends = np.cumsum([len(words) for words in prompt.answers.values()])
    parts = np.split(log_probs, ends[:-1], axis=1)
    return np.stack([merge.reduce(part, axis=1) for part in parts], axis=1)


def _perplexity(reading: Reading) -> float:
    if reading.prompt_log_prob is None or not reading.prompt_tokens:
        return float("nan")
    return float(np.exp(-reading.prompt_log_prob / reading.prompt_tokens))
