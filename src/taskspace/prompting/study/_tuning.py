"""The source prompts of a study: tuned together, and after a kill together again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, TypeAlias

from taskspace._files import replacing
from taskspace.prompting.study.prompts import TunedPrompt, read_prompts, save_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from taskspace.prompting.study._state import Study

Place: TypeAlias = "tuple[str, int]"
"""A source task and an init."""

STATE = "state"
_BATCH = "batch.json"


def tune_sources(study: Study) -> None:
    """Every source from every init that is not there yet, in one bank.

    A batch that a killed process began is ended first, all of it: rows of another bank would be rounded otherwise.
    """
    if begun := _begun(study):
        _tune(study, begun)
    kept = {(each.task, each.init) for each in read_prompts(study.folder)}
    todo = [(task, i) for task in study.plan.sources for i in range(study.plan.inits) if (task, i) not in kept]
    if todo:
        _begin(study.folder / STATE, todo)
        _tune(study, todo)


def _tune(study: Study, batch: Sequence[Place]) -> None:
    study.tell(f"tuning {len(batch)} source prompts")
    tuned = study.bank(study.inits[i] for _, i in batch).tune(
        [study.data[task].train for task, _ in batch],
        study.plan.recipe,
        validation=[study.data[task].validation for task, _ in batch],
        seeds=[i for _, i in batch],
        folder=study.folder / STATE,
    )
    for (task, i), prompt in zip(batch, tuned.prompts, strict=True):
        save_prompt(study.folder, TunedPrompt(task, i, prompt.tokens, study.inits[i].tokens))
    shutil.rmtree(study.folder / STATE)


def _begun(study: Study) -> list[Place]:
    """The batch that a killed process left, unless the plan no longer asks for all of it."""
    path = study.folder / STATE / _BATCH
    batch = [(str(task), int(i)) for task, i in json.loads(path.read_bytes())] if path.exists() else []
    asked = all(task in study.plan.sources and i < study.plan.inits for task, i in batch)
    return batch if asked else []


def _begin(state: Path, batch: Sequence[Place]) -> None:
    """Note the batch; what an older one left, killed at its very end, goes."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    with replacing(state / _BATCH) as partial:
        partial.write_text(json.dumps(list(batch)), encoding="utf-8")
