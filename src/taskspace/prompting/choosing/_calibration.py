"""Calibration: taking out what a prompt says before it has read anything, or says on average.

Each function makes readings of the same shape: the probabilities are replaced, the coverage stays as it was.
Scores and predictions may be taken from either, independently (X, A, P and PA in Yang et al., arXiv 2305.14877).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting.choosing._readings import PromptReadings, require_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from taskspace.prompting.choosing._readings import Need

Normalisation: TypeAlias = Literal["sum", "softmax"]

LEAST = 1e-300
"""Stands below a fraction line for a mean or prior of zero.  No larger floor: sharp models give true ones of 1e-12."""

SMALL = 50
"""Below this many rows a row weighs noticeably in its own mean, so it is left out of it."""


def cbm(
    readings: PromptReadings, *, normalise: Normalisation = "sum", leave_one_out: bool | None = None
) -> PromptReadings:
    """Calibration by marginalisation: p̃ ∝ p / mean over rows of p (Yang et al., arXiv 2305.14877, section 5).

    Transductive: it needs the other rows that are to be answered.  ``leave_one_out`` takes the mean over the *other*
    rows (ours); by default for prompts with fewer than 50 known rows.  ``normalise="softmax"`` takes the
    softmax of the quotients instead of dividing by their sum.
    """
    require_measured(readings, "cbm", ["soft"])
    if normalise not in ("sum", "softmax"):
        raise SettingError(f"there is no normalisation {normalise!r}{did_you_mean(normalise, ('sum', 'softmax'))}")
    count = readings.known.sum(axis=1)
    own = count < SMALL if leave_one_out is None else np.full(len(count), leave_one_out)
    without = own.astype(np.int64)[:, None, None]
    totals = readings.probs.sum(axis=1, keepdims=True) - without * readings.probs
    others = count[:, None, None] - without
    uniform = 1 / readings.shape[2]  # for a row that is alone
    means = np.where(others > 0, totals / np.maximum(others, 1), uniform)
    quotients = readings.probs / np.maximum(means, LEAST)
    if normalise == "softmax":
        quotients = np.exp(quotients - quotients.max(axis=2, keepdims=True))
    return _replaced(readings, quotients)


def cc(readings: PromptReadings) -> PromptReadings:
    """Contextual calibration: p̃ ∝ p / mean mass on three content-free inputs (Zhao et al. 2021, arXiv 2102.09690)."""
    require_measured(readings, "cc", ["soft", "free"])
    return _against(readings, np.logaddexp.reduce(readings.free, axis=1))


def pmi_dc(readings: PromptReadings) -> PromptReadings:
    """Domain-conditional PMI: log p̃ = log p - log p(label | empty input) (Holtzman et al. 2021, arXiv 2104.08315).

    Once normalised over the labels this is contextual calibration with the empty input alone.
    """
    require_measured(readings, "pmi_dc", ["soft", "empty"])
    return _against(readings, readings.free[:, 0])


@dataclass(frozen=True)
class Calibration:
    """A way to calibrate: what it ``needs`` to have been measured, where it comes from, and what it is about."""

    apply: Callable[[PromptReadings], PromptReadings]
    needs: tuple[Need, ...]
    source: str
    about: str

    @property
    def content_free(self) -> bool:
        """Whether answers to content-free inputs are needed."""
        return "free" in self.needs or "empty" in self.needs


def calibrate(readings: PromptReadings, name: str) -> PromptReadings:
    """The readings calibrated by the method of that name; raises :class:`SettingError` for others."""
    if name not in CALIBRATIONS:
        raise SettingError(f"there is no calibration {name!r}{did_you_mean(name, CALIBRATIONS)}")
    return CALIBRATIONS[name].apply(readings)


def _against(readings: PromptReadings, log_prior: NDArray[np.float64]) -> PromptReadings:
    """Divide by a distribution over labels per prompt, ``log_prior`` float64[T, Y] up to a constant."""
    prior = np.exp(log_prior - np.logaddexp.reduce(log_prior, axis=1)[:, None])
    return _replaced(readings, readings.probs / np.maximum(prior, LEAST)[:, None])


def _replaced(readings: PromptReadings, weights: NDArray[np.float64]) -> PromptReadings:
    """Readings with probabilities in proportion to ``weights`` float64[T, X, Y], and the same coverage."""
    total = np.where(readings.known, weights.sum(axis=2), 1.0)
    coverage = np.logaddexp.reduce(readings.log_unnorm, axis=2)
    with np.errstate(divide="ignore"):  # a probability of zero stays zero
        return replace(readings, log_unnorm=np.log(weights / total[..., None]) + coverage[..., None])


CALIBRATIONS: Mapping[str, Calibration] = {
    "none": Calibration(lambda readings: readings, (), "", "probabilities as the model gives them"),
    "cc": Calibration(cc, ("soft", "free"), "Zhao et al. 2021", "divided by the answers to content-free inputs"),
    "cbm": Calibration(cbm, ("soft",), "Yang et al. 2023", "divided by the mean over the rows"),
    "pmi_dc": Calibration(
        pmi_dc, ("soft", "empty"), "Holtzman et al. 2021", "divided by the answers to the empty input"
    ),
}
