"""Learners: how answered texts become a vector on the surrogate."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from taskspace.errors import SettingError, did_you_mean
from taskspace.learners._evidence import Evidence, gather
from taskspace.learners._learner import Embed, EmbedsMany, FitsPool, Ground, Learned, Learner, LearnsMany

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LEARNERS", "Embed", "EmbedsMany", "Evidence", "FitsPool", "Ground", "Learned", "Learner", "LearnsMany",
    "gather", "load_learner",
]  # fmt: skip

LEARNERS = {
    "fisher": "taskspace.learners.fisher:Fisher",
    "response": "taskspace.learners.response:Response",
    "text": "taskspace.learners.text:Text",
    "tuned:bitfit": "taskspace.learners.tuned:Tuned",
    "tuned:lora": "taskspace.learners.tuned:Tuned",
    "tuned:prefix": "taskspace.learners.tuned:Tuned",
    "tuned:prompt": "taskspace.learners.tuned:Tuned",
}
"""Where each learner is made; what follows a colon is its carrier."""


def load_learner(name: str, **settings: object) -> Learner:
    """A learner by name with its settings; raises :class:`SettingError` for names and settings it does not know."""
    if name not in LEARNERS:
        raise SettingError(f"learner {name!r} is not known{did_you_mean(name, LEARNERS)}")
    module, _, attribute = LEARNERS[name].partition(":")
    make: Callable[..., Learner] = getattr(import_module(module), attribute)
    carrier = {"carrier": name.partition(":")[2]} if ":" in name else {}
    try:
        return make(**carrier, **settings)
    except TypeError as error:
        known = [field.name for field in fields(cast("Any", make)) if field.name not in carrier]
        takes = ", ".join(known) or "none"
        raise SettingError(f"learner {name!r} has no such setting ({error}); it takes {takes}") from error
