"""From the class scores of each prompt to readings of all of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.prompting.choosing._readings import FREE_INPUTS, PromptReadings, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.labelers.prompts import ClassScores, Prompt
    from taskspace.task import Inputs


def gather_readings(
    prompts: Sequence[Prompt],
    scores: Sequence[ClassScores],
    inputs: Inputs,
    *,
    model: str,
    fingerprint: str,
    free: Sequence[ClassScores] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> PromptReadings:
    """Lay the class scores of each prompt over the same ``inputs`` side by side, classes in the first prompt's order.

    ``free`` holds the scores of :data:`FREE_INPUTS` (three rows) per prompt; where a prompt got but a label for one
    of them, they count as not measured.  A row whose labels all have no mass
    counts as unknown: it cannot be normalised.

    Raises :class:`SettingError` for no prompts, two prompts of one name, or prompts that answer different labels.
    """
    labels = common_labels(prompts)
    columns = [[prompt.labels.index(label) for label in labels] for prompt in prompts]
    log_unnorm = np.stack([s.log_unnorm[:, c] for s, c in zip(scores, columns, strict=True)])
    known = np.stack([s.known for s in scores]) & np.isfinite(log_unnorm.max(axis=2))
    blank = np.full((len(prompts), len(FREE_INPUTS), len(labels)), np.nan)
    for t, s in enumerate(free or ()):
        there = s.known & np.isfinite(s.log_unnorm.max(axis=1)) & s.soft
        blank[t, there] = s.log_unnorm[there][:, columns[t]]
    return PromptReadings(
        tuple(p.name for p in prompts), tuple(p.key for p in prompts), labels, log_unnorm, known,
        np.array([s.soft for s in scores]), blank, np.stack([s.perplexity for s in scores]),
        tuple(digest.hex() for digest in inputs.digests), model, fingerprint,
        tuple(wording(p) for p in prompts), provenance or {},
    )  # fmt: skip


def wording(prompt: Prompt) -> str:
    """All that decides a prompt's scores, as JSON, up to case and spaces: equal wordings are one prompt."""
    idle = ("name", "note") if prompt.reasoning else ("name", "note", "reasoning_tokens", "conclusion")
    return json.dumps({key: _plain(value) for key, value in asdict(prompt).items() if key not in idle})


def common_labels(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    if not prompts:
        raise SettingError("there are no prompts to choose from; give at least one")
    first = prompts[0]
    seen: set[str] = set()
    for prompt in prompts:
        if set(prompt.labels) != set(first.labels):
            raise SettingError(
                f"prompt {prompt.name!r} answers {listed(prompt.labels)}, but {first.name!r} {listed(first.labels)};"
                " give all the same labels"
            )
        if prompt.name in seen:
            raise SettingError(f"two prompts are called {prompt.name!r}; give one of them another name")
        seen.add(prompt.name)
    return first.labels


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
