"""Language models that run here: exact log-probabilities of answer strings, and greedy generation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskspace.labelers.language_models._local import LocalModel, load_language_model

__all__ = ["LocalModel", "load_language_model"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}._local"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
