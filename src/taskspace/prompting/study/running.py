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
from taskspace.prompting.study._tuning import tune_sources
from taskspace.prompting.study.plan import content, require_all
from taskspace.tuning.evaluation import worded
from taskspace.tuning.examples import labelled

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
    what is at work.  Raises :class:`SettingError` for a folder of a study with other settings or data, and at once
    whatever would stop the study later: a task without data, shots that cannot be drawn, labels that the backbone
    cannot answer.
    """
    require_all(plan, data)
    study = Study(plan, data, backbone, folder, tell)
    _require_readable(study)
    _require_same(study)
    tune_sources(study)
    stages = {"sources": _score_sources, "mixed": _mixed, "pairs": _pairs, "shots": run_shots}
    for part in plan.parts:
        stages[part](study)


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


def _require_readable(study: Study) -> None:
    """Have one row of every task cut into tokens: a backbone that cannot answer it says so now."""
    engine = study.bank(study.inits[:1]).engine()
    for name in (*study.plan.sources, *study.plan.targets):
        row = labelled(study.data[name].train).take([0])
        engine.prepare(worded(study.backbone, row), max_length=study.plan.recipe.max_length)


def _require_same(study: Study) -> None:
    """Runs of two studies in one folder would be averaged as one; a study that only grows is the same."""
    path, plan = study.folder / "study.json", study.plan
    mine = {
        "settings": plan.settings(study.backbone.identity.to_dict()),
        "data": {name: content(splits) for name, splits in study.data.items()},
        "starts": plan.starts,
    }
    kept = _read(path) if path.exists() else {}
    for what, words in _WORDS.items():
        for name, value in mine[what].items():
            if kept.get(what, {}).get(name, value) != value:
                raise SettingError(f"{study.folder} holds a study with {words} {name!r}; give another folder")
    study.folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        both = {what: kept.get(what, {}) | own for what, own in mine.items()}
        partial.write_text(json.dumps(both, indent=1), encoding="utf-8")


_WORDS = {"settings": "another setting of", "data": "other rows of", "starts": "other sources for"}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {what: dict(kept[what]) for what in ("settings", "data")} | {"starts": dict(kept.get("starts", {}))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(
            f"{path} does not say what the study is made of; delete it if nothing has changed, or give another folder"
        ) from error
