"""PromptBank: K soft prompts on one frozen backbone, tuned and scored together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from taskspace._version import __version__
from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft import SoftPrompt, same_backbone
from taskspace.prompting.soft._origin import origin_of
from taskspace.tuning.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.bank import Bank
    from taskspace.tuning.examples import Verbaliser
    from taskspace.tuning.training import Job, Outcome

Wording: TypeAlias = "Verbaliser | Callable[[Task], Verbaliser]"
"""How rows are put to a model, or how to say it for a task."""


@final
class PromptBank:
    """K prompts of m tokens in front of one frozen model; rows of a batch may belong to different prompts.

    A value: tuning gives a new bank.  ``model`` is a Hub id, a folder or a loaded backbone, ``options`` go to
    :func:`taskspace.tuning.backbones.load_backbone`; texts are read up to ``max_length`` tokens, 256 unless the
    recipe it is tuned with says otherwise.  ``verbaliser`` says how rows are put to the model, or how to say it for a
    task.

    Raises :class:`PromptError` for prompts of another backbone or of several lengths.
    """

    def __init__(
        self,
        model: str | Path | Backbone,
        prompts: Sequence[SoftPrompt],
        *,
        max_length: int | None = None,
        verbaliser: Wording | None = None,
        **options: Any,
    ) -> None:
        from taskspace.tuning.backbones import load_backbone

        self.backbone: Backbone = load_backbone(model, **options) if isinstance(model, str | Path) else model
        self.prompts = tuple(prompts)
        self._max_length = max_length
        self._verbaliser = verbaliser
        require_fitting(self.prompts, self.backbone)

    @property
    def max_length(self) -> int:
        """Tokens of a text that are read."""
        return Recipe.max_length if self._max_length is None else self._max_length

    def __len__(self) -> int:
        return len(self.prompts)

    def __repr__(self) -> str:
        return f"PromptBank({len(self)} x {self.prompts[0].length} tokens on {self.backbone.identity.name})"

    def tune(
        self,
        tasks: Sequence[Task],
        recipe: Recipe | None = None,
        *,
        validation: Sequence[Task | None] | None = None,
        seeds: Sequence[int] | None = None,
        folder: Path | None = None,
        progress: bool = False,
    ) -> PromptBank:
        """Prompt k tuned on task k from where it stands, which becomes its init; see :func:`tuning.train`.

        ``validation[k]`` chooses its checkpoint, ``seeds[k]`` the order of its rows (0 for all unless said);
        ``folder`` keeps the state, so that a killed tuning goes on.

        Raises :class:`SettingError` where bank and recipe were told to read texts up to different lengths.
        """
        from taskspace.tuning.training import train

        recipe = self._read_as_far(recipe or Recipe())
        jobs = self.jobs(tasks, validation, seeds)
        bank = self.engine()
        outcomes = train(bank, jobs, recipe, folder=folder, progress=progress)
        states = [bank.state(row)["tokens"] for row in range(len(self))]
        about = [_about(*each, recipe) for each in zip(self.prompts, tasks, jobs, outcomes, strict=True)]
        tuned = [
            SoftPrompt(tokens, self.backbone.identity, task.name, prompt.tokens, (task.name,), said)
            for prompt, tokens, task, said in zip(self.prompts, states, tasks, about, strict=True)
        ]
        return PromptBank(self.backbone, tuned, max_length=recipe.max_length, verbaliser=self._verbaliser)

    def holding(self, prompts: Sequence[SoftPrompt]) -> PromptBank:
        """The same backbone with other prompts."""
        return PromptBank(self.backbone, prompts, max_length=self._max_length, verbaliser=self._verbaliser)

    def evaluate(self, task: Task, *, metric: str | None = None, max_tokens: int = 32) -> NDArray[np.float64]:
        """float64[K]: what each prompt scores on the labelled rows of ``task``; higher is better.

        ``metric`` is one of :data:`taskspace.tuning.metrics.METRICS`, by default the task's own.
        """
        from taskspace.tuning.evaluation import evaluate

        return evaluate(
            self.engine(), task, range(len(self)), metric=metric, verbaliser=self._wording(task),
            max_length=self.max_length, max_tokens=max_tokens,
        )  # fmt: skip

    def scores(self, task: Task) -> NDArray[np.float32]:
        """float32[K, n, C]: log-probability of each class under each prompt."""
        examples = self._worded(task)
        return self.engine().scores(examples, range(len(self)), max_length=self.max_length)

    def jobs(
        self,
        tasks: Sequence[Task],
        validation: Sequence[Task | None] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> list[Job]:
        """One training job per prompt."""
        from taskspace.tuning.training import Job

        held = [None] * len(tasks) if validation is None else list(validation)
        orders = [0] * len(tasks) if seeds is None else list(seeds)
        if not len(tasks) == len(held) == len(orders) == len(self):
            raise SettingError(
                f"{len(tasks)} tasks, {len(held)} validation tasks and {len(orders)} seeds for {len(self)} prompts;"
                " give one of each for every prompt"
            )
        return [
            Job(self._worded(task), () if other is None else self._worded(other), seed=seed)
            for task, other, seed in zip(tasks, held, orders, strict=True)
        ]

    def _read_as_far(self, recipe: Recipe) -> Recipe:
        """The recipe with the bank's length; a recipe that keeps the default says nothing of it."""
        said = self._max_length
        if said is None or said == recipe.max_length:
            return recipe
        if recipe.max_length != Recipe.max_length:
            raise SettingError(
                f"the recipe reads {recipe.max_length} tokens of a text and the bank {said}; say max_length once"
            )
        return replace(recipe, max_length=said)

    def _worded(self, task: Task) -> Any:
        from taskspace.tuning.evaluation import worded

        return worded(self.backbone, task, self._wording(task))

    def _wording(self, task: Task) -> Verbaliser | None:
        return self._verbaliser(task) if callable(self._verbaliser) else self._verbaliser

    def engine(self) -> Bank:
        """The prompts as trainable rows, copies of their own."""
        from taskspace.tuning.bank import Bank
        from taskspace.tuning.parts import Prompts

        return Bank(self.backbone, Prompts(self.backbone, np.stack([prompt.tokens for prompt in self.prompts])))


