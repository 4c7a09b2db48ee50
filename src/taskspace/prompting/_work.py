"""Prompts that are wanted, and one run over them: tune what is not there yet, save it, score it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskspace.prompting._kept import drop_state, finished, open_folder, place_of, state_of
from taskspace.prompting.bank import PromptBank
from taskspace.prompting.begin import begin, table_of
from taskspace.prompting.soft._tables import short_name
from taskspace.tuning.splits import held_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from taskspace.prompting.bank import Wording
    from taskspace.prompting.begin import Init
    from taskspace.prompting.soft import SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.recipe import Recipe
    from taskspace.tuning.splits import Overlap


@dataclass(frozen=True, eq=False)
class Wanted:
    """A prompt to be: its rows, where it begins, and ``making``, all that decides how it comes out."""

    name: str
    seed: int
    start: SoftPrompt
    train: Task
    validation: Task | None
    test: Task | None
    making: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How every prompt is tuned."""

    backbone: Backbone
    init: Init
    length: int | None
    recipe: Recipe
    shots: int | None
    overlap: Overlap
    verbaliser: Wording | None

    @cached_property
    def _table(self) -> Any:
        return table_of(self.backbone)

    def bank(self, prompts: Sequence[SoftPrompt]) -> PromptBank:
        return PromptBank(self.backbone, prompts, max_length=self.recipe.max_length, verbaliser=self.verbaliser)

    def wanted(self, task: Task, validation: Task | float | None, test: Task | None, seed: int, *, name: str) -> Wanted:
        from taskspace.tuning.evaluation import worded

        train, held, rest = held_out(
            task, validation=validation, test=test, shots=self.shots, seed=seed, overlap=self.overlap
        )
        said = self.verbaliser(task) if callable(self.verbaliser) else self.verbaliser
        answers = worded(self.backbone, train, said).answers
        start = begin(self.init, self.backbone, length=self.length, seed=seed, answers=answers, table=self._table)
        making = {
            **_frozen(self.backbone),
            "recipe": self.recipe.to_dict(), "task": train.fingerprint, "init": start.fingerprint, "seed": seed,
            "held_out": None if held is None else held.fingerprint,
            "wording": None if said is None else asdict(said),
        }  # fmt: skip
        return Wanted(name, seed, start, train, held, rest, making)


@dataclass(frozen=True)
class Work:
    """One run over all that is wanted."""

    plan: Plan
    wanted: Sequence[Wanted]
    folder: Path | None
    force: bool
    progress: bool
    tell: Callable[[str], None]

    def tuned(self) -> list[SoftPrompt]:
        """Every prompt, finished and saved."""
        if self.folder is None:
            return self._tune(self.wanted, None)
        open_folder(self.folder)
        kept = {each.name: prompt for each in self.wanted if (prompt := self._finished(self.folder, each))}
        # A run that was killed between two saves still has its state, and need not tune the rest anew.
        state = state_of(self.folder, [each.making for each in self.wanted])
        todo = [each for each in self.wanted if each.name not in kept or state.exists()]
        if len(todo) < len(self.wanted):
            state = state_of(self.folder, [each.making for each in todo])
            self.tell(f"kept {', '.join(kept)}: tuned before")
        if todo:
            for prompt in self._tune(todo, state):
                kept[prompt.name] = self._saved(prompt)
            drop_state(state)
        return [kept[each.name] for each in self.wanted]

    def scored(self, prompts: Sequence[SoftPrompt]) -> tuple[SoftPrompt, ...]:
        """The same with their scores on the held-out rows, each set of rows in one bank."""
        metrics: list[dict[str, Any]] = [{} for _ in prompts]
        for part in ("validation", "test"):
            for task, of in self._sets(part):
                name, scores = self._scores(task, [prompts[i] for i in of])
                for i, score in zip(of, scores, strict=True):
                    metrics[i] |= {"metric": name, part: score}
        pairs = zip(prompts, metrics, strict=True)
        return tuple(self._with_metrics(prompt, found) for prompt, found in pairs)

    def _sets(self, part: str) -> list[tuple[Task, list[int]]]:
        """Each set of held-out rows once, and the places of the prompts that it was held out for."""
        sets: dict[tuple[str, str], tuple[Task, list[int]]] = {}
        for i, each in enumerate(self.wanted):
            task: Task | None = getattr(each, part)
            if task is not None:
                sets.setdefault((each.train.name, task.fingerprint), (task, []))[1].append(i)
        return list(sets.values())

    def _finished(self, folder: Path, each: Wanted) -> SoftPrompt | None:
        return None if self.force else finished(folder, each.name, each.making)

    def _tune(self, todo: Sequence[Wanted], state: Path | None) -> list[SoftPrompt]:
        many = f"{len(todo)} prompts" if len(todo) > 1 else "a prompt"
        self.tell(f"tuning {many} on {self.plan.backbone.identity.name}")
        bank = self.plan.bank([each.start for each in todo]).tune(
            [each.train for each in todo],
            self.plan.recipe,
            validation=[each.validation for each in todo],
            seeds=[each.seed for each in todo],
            folder=state,
            progress=self.progress,
        )
        return [
            replace(prompt, name=each.name, provenance={**prompt.provenance, **each.making})
            for each, prompt in zip(todo, bank.prompts, strict=True)
        ]

    def _scores(self, task: Task, prompts: Sequence[SoftPrompt]) -> tuple[str, list[float]]:
        from taskspace.tuning.metrics import best_metric_for

        return best_metric_for(task).name, self.plan.bank(prompts).evaluate(task).tolist()

    def _with_metrics(self, prompt: SoftPrompt, found: dict[str, Any]) -> SoftPrompt:
        known = prompt.provenance.get("metrics", {})
        if known | found == known:
            return prompt
        return self._saved(replace(prompt, provenance={**prompt.provenance, "metrics": known | found}))

    def _saved(self, prompt: SoftPrompt) -> SoftPrompt:
        if self.folder is not None:
            prompt.save(place_of(self.folder, prompt.name))
        return prompt


def _frozen(backbone: Backbone) -> dict[str, Any]:
    """What a prompt was tuned in front of: the model, wherever it lay, and the numbers it computes in.

    Checkpointing is not told: it changes the memory that is needed, and not what comes out.
    """
    said = getattr(backbone.module.config, "quantization_config", None)
    known = said if said is None or isinstance(said, dict) else said.to_dict()
    names = ("quant_method", "load_in_8bit", "load_in_4bit", "bnb_4bit_quant_type")
    return {
        "backbone": backbone.identity.to_dict() | {"name": short_name(backbone.identity.name)},
        "precision": str(backbone.module.dtype).removeprefix("torch."),
        "quantization": None if known is None else {name: known.get(name) for name in names},
    }
