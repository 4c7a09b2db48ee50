"""What the target looks like: from its rows where they are given, else from what the atlas kept of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.labels import Classes, Numbers, Targets
from taskspace.report._values import Example, Lengths, TaskFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.embedding import TaskEmbedding
    from taskspace.labels import Labels
    from taskspace.task import Inputs, Task

_LONGEST = 300
"""Characters of an example that are shown."""


def facts_of(
    target: TaskEmbedding, task: Task | None, *, examples: int, tokens: Sequence[int] | None, limit: int | None
) -> TaskFacts:
    """``tokens`` are the numbers of tokens of the texts that have been read, second texts after the first, cut at
    ``limit``.
    """
    about = target.provenance
    stored: dict[str, Any] = {
        "name": target.name, "kind": target.kind, "description": str(about.get("description") or ""),
        "rows": about.get("input_rows"), "classes": about.get("classes") or None,
        "label_kind": about.get("label_kind"), "pool_overlap": about.get("pool_overlap"), "skill": about.get("skill"),
        "effective_rank": about.get("effective_rank"), "informative": target.informative,
    }  # fmt: skip
    return TaskFacts(**stored) if task is None else TaskFacts(**stored, **_of_rows(task, examples, tokens, limit))


def _of_rows(task: Task, examples: int, tokens: Sequence[int] | None, limit: int | None) -> Mapping[str, Any]:
    labels = task.stated_labels
    stated = _stated(labels, len(task))
    return {
        "balance": tuple(Counter(label for label in stated if label is not None).most_common())
        if isinstance(labels, Classes) else None,
        "quartiles": _quartiles(labels), "unlabelled": sum(label is None for label in stated),
        "pairs": int(task.inputs.is_pair.sum()), "repeated": len(task) - len(set(task.inputs.digests)),
        "contradicting": _contradicting(task.inputs, stated) if not isinstance(labels, Numbers) else None,
        "lengths": _lengths(task.inputs, tokens, limit), "examples": _examples(task, stated, examples),
    }  # fmt: skip


def _stated(labels: Labels | None, rows: int) -> list[str | None]:
    """The label of each row as a text."""
    if isinstance(labels, Classes):
        return [None if code < 0 else labels.names[code] for code in labels.codes]
    if isinstance(labels, Numbers):
        return [None if np.isnan(value) else f"{value:g}" for value in labels.values]
    return list(labels.texts) if isinstance(labels, Targets) else [None] * rows


def _quartiles(labels: Labels | None) -> tuple[float, ...] | None:
    if not isinstance(labels, Numbers) or np.isnan(labels.values).all():
        return None
    return tuple(np.nanquantile(labels.values, [0, 0.25, 0.5, 0.75, 1]).tolist())


def _contradicting(inputs: Inputs, stated: Sequence[str | None]) -> int:
    """Distinct texts that stand under several labels."""
    said: dict[bytes, set[str]] = defaultdict(set)
    for digest, label in zip(inputs.digests, stated, strict=True):
        if label is not None:
            said[digest].add(label)
    return sum(len(labels) > 1 for labels in said.values())


def _lengths(inputs: Inputs, tokens: Sequence[int] | None, limit: int | None) -> Lengths:
    """Of rows: both texts of a pair together.  In tokens where they were counted, else in words."""
    texts = [*inputs.texts, *(pair or "" for pair in inputs.pairs)]
    sizes = np.array([len(text.split()) for text in texts] if tokens is None else tokens)
    rows = sizes[: len(inputs)] + sizes[len(inputs) :]
    least, quarter, median, three_quarters, most = (
        np.quantile(rows, [0, 0.25, 0.5, 0.75, 1]).round().astype(int).tolist()
    )
    there = np.array([bool(text) for text in texts])
    cut = None if tokens is None or limit is None or not there.any() else float((sizes[there] >= limit).mean())
    unit = "words" if tokens is None else "tokens"
    return Lengths(unit, least, quarter, median, three_quarters, most, float(rows.mean()), limit, cut)


def _examples(task: Task, stated: Sequence[str | None], count: int) -> tuple[Example, ...]:
    """Rows in an order that their content sets, one of each label in turn."""
    order = sorted(range(len(task)), key=task.inputs.digests.__getitem__)
    turns: Counter[str | None] = Counter()
    places: list[tuple[int, int]] = []
    for place, row in enumerate(order):
        places.append((turns[stated[row]], place))
        turns[stated[row]] += 1
    chosen = [order[place] for _, place in sorted(places)[: max(count, 0)]]
    return tuple(Example(_cut(task.inputs.texts[i]), _cut(task.inputs.pairs[i]), stated[i]) for i in chosen)


def _cut(text: Any) -> Any:
    return text if text is None or len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
