"""Scores of prompts from unlabelled rows: one per prompt, or a prompt for each row.

Formulas as Yang et al. 2023 (arXiv 2305.14877) unify them.  Entropies in nats, with probabilities below 1e-7
raised to it inside the logarithm only, so that certain and uniform answers keep their exact entropies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting.choosing._calibration import calibrate
from taskspace.prompting.choosing._ensembles import votes, zps
from taskspace.prompting.choosing._readings import DECIMALS, EPSILON, known_mean, require_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from taskspace.prompting.choosing._ensembles import Keep
    from taskspace.prompting.choosing._readings import Need, PromptReadings

    Rule: TypeAlias = Callable[[PromptReadings], NDArray[np.float64]]


@dataclass(frozen=True)
class Method:
    """How prompts are scored: ``raw`` makes float64[T] (float64[T, X] for a choice per row) from readings.

    ``higher`` says which of two raw scores is preferred; ``needs`` what must have been measured.
    """

    raw: Rule
    needs: tuple[Need, ...]
    higher: bool
    source: str
    about: str


@dataclass(frozen=True, eq=False)
class Scored:
    """``values`` float64[T], higher is preferred (-inf for a prompt that answered nothing), and the ``raw`` score."""

    method: str
    calibration: str
    values: NDArray[np.float64]
    raw: NDArray[np.float64]

    @property
    def order(self) -> NDArray[np.int64]:
        """int64[T]: prompts, best first; equal ones in their own order."""
        return np.argsort(-self.values, kind="stable")

    @property
    def best(self) -> int:
        return int(self.values.argmax())


@dataclass(frozen=True, eq=False)
class ChosenPerRow:
    """``choice`` int64[X] is a prompt per row, ``predictions`` int64[X] what it answers; -1 where no prompt answered.

    ``share`` float64[T] tells which part of the answered rows each prompt got.
    """

    method: str
    calibration: str
    choice: NDArray[np.int64]
    predictions: NDArray[np.int64]
    share: NDArray[np.float64]


def score(readings: PromptReadings, method: str, calibration: str = "none") -> Scored:
    """One score per prompt by a method of :data:`METHODS`, from probabilities calibrated as named.

    Raises :class:`SettingError` for unknown names, and for prompts of which something needed was not measured.
    """
    chosen = _named(method, METHODS, ROW_METHODS, "chooses a prompt per row; use choose_per_row")
    require_measured(readings, method, chosen.needs)
    raw = chosen.raw(calibrate(readings, calibration))
    return Scored(method, calibration, _preferred(raw, chosen), raw)


def choose_per_row(
    readings: PromptReadings, method: str, calibration: str = "none", *, answers: PromptReadings | None = None
) -> ChosenPerRow:
    """A prompt for each row by a method of :data:`ROW_METHODS`: together they answer as an ensemble.

    Predictions are read off ``answers`` (calibrated or not; default: ``readings``).  Of equal prompts the first
    is taken.  Raises as :func:`score` does.
    """
    chosen = _named(method, ROW_METHODS, METHODS, "scores whole prompts; use score")
    require_measured(readings, method, chosen.needs)
    values = _preferred(chosen.raw(calibrate(readings, calibration)), chosen)
    values = np.where(readings.known, values, -np.inf)
    answered = readings.known.any(axis=0)
    choice = np.where(answered, values.argmax(axis=0), -1)
    said = (readings if answers is None else answers).predictions[choice, np.arange(len(choice))]
    counts = np.bincount(choice[answered], minlength=len(readings.prompts))
    share = counts / max(int(answered.sum()), 1)
    return ChosenPerRow(method, calibration, choice, np.where(answered, said, -1), share)


def entropy(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats over the last axis."""
    return -(probs * np.log(np.maximum(probs, EPSILON))).sum(axis=-1) + 0.0


def _global_entropy(readings: PromptReadings) -> NDArray[np.float64]:
    return entropy(known_mean(votes(readings), readings.known))


def _global_entropy_of_means(readings: PromptReadings) -> NDArray[np.float64]:
    return entropy(known_mean(readings.probs, readings.known))


def _local_entropy(readings: PromptReadings) -> NDArray[np.float64]:
    return known_mean(entropy(readings.probs), readings.known)


def _description_length(readings: PromptReadings) -> NDArray[np.float64]:
    surprise = -np.log(np.maximum(readings.probs, EPSILON))
    return known_mean(surprise.mean(axis=2), readings.known)


