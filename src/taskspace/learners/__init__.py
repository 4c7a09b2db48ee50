"""Learners: how answered texts become a vector on the surrogate."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from taskspace.errors import SettingError, did_you_mean
from taskspace.learners._evidence import Evidence, gather
from taskspace.learners._learner import Embed, Ground, Learned, Learner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LEARNERS", "Embed", "Evidence", "Ground", "Learned", "Learner", "gather", "load_learner"]

LEARNERS = {
    "fisher": "taskspace.learners.fisher:Fisher",
    "response": "taskspace.learners.response:Response",
    "text": "taskspace.learners.text:Text",
}


def load_learner(name: str, **settings: object) -> Learner:
    """A learner by name with its settings; raises :class:`SettingError` for names and settings it does not know."""
    if name not in LEARNERS:
        raise SettingError(f"learner {name!r} is not known{did_you_mean(name, LEARNERS)}")
    module, _, attribute = LEARNERS[name].partition(":")
    make: Callable[..., Learner] = getattr(import_module(module), attribute)
    try:
        return make(**settings)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(cast("Any", make)))
        raise SettingError(f"learner {name!r} has no such setting ({error}); it takes {known or 'none'}") from error
