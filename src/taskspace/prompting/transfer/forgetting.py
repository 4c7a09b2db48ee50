"""Negation as unlearning: take a task's vector away, and see what goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.errors import SettingError
from taskspace.prompting.bank import PromptBank

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.prompting.bank import Wording
    from taskspace.prompting.soft import PromptVector, SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone


@dataclass(frozen=True, eq=False)
class Forgetting:
    """Scores float64[len(scales)] on the task to be forgotten and on one to be kept, by how much was taken away.

    ``chosen`` is the scale that forgets most among those that keep at least ``kept_share`` of the kept task's score
    at scale 0 (Ilharco et al. 2023 choose so for weights, with 95 %); None where none does, or nothing is forgotten.
    """

    scales: tuple[float, ...]
    forgotten: NDArray[np.float64]
    kept: NDArray[np.float64]
    kept_share: float
    chosen: float | None


def forget(
    backbone: Backbone,
    prompt: SoftPrompt,
    vector: PromptVector,
    *,
    forgotten: Task,
    kept: Task,
    scales: Sequence[float] = tuple(0.1 * step for step in range(11)),
    kept_share: float = 0.95,
    metric: str | None = None,
    verbaliser: Wording | None = None,
    max_length: int = 256,
) -> Forgetting:
    """Score ``prompt - scale · vector`` on both tasks; all scales go through the backbone as one bank.

    Negation is coded but never measured in Task Prompt Vectors; a control task shows whether more than the one task
    is lost.  Raises :class:`SettingError` for a scale below 0.
    """
    order = sorted({0.0, *(float(scale) for scale in scales)})
    if order[0] < 0:
        raise SettingError(f"the scale {order[0]:g} would add what is to be taken away; give scales of at least 0")
    prompts = [vector.apply(prompt, -scale) for scale in order]
    bank = PromptBank(backbone, prompts, max_length=max_length, verbaliser=verbaliser)
    lost, held = bank.evaluate(forgotten, metric=metric), bank.evaluate(kept, metric=metric)
    allowed = [at for at in range(1, len(order)) if held[at] >= kept_share * held[0] and lost[at] < lost[0]]
    chosen = min(allowed, key=lambda place: float(lost[place]), default=None)
    return Forgetting(tuple(order), lost, held, kept_share, None if chosen is None else order[chosen])
