"""A study under way: what it runs over, what it has found, and the prompts waiting to be scored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskspace.errors import DataError
from taskspace.prompting.bank import PromptBank
from taskspace.prompting.begin import table_of
from taskspace.prompting.soft import SoftPrompt, inits
from taskspace.prompting.study.prompts import TunedPrompt, read_prompts, save_prompt
from taskspace.prompting.study.runs import NAME, Key, Part, Run, append, read_runs
from taskspace.tuning.metrics import best_metric_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from taskspace.prompting.study.plan import Plan
    from taskspace.prompting.transfer import MultitaskPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.splits import Splits

MIXTURES = "mixtures"


@dataclass(frozen=True)
class Study:
    """One process at work on one folder."""

    plan: Plan
    data: Mapping[str, Splits]
    backbone: Backbone
    folder: Path
    tell: Callable[[str], None]
    multitask: dict[int, MultitaskPrompt] = field(default_factory=dict[int, "MultitaskPrompt"])
    _waiting: list[tuple[Run, SoftPrompt]] = field(default_factory=list[tuple[Run, SoftPrompt]])

    @cached_property
    def scores(self) -> dict[Key, float]:
        """What is on record."""
        return {run.key: run.score for run in read_runs(self.folder / NAME)}

    @cached_property
    def inits(self) -> tuple[SoftPrompt, ...]:
        """Vocabulary rows, drawn without replacement, one draw per init."""
        table = table_of(self.backbone)
        seeds = range(self.plan.seed, self.plan.seed + self.plan.inits)
        return tuple(inits.vocabulary(table, self.plan.length, seed, backbone=self.backbone.identity) for seed in seeds)

    @cached_property
    def mixtures(self) -> dict[tuple[str, int], SoftPrompt]:
        """Prompts tuned on two sources together, by ``"a+b"`` and init."""
        return {(each.task, each.init): self._soft(each) for each in read_prompts(self.folder, within=MIXTURES)}

    def keep_mixture(self, tuned: TunedPrompt) -> None:
        save_prompt(self.folder, tuned, within=MIXTURES)
        self.mixtures[tuned.task, tuned.init] = self._soft(tuned)

    @cached_property
    def tuned(self) -> dict[tuple[str, int], SoftPrompt]:
        """The source prompts by task and init; not to be asked for before all are tuned."""
        return {(each.task, each.init): self._soft(each) for each in read_prompts(self.folder, self.plan.sources)}

    def _soft(self, kept: TunedPrompt) -> SoftPrompt:
        return SoftPrompt(kept.tokens, self.backbone.identity, kept.task, init=kept.start, tasks=(kept.task,))

    def bank(self, prompts: Iterable[SoftPrompt]) -> PromptBank:
        return PromptBank(self.backbone, list(prompts), max_length=self.plan.recipe.max_length)

    def run(self, part: Part, task: str, **fields: Any) -> Run:
        """A run by its place; its score is yet to come."""
        metric = best_metric_for(self.data[task].train).name
        return Run(part=part, task=task, metric=metric, score=0.0, **fields)

    def rows(self, run: Run) -> Task:
        """The rows that a run is scored on."""
        splits = self.data[run.task]
        rows = splits.validation if run.split == "validation" else splits.test
        if rows is None:
            raise DataError(f"task {run.task!r} has no validation rows; a study chooses λ and checkpoints on them")
        return rows

    def plan_run(self, run: Run, prompt: SoftPrompt) -> None:
        """Have ``prompt`` scored at the next :meth:`score_planned`, unless its run is on record."""
        if run.key not in self.scores:
            self._waiting.append((run, prompt))

    def score_planned(self, what: str) -> None:
        """Score all that wait, which must be of one task and split, in one bank."""
        waiting, self._waiting[:] = list(self._waiting), []
        if not waiting:
            return
        self.tell(what)
        (run, _), *_ = waiting
        scores = self.bank(prompt for _, prompt in waiting).evaluate(self.rows(run), metric=run.metric)
        self.record([run for run, _ in waiting], scores.tolist())

    def record(self, runs: Sequence[Run], scores: Sequence[float]) -> None:
        """All of them or none, so that what shared a bank shares it again after a kill."""
        append(self.folder / NAME, *(replace(run, score=score) for run, score in zip(runs, scores, strict=True)))
        self.scores.update({run.key: score for run, score in zip(runs, scores, strict=True)})
