"""A model and a prompt are one labeler (FUTE, arXiv 2402.14522, section 3: the MTE of a prompted LLM)."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.errors import TaskspaceWarning
from taskspace.labelers._kept import KeptLabeler
from taskspace.labelers.prompts._reading import LOW_COVERAGE, Reading, class_scores
from taskspace.labelers.store import AnswerStore, default_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.labelers._labeler import LabelerKind, Reads
    from taskspace.labelers.prompts._model import PromptModel
    from taskspace.labelers.prompts._prompt import Prompt
    from taskspace.labelers.store import Item
    from taskspace.labels import Answers
    from taskspace.task import Inputs


@final
@dataclass(frozen=True, eq=False)
class Prompted:
    """A language model under one prompt, as an :class:`~taskspace.labelers._kept.Answerer`; its items are readings."""

    model: PromptModel
    prompt: Prompt
    name: str
    kind: LabelerKind = "prompt"

    @property
    def reads(self) -> Reads:
        return self.prompt.reads

    @property
    def key(self) -> str:
        """Model, template and answer strings: the score rules of the prompt do not count."""
        return hashlib.sha256(f"prompted {self.model.fingerprint} {self.prompt.key}".encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        rules = f"{self.key} {self.prompt.words} {self.prompt.length}"
        return hashlib.sha256(rules.encode()).hexdigest()

    @property
    def provenance(self) -> Mapping[str, Any]:
        prompt = self.prompt
        about = {"prompt": prompt.name, "template": prompt.template, "labels": list(prompt.labels)}
        about |= {"answers": {label: list(words) for label, words in prompt.answers.items()}, "note": prompt.note}
        return {"source": "prompt", **self.model.provenance, **about}

    def batches(self, inputs: Inputs) -> Iterator[Mapping[int, Item]]:
        for batch in self.model.readings(self.prompt, inputs):
            yield {row: reading.to_item() for row, reading in batch.items()}

    def answers(self, items: Sequence[Item]) -> Answers:
        scores = class_scores([Reading.from_item(item) for item in items], self.prompt)
        told = scores.coverage[scores.known]
        if len(told) and scores.soft and self.prompt.length == "none" and np.median(told) < LOW_COVERAGE:
            warnings.warn(
                f"under prompt {self.prompt.name!r} the model says one of the answers with a probability of"
                f" {np.median(told):.1g} (median); other answer words or another template may serve better",
                TaskspaceWarning,
                stacklevel=2,
            )
        return scores.answers()


def from_prompt(
    prompt: Prompt, model: PromptModel, *, name: str | None = None, store: AnswerStore | None = None
) -> KeptLabeler:
    """Make a labeler of a model under a prompt; it is called after the prompt unless ``name`` says otherwise.

    Answers are kept in ``store`` (default: this user's) and asked for once.
    """
    return KeptLabeler(Prompted(model, prompt, name or prompt.name), default_store() if store is None else store)