def _agreement(readings: PromptReadings, *, rule: str, keep: Keep) -> NDArray[np.float64]:
    return zps(readings, rule, keep=keep).agreement


def _preferred(raw: NDArray[np.float64], method: Method) -> NDArray[np.float64]:
    signed = np.round(raw if method.higher else -raw, DECIMALS) + 0.0
    return np.where(np.isnan(signed), -np.inf, signed)


def _named(name: str, methods: Mapping[str, Method], others: Mapping[str, Method], advice: str) -> Method:
    if name in others:
        raise SettingError(f"{name!r} {advice}")
    if name not in methods:
        raise SettingError(f"there is no method {name!r}{did_you_mean(name, methods)}")
    return methods[name]


_SORENSEN, _LU, _WU = "Sorensen et al. 2022", "Lu et al. 2022", "Wu et al. 2022"
_GONEN, _LIAO, _YANG = "Gonen et al. 2022", "Liao et al. 2022", "Yang et al. 2023"
_FUTE = "Wang et al. 2024 (FUTE)"
_FILTERED = ", asked of the more confident prompts only"

METHODS: Mapping[str, Method] = {
    "mi": Method(
        lambda r: _global_entropy_of_means(r) - _local_entropy(r), ("soft",), True, _SORENSEN,
        "mutual information between rows and labels: sure of each row, balanced over all",
    ),
    "ge": Method(_global_entropy, (), True, _LU, "balance of the predicted labels"),
    "ge_m": Method(_global_entropy_of_means, ("soft",), True, _YANG, "balance of the mean probabilities"),
    "le": Method(_local_entropy, ("soft",), True, _LU, "doubt about each row: prefers prompts that are not too sure"),
    "mdl_m": Method(lambda r: -_local_entropy(r), ("soft",), True, _WU, "sureness about each row: le upside down"),
    "mdl": Method(_description_length, ("soft",), True, _FUTE, "mean code length of all labels, as FUTE's code has it"),
    "mi_g": Method(
        lambda r: _global_entropy(r) - _local_entropy(r), ("soft",), True, _YANG,
        "mi with the balance of the predicted labels",
    ),
    "ppl": Method(
        lambda r: known_mean(r.perplexity, r.known), ("perplexity",), False, _GONEN,
        "SPELL: minus the mean perplexity of the filled prompt, before any answer",
    ),
    "zlp": Method(
        partial(_agreement, rule="zlp", keep="all"), ("soft",), True, _LIAO,
        "agreement with the mean log-probability of all prompts",
    ),
    "zpm": Method(
        partial(_agreement, rule="zpm", keep="all"), ("soft",), True, _LIAO,
        "agreement with the mean probability of all prompts",
    ),
    "zmv": Method(
        partial(_agreement, rule="zmv", keep="all"), (), True, _LIAO, "agreement with the majority vote of all prompts"
    ),
    "zlp_filtered": Method(
        partial(_agreement, rule="zlp", keep="confident"), ("soft",), True, _LIAO,
        f"agreement with the mean log-probability{_FILTERED}",
    ),
    "zpm_filtered": Method(
        partial(_agreement, rule="zpm", keep="confident"), ("soft",), True, _LIAO,
        f"agreement with the mean probability{_FILTERED}",
    ),
    "zmv_filtered": Method(
        partial(_agreement, rule="zmv", keep="confident"), ("soft",), True, _LIAO,
        f"agreement with the majority vote{_FILTERED}",
    ),
}  # fmt: skip
"""Methods that give one score per prompt, float64[T]."""

ROW_METHODS: Mapping[str, Method] = {
    "mdl_i": Method(lambda r: entropy(r.probs), ("soft",), False, _WU, "the prompt that is surest of this row"),
    "ppl_i": Method(
        lambda r: r.perplexity, ("perplexity",), False, _GONEN, "the prompt that reads most naturally with this row"
    ),
    "mi_l": Method(
        lambda r: _global_entropy_of_means(r)[:, None] - entropy(r.probs), ("soft",), True, _YANG,
        "the surest prompt, with credit for balanced mean probabilities",
    ),
    "mi_gl": Method(
        lambda r: _global_entropy(r)[:, None] - entropy(r.probs), ("soft",), True, _YANG,
        "the surest prompt, with credit for balanced predictions",
    ),
}  # fmt: skip
"""Methods that choose a prompt for each row, by float64[T, X]."""