def _about(prompt: SoftPrompt, task: Task, job: Job, outcome: Outcome, recipe: Recipe) -> dict[str, Any]:
    """How a prompt was tuned, as plain JSON values; ``prompt`` is what it began as."""
    return {
        "recipe": recipe.to_dict(), "seed": job.seed, "steps": outcome.steps, "kept": outcome.kept, "rows": len(task),
        "task": task.fingerprint, "init": prompt.fingerprint, "began_as": prompt.name, "start": origin_of(prompt),
        "taskspace": __version__,
        "validation": [list(pair) for pair in outcome.validation],
    }  # fmt: skip


def require_fitting(prompts: Sequence[SoftPrompt], backbone: Backbone) -> None:
    """Raise :class:`PromptError` for no prompts, for those of another backbone, and for those of several lengths."""
    if not prompts:
        raise PromptError("a bank needs prompts; give one at least")
    for prompt in prompts:
        _require_on(prompt, backbone)
    lengths = {prompt.length: prompt.name for prompt in prompts}
    if len(lengths) > 1:
        (one, first), (other, second) = list(lengths.items())[:2]
        raise PromptError(f"{first!r} has {one} tokens and {second!r} {other}; a bank takes prompts of one length")


def _require_on(prompt: SoftPrompt, backbone: Backbone) -> None:
    here = backbone.identity
    if prompt.layout != "input":
        raise PromptError(f"{prompt.name!r} holds keys and values of layers; a bank takes tokens before the text")
    if prompt.width != here.width:
        raise PromptError(f"{prompt.name!r} is {prompt.width} wide and {here.name} is {here.width}; give its own model")
    if prompt.backbone is not None and not same_backbone(prompt.backbone, here):
        raise PromptError(
            f"{prompt.name!r} was tuned on {prompt.backbone.name}, whose input embeddings are not those of {here.name};"
            " give its own model"
        )
