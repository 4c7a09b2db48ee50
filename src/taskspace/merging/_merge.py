"""Several vectors into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError
from taskspace.merging._vector import TaskVector, joined_base, joined_weights, summed
from taskspace.merging.carriers import combine
from taskspace.merging.coefficients import coefficients
from taskspace.merging.methods import Inputs, Linear, Merged, Telling, method_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.merging.methods import Method


def merge(
    vectors: Sequence[TaskVector],
    method: str = "sum",
    weights: str | Sequence[float] = "equal",
    *,
    scale: float = 1.0,
    **options: Any,
) -> TaskVector:
    """``scale`` times the merged vector; nothing is computed before it is applied, saved or measured.

    ``weights`` is one number each, or a rule: ``equal`` (1 each) or ``norm`` (MetaGPT).  Others find the numbers first:
    :func:`~taskspace.merging.coefficients.weights_by_similarity` and :func:`~taskspace.merging.coefficients.lasso` by
    a target, :func:`~taskspace.merging.fitting.fit` by rows.

    What comes of it tells the weights that it was summed with, so those of ``lerp``, ``mean`` and ``ema`` after their
    rule; of ``slerp`` the shares of the way, and of ``remove`` and ``graft`` that of the first vector alone, since the
    second adds nothing.  Of other methods, where no one number says what became of a vector, it tells them as given.

    In ``sum``, ``magnitude``, ``dare``, ``remove``, ``graft``, and for matrices in ``tsv`` and ``iso``, a common factor
    of the weights makes the result larger; in ``mean``, ``ties``, ``dare_ties`` and ``lore`` it is lost, so [2, 1] and
    [10, 5] are one.  ``lerp`` and ``slerp`` go by ``alpha`` alone, ``ema`` by ``momentum``, and no weights are taken.

    Raises :class:`SettingError` for an unknown method, rule or option, and :class:`WeightsError` where the vectors were
    taken from different bases or models.
    """
    if not vectors:
        raise SettingError("no vector was given to merge; give at least one")
    by = method_named(method, **options)
    counted = coefficients(vectors, weights)
    inputs = Inputs(tuple(vector.carrier for vector in vectors), counted)
    carrier = Merged(inputs, by)
    carrier.layout  # noqa: B018  # raises now where vectors do not fit each other, and the next where not the method
    carrier.combine  # noqa: B018
    if isinstance(by, Linear):
        carrier = combine(list(zip(by.coefficients(counted), inputs.carriers, strict=True)))
    about = {"method": method, "options": options, "weights": list(counted), "scale": scale}
    merged = TaskVector(carrier, joined_weights(vectors, _told(by, counted)), joined_base(vectors), {"merge": about})
    if scale == 1:
        return merged
    scaled = summed([merged], [scale])
    return TaskVector(scaled.carrier, scaled.weights, scaled.base, merged.provenance)


def _told(by: Method, weights: Sequence[float]) -> Sequence[float]:
    if isinstance(by, Linear):
        return by.coefficients(weights)
    return by.told(weights) if isinstance(by, Telling) else weights
