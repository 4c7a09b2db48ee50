"""Transfer methods by name, and the bank that tunes a new task by any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting.bank import PromptBank, require_fitting
from taskspace.prompting.transfer.carriers import CARRIERS
from taskspace.prompting.transfer.starts import STARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.prompting.transfer._sources import Sources
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.bank import Bank

METHODS: tuple[str, ...] = (*STARTS, *CARRIERS)


def start(method: str, sources: Sources, *, scale: float = 1.0) -> SoftPrompt:
    """The prompt that a new task is tuned from.

    Raises :class:`SettingError` for a method that is none, or that tunes something else than a plain prompt, and
    :class:`PromptError` for sources that it cannot use.
    """
    _require_known(method)
    if method not in STARTS:
        raise SettingError(f"method {method!r} does not start from a plain prompt; tune it with transfer_bank(...)")
    return STARTS[method](sources, scale)


def transfer_bank(
    method: str,
    backbone: Backbone,
    sources: Sequence[Sources],
    *,
    outputs: Sequence[int] = (),
    scale: float = 1.0,
    seed: int = 0,
) -> Bank:
    """A bank with a row for each of ``sources``, ready to be trained on new tasks.

    ``outputs[k]`` is the number of classes of row k's task: only methods with a trained head look at it.
    Raises as :func:`start` does, and :class:`PromptError` for prompts of another backbone or of several lengths.
    """
    from taskspace.tuning.bank import Bank

    _require_known(method)
    if not sources:
        raise SettingError("there is nothing to start from; give the sources of one task at least")
    if method in STARTS:
        return PromptBank(backbone, [start(method, each, scale=scale) for each in sources]).engine()
    require_fitting([prompt for each in sources for prompt in (each.init, *each.prompts)], backbone)
    part, head = CARRIERS[method](backbone, sources, outputs, seed)
    return Bank(backbone, part, head)


def _require_known(method: str) -> None:
    if method not in METHODS:
        raise SettingError(f"transfer method {method!r} is not known{did_you_mean(method, METHODS)}")
