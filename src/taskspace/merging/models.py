"""Whole models among vectors: taken from no base, they are no differences, and are not added to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.errors import WeightsError
from taskspace.merging.carriers import Combined, Difference
from taskspace.merging.carriers.scaled import Scaled
from taskspace.merging.methods import Merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.merging._vector import TaskVector
    from taskspace.merging.carriers import Carrier

_ROUNDING = 1e-6


def models_in(carrier: Carrier) -> float:
    """How many models a carrier adds up to: 1 of one, and of a mean of some; 0 of differences, of two models too."""
    if isinstance(carrier, Difference):
        return float(carrier.base is None)
    if isinstance(carrier, Combined):
        return sum(weight * models_in(part) for weight, part in carrier.terms)
    if isinstance(carrier, Scaled):
        return models_in(carrier.carrier)
    if isinstance(carrier, Merged):
        return max((models_in(part) for part in carrier.inputs.carriers), key=abs)
    return 0.0


def require_differences(vectors: Sequence[TaskVector], base: str) -> None:
    """Raise :class:`WeightsError` where one of what is to lie on ``base`` is a whole model, or a mixture of some."""
    for vector in vectors:
        if abs(models_in(vector.carrier)) > _ROUNDING:
            raise WeightsError(
                f"{vector} is a whole model, which does not add up with {base} or with differences to it; take"
                f" TaskVector.diff of it and {base}"
            )
