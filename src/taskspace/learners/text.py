"""``text``: the mean text feature, TextEmb of Vu et al. 2020 (section 4.1).  The baseline that others must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from taskspace.errors import DataError
from taskspace.learners._learner import Embed, Ground, Learned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.learners._evidence import Evidence
    from taskspace.surrogates import Surrogate


@dataclass(frozen=True)
class Text:
    """Mean over the texts of the surrogate's last layer; of both texts where a row is a pair.  Labels are not read."""

    name: ClassVar[str] = "text"
    needs_labels: ClassVar[bool] = False

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    def bind(self, ground: Ground) -> Embed:
        def embed(evidence: Evidence) -> Learned:
            return _mean_text(ground.surrogate, evidence, progress=ground.progress)

        return embed


def _mean_text(surrogate: Surrogate, evidence: Evidence, *, progress: bool) -> Learned:
    if not len(evidence):
        raise DataError("there are no answered texts to take the mean of; check the labels or the labeler")
    inputs = evidence.inputs
    rows = np.flatnonzero(inputs.is_pair)
    seconds = [pair for pair in inputs.pairs if pair is not None]
    features = surrogate.features([*inputs.texts, *seconds], progress=progress)
    states = surrogate.last_layer(features).astype(np.float64)
    mean = states[: len(inputs)]
    mean[rows] = (mean[rows] + states[len(inputs) :]) / 2
    vector = evidence.weights @ mean
    return Learned({"text": vector.astype(np.float32)}, {"rows": len(evidence)})
