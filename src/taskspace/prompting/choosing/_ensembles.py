"""Zero-label prompt selection: prompts answer together, and each is scored by how often it agrees.

Liao et al. 2022 (ZPS); the three ensembles as in Yang et al. 2023 (arXiv 2305.14877).  The filter drops
prompts from the ensemble only, as FUTE does (arXiv 2402.14522): all prompts are scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting.choosing._readings import DECIMALS, EPSILON, known_mean, require_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from taskspace.prompting.choosing._readings import PromptReadings

Keep: TypeAlias = Literal["all", "confident", "confident_or_half"]
KEEPS: tuple[Keep, ...] = ("all", "confident", "confident_or_half")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What the prompts say together.

    ``members`` bool[T] are those that were asked; ``pseudo_labels`` int64[X] their common answers, -1 where
    none of them answered; ``agreement`` float64[T] the share of the rows known to a prompt (and to the
    ensemble) on which it gives the same label, NaN without any.
    """

    members: NDArray[np.bool_]
    pseudo_labels: NDArray[np.int64]
    agreement: NDArray[np.float64]


def zps(readings: PromptReadings, rule: str, *, keep: Keep = "all") -> Ensemble:
    """Pseudo-labels by ``rule``, and each prompt's agreement with them; equal sums go to the first class.

    ``"zlp"`` takes the label of the largest mean log-probability, ``"zpm"`` of the largest mean probability,
    ``"zmv"`` of the most votes.  ``keep="confident"`` asks only the more confident of two clusters of
    prompts; ``"confident_or_half"`` the more confident half where that cluster holds fewer than half of the
    prompts (rounded down), as the code of the ZPS paper does.

    Raises :class:`SettingError` for other names, and where probabilities are needed but not there:
    for ``zlp``, ``zpm`` and any filter.
    """
    if rule not in RULES:
        raise SettingError(f"there is no ensemble {rule!r}{did_you_mean(rule, RULES)}")
    if keep not in KEEPS:
        raise SettingError(f"there is no filter {keep!r}{did_you_mean(keep, KEEPS)}")
    if rule != "zmv" or keep != "all":
        require_measured(readings, rule if keep == "all" else f"{rule} with the filter", ["soft"])
    members = _members(readings, keep)
    asked = readings.known & members[:, None]
    sums = np.round(np.where(asked[..., None], RULES[rule](readings), 0.0).sum(axis=0), DECIMALS)
    pseudo_labels = np.where(asked.any(axis=0), sums.argmax(axis=1), -1)
    same = (readings.predictions == pseudo_labels).astype(np.float64)
    return Ensemble(members, pseudo_labels, known_mean(same, readings.known & (pseudo_labels >= 0)))


def confidence(readings: PromptReadings) -> NDArray[np.float64]:
    """float64[T]: mean over the known rows of the largest minus the second largest probability; 0 without any."""
    top = np.sort(readings.probs, axis=2)
    return np.nan_to_num(known_mean(top[..., -1] - top[..., -2], readings.known))


def upper_cluster(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[n]: the cluster of larger ``values`` float64[n] of the best two, all of them when they are all equal.

    Exact 2-means: clusters of numbers are intervals, so the least sum of squares is found by trying each
    gap between distinct values; of equally good gaps the lowest.
    """
    rounded = np.round(values, DECIMALS)
    distinct = np.unique(rounded)
    if len(distinct) < 2:
        return np.ones(len(values), dtype=bool)
    costs = [_spread(rounded[rounded < start]) + _spread(rounded[rounded >= start]) for start in distinct[1:]]
    return rounded >= distinct[1:][int(np.argmin(np.round(costs, DECIMALS)))]


def _members(readings: PromptReadings, keep: Keep) -> NDArray[np.bool_]:
    count = len(readings.prompts)
    if keep == "all":
        return np.ones(count, dtype=bool)
    sure = confidence(readings)
    members = upper_cluster(sure)
    if keep == "confident_or_half" and members.sum() < count // 2:
        members = np.zeros(count, dtype=bool)
        members[np.argsort(-np.round(sure, DECIMALS), kind="stable")[: (count + 1) // 2]] = True
    return members


def _spread(values: NDArray[np.float64]) -> float:
    return float(((values - values.mean()) ** 2).sum())


def votes(readings: PromptReadings) -> NDArray[np.float64]:
    """float64[T, X, Y]: 1 at the predicted class; rows that are not known hold nothing of worth."""
    return np.eye(readings.shape[2])[readings.predictions]


RULES: Mapping[str, Callable[[PromptReadings], NDArray[np.float64]]] = {
    "zlp": lambda readings: np.log(np.maximum(readings.probs, EPSILON)),
    "zpm": lambda readings: readings.probs,
    "zmv": votes,
}
"""What each known prompt adds for each row and class, float64[T, X, Y]."""
