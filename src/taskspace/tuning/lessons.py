"""What a head has to say of which text, and the batches in which it learns to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.errors import DataError
from taskspace.labels import Classes, Numbers
from taskspace.task import Task
from taskspace.tuning.examples import labelled
from taskspace.tuning.rows import Examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.surrogates import Surrogate

_BUCKET = 8
"""Batches whose rows are sorted by length together: most padding goes, and the order stays nearly random."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """n texts and ``wanted`` of them: int64[n] classes, float32[n, C] probabilities, or float32[n, C] z-scores.

    Z-scores of numbers have ``centre`` and ``spread`` float64[C], by which the numbers come back.
    """

    name: str
    examples: Examples
    wanted: NDArray[np.int64] | NDArray[np.float32]
    centre: NDArray[np.float64] | None = None
    spread: NDArray[np.float64] | None = None

    @property
    def outputs(self) -> int:
        return self.examples.outputs

    def steps(self, batch: int) -> int:
        """Batches of an epoch."""
        return -(-len(self.examples) // batch)


def lesson(task: Task | Examples) -> Lesson:
    """Read the classes or numbers of a task, or of examples that may be soft (class probabilities).

    Probabilities that are all 0 or 1 are classes, so that certain answers teach what labels do, to the bit.
    Raises :class:`DataError` for target texts, and where there is nothing to tell apart.
    """
    name = f"task {task.name!r}" if isinstance(task, Task) else "what is to be learned"
    examples = _examples(task, name) if isinstance(task, Task) else task
    _require_learnable(examples, name)
    values = examples.values
    if examples.kind == "numbers":
        centre, spread = values.mean(axis=0), values.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        return Lesson(name, examples, ((values - centre) / spread).astype(np.float32), centre, spread)
    certain = bool((values.max(axis=1) == 1).all())
    return Lesson(name, examples, values.argmax(axis=1) if certain else values.astype(np.float32))


def batches(
    surrogate: Surrogate, taught: Lesson, *, epochs: int, size: int, seed: int
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Token tensors and what is wanted of them: every row once an epoch, beside rows about as long as it is."""
    torch = require("torch", extra="embed", why="fine-tuning")
    inputs = taught.examples.inputs
    encoded = surrogate.tokenized(inputs.texts, inputs.pairs)
    lengths = [len(ids) for ids in encoded["input_ids"]]
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in _bucketed(rng, lengths, size):
            longest = max(lengths[i] for i in rows)
            tensors = {
                name: torch.tensor([[*values[i], *[0] * (longest - lengths[i])] for i in rows], device=surrogate.device)
                for name, values in encoded.items()
            }
            yield tensors, torch.tensor(taught.wanted[rows], device=surrogate.device)


def _bucketed(rng: np.random.Generator, lengths: Sequence[int], size: int) -> list[list[int]]:
    order = rng.permutation(len(lengths)).tolist()
    found: list[list[int]] = []
    for at in range(0, len(order), size * _BUCKET):
        bucket = sorted(order[at : at + size * _BUCKET], key=lengths.__getitem__)
        found += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    return [found[i] for i in rng.permutation(len(found))]


def _examples(task: Task, name: str) -> Examples:
    """One-hot rows over all names of classes, also those that no row has, or the numbers; labelled rows only."""
    task = labelled(task)
    labels = task.stated_labels
    if isinstance(labels, Classes):
        return Examples(task.inputs, "classes", np.eye(len(labels.names))[labels.codes])
    if isinstance(labels, Numbers):
        return Examples(task.inputs, "numbers", labels.values[:, None])
    raise DataError(f"{name} has texts to be written, and a head learns classes or numbers; give a task with such")


def _require_learnable(examples: Examples, name: str) -> None:
    if examples.kind == "targets":
        raise DataError(f"{name} is to be written, and a head learns classes or numbers; give examples of such")
    if len(set(examples.inputs.digests)) < 2:
        raise DataError(f"{name} has fewer than two distinct texts; give a few dozen")
    if (examples.values == examples.values[0]).all():
        raise DataError(
            f"{name} says the same of all its {len(examples)} texts, so that there is nothing to tell apart; "
            "give rows of at least two classes, or numbers that vary"
        )
