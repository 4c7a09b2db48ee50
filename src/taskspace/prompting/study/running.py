"""Running a study: every run that is not on record yet, in an order in which each finds what it needs."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

from taskspace._files import replacing
from taskspace.errors import SettingError
from taskspace.prompting.soft.combine import total
from taskspace.prompting.study._fewshot import run_shots
from taskspace.prompting.study._state import Study
from taskspace.prompting.study.plan import content, require_all
from taskspace.prompting.study.prompts import TunedPrompt, read_prompts, save_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from taskspace.prompting.study.plan import Plan
    from taskspace.prompting.study.runs import Run
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.splits import Splits


def run_study(
    plan: Plan,
    data: Mapping[str, Splits],
    backbone: Backbone,
    folder: Path,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Do what ``plan`` asks for and ``folder`` does not hold yet; a killed study goes on where it stopped.

    Tuned source prompts go to ``folder/prompts``, one line per finished run to ``folder/runs.jsonl``.  ``tell`` hears
    what is at work.  Raises :class:`SettingError` for a folder of a study with other settings or data.
    """
    require_all(plan, data)
    contents = {name: content(splits) for name, splits in data.items()}
    _require_same(folder, plan.settings(backbone.identity.to_dict()), contents)
    study = Study(plan, data, backbone, folder, tell)
    _tune_sources(study)
    stages = {"sources": _score_sources, "mixed": _mixed, "pairs": _pairs, "shots": run_shots}
    for part in plan.parts:
        stages[part](study)


def _tune_sources(study: Study) -> None:
    """Every source from every init, in one bank."""
    plan = study.plan
    kept = {(each.task, each.init) for each in read_prompts(study.folder)}
    todo = [(task, i) for task in plan.sources for i in range(plan.inits) if (task, i) not in kept]
    if not todo:
        return
    study.tell(f"tuning {len(todo)} source prompts")
    tuned = study.bank(study.inits[i] for _, i in todo).tune(
        [study.data[task].train for task, _ in todo],
        plan.recipe,
        validation=[study.data[task].validation for task, _ in todo],
        seeds=[i for _, i in todo],
        folder=study.folder / "state",
    )
    for (task, i), prompt in zip(todo, tuned.prompts, strict=True):
        save_prompt(study.folder, TunedPrompt(task, i, prompt.tokens, study.inits[i].tokens))


def _score_sources(study: Study) -> None:
    """The prompts on their own tasks, on both splits, and the bare inits."""
    for task in study.plan.sources:
        for i in range(study.plan.inits):
            study.plan_run(study.run("sources", task, init=i), study.tuned[task, i])
            study.plan_run(study.run("sources", task, init=i, method="start"), study.inits[i])
        study.score_planned(f"sources on {task}")
        for i in range(study.plan.inits):
            study.plan_run(study.run("sources", task, init=i, split="validation"), study.tuned[task, i])
        study.score_planned(f"sources on {task}")


def _mixed(study: Study) -> None:
    """Every vector on every other init."""
    for task in study.plan.sources:
        for i, j in permutations(range(study.plan.inits), 2):
            moved = study.tuned[task, i].vector.apply(study.inits[j])
            study.plan_run(study.run("mixed", task, init=i, foreign=j), moved)
        study.score_planned(f"moved vectors on {task}")


def _pairs(study: Study) -> None:
    """Every two vectors of one init added: each λ on validation, then the best one on test, on both tasks."""
    for pair in study.plan.pairs:
        for i in range(study.plan.inits):
            vector = total([study.tuned[task, i].vector for task in pair])
            starts = {scale: vector.apply(study.inits[i], scale) for scale in sorted(study.plan.grid)}
            sums: list[float] = [0.0] * len(starts)
            for task, other in (pair, pair[::-1]):
                wanted = [_sum(study, task, other, i, scale, "validation") for scale in starts]
                for run, start in zip(wanted, starts.values(), strict=True):
                    study.plan_run(run, start)
                study.score_planned(f"sums of {pair[0]} and {pair[1]}")
                sums = [so_far + study.scores[run.key] for so_far, run in zip(sums, wanted, strict=True)]
            best = list(starts)[sums.index(max(sums))]  # the smallest of equal ones
            for task, other in (pair, pair[::-1]):
                study.plan_run(_sum(study, task, other, i, best, "test"), starts[best])
                study.score_planned(f"sums of {pair[0]} and {pair[1]}")


def _sum(study: Study, task: str, other: str, i: int, scale: float, split: str) -> Run:
    return study.run("pairs", task, other=other, init=i, scale=scale, split=split, method="tpv")


def _require_same(folder: Path, settings: dict[str, Any], data: dict[str, list[str]]) -> None:
    """Runs of two studies in one folder would be averaged as one; further tasks may join a study."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"settings": settings, "data": {}}
    changed = [name for name in data if kept["data"].get(name, data[name]) != data[name]]
    if kept["settings"] != settings or changed:
        what = f"other rows of {changed[0]!r}" if changed else "other settings"
        raise SettingError(f"{folder} holds a study with {what}; give another folder")
    with replacing(path) as partial:
        joined = {"settings": settings, "data": {**kept["data"], **data}}
        partial.write_text(json.dumps(joined, indent=1), encoding="utf-8")
