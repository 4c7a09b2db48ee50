"""What does reading each signal cost for 1,000 candidates, when features are kept?

Random vectors and features of real sizes: `response` vectors of 8,256 numbers, 128 labelled rows of the target in three
classes, features of width 384 per candidate.  What a number says does not depend on the time it takes.  Texts for the
divergences are rows of the packaged sample tasks.  Signals that would take more than ten minutes at 1,000 candidates
are timed on fewer and scaled up, which is linear in the candidates.

    python benchmarks/signal_cost.py            # minutes
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from _common import write
from taskspace import Task
from taskspace.data import sample_tasks
from taskspace.ranking.answer import Earlier, answer
from taskspace.ranking.estimators import fit_map
from taskspace.ranking.history import Transfers
from taskspace.ranking.signals import Corpus, Question, Source, Vectors, signals, take

LENGTH, WIDTH, ROWS, TARGETS = 8256, 384, 128, 10
EMBEDDING = ("response", "response+centred", "response+rrf", "response+neighbours", "response+pivots")


class Model:
    """Features and answers that are already there."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._features = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
        self._answers = rng.dirichlet(np.ones(4), size=ROWS)

    def features(self, inputs: object) -> np.ndarray:
        return self._features

    def probabilities(self, inputs: object) -> np.ndarray:
        return self._answers


def question(count: int, rng: np.random.Generator) -> Question:
    tasks = sample_tasks()
    texts = [row for task in tasks for row in task.inputs.texts]
    target = Task([texts[i % len(texts)] for i in range(ROWS)], ["a", "b", "c", "a"] * (ROWS // 4), name="target")
    base = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    names = [f"s{i}" for i in range(count)]
    corpora = [Corpus(task, lambda: rng.normal(size=(ROWS, WIDTH)).astype(np.float32)) for task in tasks]
    space_map = fit_map(base, base + 0.1 * rng.normal(size=base.shape).astype(np.float32))
    models = [Model(rng) for _ in range(min(count, 50))]
    sources = tuple(
        Source(name, corpora[i % len(corpora)], 1000, models[i % len(models)], space_map)
        for i, name in enumerate(names)
    )
    vectors = rng.normal(size=(count + TARGETS + 1, LENGTH)).astype(np.float32)
    transfers = Transfers(
        tuple(names), tuple(f"t{i}" for i in range(TARGETS)),
        rng.uniform(size=(count, TARGETS, 1)), np.full((TARGETS, 1), 0.5),
    )  # fmt: skip
    held = Vectors(vectors[0], vectors[1 : count + 1], (("response", LENGTH),), vectors[count + 1 :])
    return Question(
        target="target", sources=sources, corpus=Corpus(target, lambda: base),
        vectors={"response": held}, transfers=transfers,
    )  # fmt: skip


def seconds(name: str, asked: Question) -> float:
    take(signals()[name], asked)  # what is imported or computed once does not count
    return take(signals()[name], asked).seconds


def whole_answer(asked: Question, rng: np.random.Generator) -> float:
    """The calibrated answer from the cheap signals, ten earlier targets with 20 sources each."""
    earlier = [Earlier(question(20, rng), rng.normal(size=20)) for _ in range(TARGETS)]
    began = time.perf_counter()
    answer(asked, ("response", "response+neighbours", "prior"), earlier=earlier)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--few", type=int, default=20, help="candidates on which the slow ones are timed")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    full, few = question(args.candidates, rng), question(args.few, rng)
    table: dict[str, dict[str, float | int | str]] = {}
    left_out = {"in_context"}
    names = [name for name in signals() if name not in left_out and (name in EMBEDDING or not name.count(":"))]
    for name in names:
        signal = signals()[name]
        if "embeddings" in signal.needs and not name.startswith("response"):
            continue  # as response, with vectors of another length
        on_few = seconds(name, few)
        timed = on_few * args.candidates / args.few < 600
        value = seconds(name, full) if timed else on_few * args.candidates / args.few
        timed_on = args.candidates if timed else args.few
        table[name] = {"seconds": round(value, 4), "timed_on": timed_on, "passes": signal.passes}
        print(f"{name:<24} {value:>9.3f} s   {signal.passes}", flush=True)
    table["answer"] = {"seconds": round(whole_answer(full, rng), 4), "timed_on": args.candidates, "passes": "none"}
    print(f"{'answer':<24} {table['answer']['seconds']:>9.3f} s")
    slowest = max(float(table[name]["seconds"]) for name in EMBEDDING)
    write(
        "signal_cost",
        {
            "candidates": args.candidates, "rows": ROWS, "width": WIDTH, "vector": LENGTH, "table": table,
            "slowest_embedding_signal_s": slowest,
            "logme_over_response": round(float(table["logme"]["seconds"]) / float(table["response"]["seconds"]), 1),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
