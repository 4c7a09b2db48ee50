"""The few-shot part of a study: every start of a target task, tuned on 0 to k examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.prompts import TunedPrompt
from taskspace.prompting.transfer import MultitaskPrompt, Sources, multitask_prompt, start, transfer_bank
from taskspace.prompting.transfer.starts import STARTS
from taskspace.tuning.evaluation import evaluate, worded
from taskspace.tuning.splits import k_shot
from taskspace.tuning.training import Job, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.prompting.study._state import Study
    from taskspace.prompting.study.runs import Run
    from taskspace.tuning.bank import Bank


def run_shots(study: Study) -> None:
    """All plain starts of a target and a number of shots share one bank; the other methods have one each."""
    plan = study.plan
    carried = [method for method in plan.methods if method not in STARTS]
    plain = [method for method in plan.methods if method in STARTS]
    for target, pair in plan.targets.items():
        for shots in plan.shots:
            _run(study, [each for method in plain for each in _wanted(study, target, pair, shots, method)])
            for method in carried:
                _run(study, _wanted(study, target, pair, shots, method))


def _wanted(
    study: Study, target: str, pair: tuple[str, str], shots: int, method: str
) -> list[tuple[list[Run], Sources]]:
    """The runs of one method that are not on record, one per init; a single source is also validated."""
    found: list[tuple[list[Run], Sources]] = []
    for i in range(study.plan.inits):
        for other in pair if method == "single" else (None,):
            splits = ("test", "validation") if method == "single" else ("test",)
            runs = [
                study.run("shots", target, method=method, init=i, seed=i, shots=shots, other=other, split=split)
                for split in splits
            ]
            if any(run.key not in study.scores for run in runs):
                found.append((runs, _sources(study, pair, i, method, other)))
    return found


def _sources(study: Study, pair: tuple[str, str], i: int, method: str, other: str | None) -> Sources:
    """What init ``i`` has for a method: the pair's prompts, but all sources for ATTEMPT, which starves on two."""
    names = (other,) if other else study.plan.sources if method == "attempt" else pair
    prompts = tuple(study.tuned[name, i] for name in names)
    mixture = _mixture(study, pair, i) if method == "spot" else None
    multitask = _multitask(study, i) if method == "mpt" else None
    return Sources(study.inits[i], prompts, mixture, multitask)


def _run(study: Study, wanted: list[tuple[list[Run], Sources]]) -> None:
    """Tune and score; ATTEMPT's rows cannot share a bank, since every init has sources of its own."""
    if not wanted:
        return
    run = wanted[0][0][0]
    study.tell(f"{run.task}, {run.shots} shots: {', '.join(dict.fromkeys(runs[0].method for runs, _ in wanted))}")
    for group in [[each] for each in wanted] if run.method == "attempt" else [wanted]:
        bank = _bank(study, group)
        if run.shots:
            train(bank, [_job(study, bank, runs[0]) for runs, _ in group], study.plan.few_shot)
        found: dict[Run, float] = {}
        for split in ("test", "validation"):
            rows = [(row, each) for row, (runs, _) in enumerate(group) for each in runs if each.split == split]
            found |= _scored(study, bank, [(row, each) for row, each in rows if each.key not in study.scores])
        study.record(list(found), list(found.values()))


def _scored(study: Study, bank: Bank, todo: Sequence[tuple[int, Run]]) -> dict[Run, float]:
    """What bank rows score, each for its run; all runs are of one task and split."""
    if not todo:
        return {}
    run, length = todo[0][1], study.plan.few_shot.max_length
    scores = evaluate(bank, study.rows(run), [row for row, _ in todo], metric=run.metric, max_length=length)
    return dict(zip((each for _, each in todo), scores.tolist(), strict=True))


def _bank(study: Study, group: Sequence[tuple[list[Run], Sources]]) -> Bank:
    from taskspace.tuning.bank import Bank
    from taskspace.tuning.parts import Prompts

    method = group[0][0][0].method
    if method in STARTS:
        starts = [start(runs[0].method, sources) for runs, sources in group]
        return Bank(study.backbone, Prompts(study.backbone, np.stack([each.tokens for each in starts])))
    classes = len(study.data[group[0][0][0].task].train.label_names)
    sources = [sources for _, sources in group]
    return transfer_bank(method, study.backbone, sources, outputs=[classes] * len(group), seed=study.plan.seed)


def _job(study: Study, bank: Bank, run: Run) -> Job:
    """The same draw of examples for every method of one seed."""
    few = k_shot(study.data[run.task].train, run.shots or 0, seed=study.plan.seed + run.seed)
    return Job(worded(bank.backbone, few), seed=run.seed, batch=study.plan.batch(run.shots or 0))


def _mixture(study: Study, pair: tuple[str, str], i: int) -> SoftPrompt:
    """One prompt tuned on both sources' rows (SPoT), kept beside the others; all inits in one bank."""
    name = "+".join(pair)
    if (name, i) not in study.mixtures:
        study.tell(f"tuning on the mixture {name}")
        engine = study.bank(study.inits).engine()
        splits = [study.data[task] for task in pair]
        train_sets = tuple(worded(study.backbone, each.train) for each in splits)
        held = tuple(worded(study.backbone, each.validation) for each in splits if each.validation is not None)
        train(engine, [Job(train_sets, held, seed=seed) for seed in range(len(engine))], study.plan.recipe)
        for row, init in enumerate(study.inits):
            study.keep_mixture(TunedPrompt(name, row, engine.state(row)["tokens"], init.tokens))
    return study.mixtures[name, i]


def _multitask(study: Study, i: int) -> MultitaskPrompt:
    """MPT's first stage on all sources from one init, a batch being spread over them; made once per process."""
    if i not in study.multitask:
        study.tell(f"multitask prompt of init {i}")
        names = study.plan.sources
        share = max(1, study.plan.recipe.batch // len(names))
        jobs = [Job(worded(study.backbone, study.data[name].train), seed=i, batch=share) for name in names]
        teachers = [study.tuned[name, i] for name in names]
        recipe, init = study.plan.recipe, study.inits[i]
        study.multitask[i] = multitask_prompt(study.backbone, teachers, jobs, recipe, init=init)
    return study.multitask[i]
