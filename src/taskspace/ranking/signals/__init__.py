"""Signals: everything that may tell, before any tuning, which source will help a target."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking.signals._embeddings import signals_of
from taskspace.ranking.signals._signal import Need, Passes, Reading, Signal, take
from taskspace.ranking.signals.question import Corpus, Demonstrates, Model, Question, Source, Vectors

if TYPE_CHECKING:
    from taskspace.ranking.signals.in_context import InContext

__all__ = [
    "LEARNERS", "Corpus", "Demonstrates", "InContext", "Model", "Need", "Passes", "Question", "Reading", "Signal",
    "Source", "Vectors", "signal_named", "signals", "signals_of", "take",
]  # fmt: skip

LEARNERS = ("response", "text", "fisher", "tuned:prompt", "tuned:prefix", "tuned:lora", "tuned:bitfit")
"""Those whose vectors have signals of their own, by name."""


@cache
def signals() -> dict[str, Signal]:
    """All signals by name, embeddings first, controls last."""
    from taskspace.ranking.signals._controls import controls
    from taskspace.ranking.signals._models import model_signals
    from taskspace.ranking.signals._texts import text_signals

    by_learner = [signal for learner in LEARNERS for signal in signals_of(learner)]
    return {signal.name: signal for signal in (*by_learner, *model_signals(), *text_signals(), *controls())}


def signal_named(name: str) -> Signal:
    """The signal of that name; raises :class:`SettingError` with the nearest one."""
    known = signals()
    if name not in known:
        raise SettingError(f"there is no signal {name!r}{did_you_mean(name, known)}")
    return known[name]


def __getattr__(name: str) -> Any:  # on first use: it brings the labelers with it
    if name == "InContext":
        from taskspace.ranking.signals.in_context import InContext

        return InContext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
