"""Task arithmetic (arXiv 2212.04089, section 2) and weight averaging (Model soups, arXiv 2203.05482)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.errors import SettingError
from taskspace.merging.methods._method import linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.merging.methods._method import Combine, Inputs


@dataclass(frozen=True)
class Sum:
    """``sum of w * tau``."""

    whole = False

    def coefficients(self, weights: Sequence[float]) -> Sequence[float]:
        return weights

    def over(self, inputs: Inputs) -> Combine:
        return linear(self, inputs)


@dataclass(frozen=True)
class Mean:
    """``sum of w * tau / sum of w``: the average of the models, so a common factor of the weights is lost."""

    whole = False

    def coefficients(self, weights: Sequence[float]) -> Sequence[float]:
        return shares(weights)

    def over(self, inputs: Inputs) -> Combine:
        return linear(self, inputs)


def shares(weights: Sequence[float]) -> list[float]:
    """Weights over their sum; raises :class:`SettingError` where that is zero."""
    total = sum(weights)
    if not total:
        raise SettingError(f"the weights {list(weights)} add up to 0, so there is no mean; use sum")
    return [weight / total for weight in weights]
