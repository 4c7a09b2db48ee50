"""Alternate tuning and merging (ATM): many small steps of several tasks at once, in the place of one large merge.

python examples/alternating.py reviews.jsonl tickets.csv questions.jsonl --rounds 3 --scale 1 --out merged.tv

Each round tunes a copy of the model for one epoch on every task, from where the merged model is, and adds the mean of
what that changed: ``theta <- theta + scale / T * sum of tau_t(theta)`` (ATM, arXiv 2411.03055).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from taskspace import Task, TaskVector, merge
from taskspace.merging.checkpoint import whole
from taskspace.surrogates import load_surrogate
from taskspace.tuning.fine_tuning import FineTuned, FineTuning, fine_tune

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.surrogates import Surrogate

    State = Mapping[str, NDArray[np.float32]]

ONCE = FineTuning(epochs=1)


def alternate(
    surrogate: Surrogate, tasks: Sequence[Task], *, rounds: int = 3, scale: float = 1.0, settings: FineTuning = ONCE
) -> Iterator[tuple[State, TaskVector, dict[str, State]]]:
    """After each round: the body, what it adds to the base, and the head of each task (drawn anew every round)."""
    body = base = {name: p.detach().numpy().copy() for name, p in surrogate.module.named_parameters()}
    for turn in range(rounds):
        tuned = {task.name: fine_tune(surrogate, task, settings, seed=turn, start=body).state() for task in tasks}
        vectors = [TaskVector.diff({**body, **part(state, head=False)}, body, name=n) for n, state in tuned.items()]
        moved = merge(vectors, "mean", scale=scale).apply(body)
        body = {name: whole(moved, name) for name in moved.layout}
        yield body, TaskVector.diff(body, base), {name: part(state, head=True) for name, state in tuned.items()}


def part(state: State, *, head: bool) -> State:
    """A tuned state's tensors of the head, or of the body."""
    return {name: values for name, values in state.items() if name.startswith("head.") is head}


def accuracy(surrogate: Surrogate, body: State, head: State, rows: Task) -> float:
    """The share of rows that the merged body answers rightly with the head of one task."""
    logits = FineTuned.of(surrogate, {**body, **head}).logits(rows)
    return float(np.mean(logits.argmax(1) == rows.labels.codes))


def main() -> None:
    """Print after each round how each task fares on rows that were kept aside."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="+", help="files or folders of labelled texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=400, help="rows of each task, of which a quarter is kept aside")
    parser.add_argument("--out", help="a file for what was added to the base")
    asked = parser.parse_args()
    surrogate = load_surrogate(max_length=40, cache=False)
    split = [halves(Task.from_file(path, limit=asked.limit, seed=0)) for path in asked.tasks]
    vector = None
    rounds = alternate(surrogate, [train for train, _ in split], rounds=asked.rounds, scale=asked.scale)
    for turn, (body, vector, heads) in enumerate(rounds, start=1):
        scores = "  ".join(f"{test.name} {accuracy(surrogate, body, heads[test.name], test):.3f}" for _, test in split)
        print(f"round {turn}: {scores}  (moved by {vector.norm:.2f})")  # noqa: T201  # a script
    if asked.out and vector is not None:
        vector.save(asked.out)


def halves(task: Task) -> tuple[Task, Task]:
    """Three quarters to learn from, and a quarter to look at."""
    order = np.random.default_rng(0).permutation(len(task))
    cut = 3 * len(task) // 4
    return task.take(order[:cut]), task.take(order[cut:])


if __name__ == "__main__":
    main()
