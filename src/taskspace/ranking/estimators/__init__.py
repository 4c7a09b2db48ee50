"""Transferability estimators: how well a candidate's features, or its answers, fit the labels of a target.

Each is a function of arrays that gives one number; higher is better.  The numbers order candidates on one target
with the same rows.  They say nothing across targets, nor of how much a transfer will help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from taskspace.ranking.estimators._hscore import h_score
from taskspace.ranking.estimators._inputs import TargetLabels, one_hot, target_labels
from taskspace.ranking.estimators._leep import label_entropy, leep, nce
from taskspace.ranking.estimators._logme import Moments, logme
from taskspace.ranking.estimators._maps import SpaceMap, fit_map
from taskspace.ranking.estimators._neighbours import knn, parc
from taskspace.ranking.estimators._probe import linear_probe
from taskspace.ranking.estimators._transrate import transrate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

    Estimator: TypeAlias = Callable[[ArrayLike, ArrayLike | TargetLabels], float]

ESTIMATORS: Mapping[str, Estimator] = {
    "logme": logme,
    "h_score": h_score,
    "transrate": transrate,
    "knn": knn,
    "linear_probe": linear_probe,
    "parc": parc,
}
"""Those that take (features, labels), at their defaults."""

__all__ = [
    "ESTIMATORS",
    "Moments",
    "SpaceMap",
    "TargetLabels",
    "fit_map",
    "h_score",
    "knn",
    "label_entropy",
    "leep",
    "linear_probe",
    "logme",
    "nce",
    "one_hot",
    "parc",
    "target_labels",
    "transrate",
]
