"""What does an exact per-example Fisher pass cost beside an ordinary training step?

Seconds for one pass over the same batches on the same surrogate: an ordinary forward + backward with
all weights of the encoder trainable (the rival), the row-pooled Fisher diagonal, and the full one.
The three take turns, and the median of each is compared.

    python benchmarks/fisher_cost.py            # about two minutes on 2 cores
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from _common import DATA, write
from taskspace import Task
from taskspace.labels import Answers
from taskspace.learners import gather
from taskspace.learners._head import Head
from taskspace.learners.fisher import fisher_diagonal
from taskspace.surrogates import load_surrogate, masked_mean

ROWS, TURNS = 128, 5


def ordinary(surrogate, evidence, values, head) -> None:
    """Forward + backward with every weight trainable, gradients accumulated as a training step would."""
    import torch

    module = surrogate.module
    weight, bias = (torch.tensor(part, dtype=torch.float32) for part in (head.weight, head.bias))
    module.requires_grad_(True)
    module.zero_grad(set_to_none=True)
    for rows, tensors in surrogate.batches(evidence.inputs.texts, evidence.inputs.pairs):
        states = masked_mean(module(**tensors).last_hidden_state, tensors["attention_mask"])[: len(rows)]
        log_p = torch.log_softmax(states @ weight.T + bias, dim=1)
        loss = -(torch.tensor(values[rows], dtype=torch.float32) * log_p).sum()
        loss.backward()
    module.zero_grad(set_to_none=True)
    module.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    surrogate = load_surrogate()
    task = Task.from_file(args.data / "tasks" / "ag_news", limit=ROWS)
    evidence = gather(task.inputs, Answers.from_labels(task.labels))
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(evidence.values.shape[1], surrogate.hidden)), np.zeros(4), "classes")
    options = {"labels": "empirical", "seed": 0}
    ways = {
        "forward + backward": lambda: ordinary(surrogate, evidence, evidence.values, head),
        "fisher, rows": lambda: fisher_diagonal(surrogate, evidence, evidence.values, head, pooling="rows", **options),
        "fisher, full": lambda: fisher_diagonal(surrogate, evidence, evidence.values, head, pooling="full", **options),
    }
    seconds = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name, once in ways.items():
            began = time.perf_counter()
            once()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - began)
    base = float(np.median(seconds["forward + backward"]))
    table = {
        n: {"s": round(float(np.median(s)), 3), "ratio": round(float(np.median(s)) / base, 3)}
        for n, s in seconds.items()
    }
    for name, row in table.items():
        print(f"{name:<20} {row['s']:.2f} s  {row['ratio']:.2f}x")
    write("fisher_cost", {"rows": len(evidence), "turns": TURNS, "table": table})


if __name__ == "__main__":
    main()
