"""Whether answers can be told from noise at all, for learners whose own fit is too dear to repeat on shuffles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.learners._coordinates import raw_features
from taskspace.learners.response import beats_noise, fit_smoother

if TYPE_CHECKING:
    from taskspace.learners._evidence import Evidence
    from taskspace.surrogates import Surrogate

_COMPONENTS = 64
_SHRINKAGE = 1.0


def beyond_noise(surrogate: Surrogate, evidence: Evidence) -> bool:
    """Whether a ridge probe on the frozen surrogate's features beats that on each of 19 shuffles of the answers.

    The features are z-scores of these texts alone, along their first principal components, made white.
    """
    raw = raw_features(surrogate, evidence.inputs)
    centred = raw - raw.mean(axis=0)
    spread = centred.std(axis=0)
    directions, sizes, _ = np.linalg.svd(centred / np.where(spread > 1e-9, spread, np.inf), full_matrices=False)
    kept = (sizes > 1e-6 * sizes.max(initial=0.0)).sum().clip(max=min(_COMPONENTS, max(1, len(evidence) // 2)))
    x = directions[:, :kept] * np.sqrt(len(evidence))
    y = evidence.values - evidence.weights @ evidence.values
    return bool(kept) and evidence.varies and beats_noise(fit_smoother(x, evidence.weights, _SHRINKAGE), y)
