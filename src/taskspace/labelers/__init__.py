"""Anything that answers texts: functions, scikit-learn estimators, files of predictions.

Names load on first use; none of the packages behind them is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskspace.labelers._labeler import Labeler, ask
    from taskspace.labelers.callables import from_callable
    from taskspace.labelers.estimators import from_sklearn
    from taskspace.labelers.load import load_labeler
    from taskspace.labelers.predictions import from_predictions

__all__ = ["Labeler", "ask", "from_callable", "from_predictions", "from_sklearn", "load_labeler"]

_HOMES = {
    "Labeler": "_labeler",
    "ask": "_labeler",
    "from_callable": "callables",
    "from_predictions": "predictions",
    "from_sklearn": "estimators",
    "load_labeler": "load",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
