"""Anything that answers texts: Hub classifiers, prompted language models, functions, estimators, predictions.

Names load on first use; none of the packages behind them is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskspace.labelers._labeler import Labeler, ask, require_reads
    from taskspace.labelers.callables import from_callable
    from taskspace.labelers.endpoints import open_endpoint as endpoint
    from taskspace.labelers.estimators import from_sklearn
    from taskspace.labelers.hub import from_hub
    from taskspace.labelers.language_models import load_language_model as language_model
    from taskspace.labelers.load import load_labeler
    from taskspace.labelers.predictions import from_predictions
    from taskspace.labelers.prompts import Prompt, from_prompt, read_prompts
    from taskspace.labelers.store import AnswerStore

__all__ = [
    "AnswerStore",
    "Labeler",
    "Prompt",
    "ask",
    "endpoint",
    "from_callable",
    "from_hub",
    "from_predictions",
    "from_prompt",
    "from_sklearn",
    "language_model",
    "load_labeler",
    "read_prompts",
    "require_reads",
]

_HOMES = {
    "AnswerStore": ("store", "AnswerStore"),
    "Labeler": ("_labeler", "Labeler"),
    "Prompt": ("prompts", "Prompt"),
    "ask": ("_labeler", "ask"),
    "endpoint": ("endpoints", "open_endpoint"),
    "from_callable": ("callables", "from_callable"),
    "from_hub": ("hub", "from_hub"),
    "from_predictions": ("predictions", "from_predictions"),
    "from_prompt": ("prompts", "from_prompt"),
    "from_sklearn": ("estimators", "from_sklearn"),
    "language_model": ("language_models", "load_language_model"),
    "load_labeler": ("load", "load_labeler"),
    "read_prompts": ("prompts", "read_prompts"),
    "require_reads": ("_labeler", "require_reads"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(f"{__name__}.{module}"), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
