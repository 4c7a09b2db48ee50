"""The answer: which source first, how much it is expected to help, and whether to transfer at all."""

from __future__ import annotations

from taskspace.ranking.answer._answer import About, Earlier, answer, observed, readings_of
from taskspace.ranking.answer.calibration import Line, fit_line
from taskspace.ranking.answer.predictor import Observed, Predictor, fit

__all__ = [
    "About", "Earlier", "Line", "Observed", "Predictor", "answer", "fit", "fit_line", "observed", "readings_of",
]  # fmt: skip
