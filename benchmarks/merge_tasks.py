"""What is left of six tasks when their models become one: MiniLM fine-tuned on each, merged by every method.

Per task and seed: accuracy of its own model, of the base (its head alone, on a body that was not tuned), of one model
trained on all tasks, and of each merge with the task's own head.  The scale of a merge is the best of a few on
validation rows of all tasks together; test rows are not seen for it.  Coefficients are also learned on a few of these
rows, with their labels (one for each task) or without (one for each tensor of each task).  Then: negation (a task's
vector taken away from the base, beside a control task, and from the model of all tasks, beside the other five), and
what is left when vectors are stored in fewer bits.

    python benchmarks/merge_tasks.py --out FOLDER        # resumable; an hour on two cores

What was tuned lies in FOLDER; the table goes to results/merge_tasks.csv, findings to .json, a figure to .png.
"""

from __future__ import annotations

import argparse
import copy
import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from _common import DATA, RESULTS, write
from taskspace import Task
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole
from taskspace.merging.fitting import fit, objective
from taskspace.merging.window import Window
from taskspace.surrogates import load_surrogate
from taskspace.tuning.fine_tuning import FineTuned, FineTuning, fine_tune
from taskspace.tuning.lessons import batches, lesson

TASKS = ("sst2", "ag_news", "trec", "subj", "tweet_offensive", "clickbait")
SEEDS = (0, 1, 2)
TRAIN, VALIDATION, TEST = 1000, 150, 250
TRIED = 80
SETTINGS = FineTuning(epochs=3)
SCALES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
FIT_ROWS, FIT_STEPS = 24, 20
METHODS = {
    "sum": {}, "norm weights": {}, "magnitude": {"density": 0.2}, "ties": {"density": 0.2},
    "dare": {"density": 0.2}, "dare_ties": {"density": 0.2}, "tsv": {}, "iso": {},
    "lore": {"mu": 0.01, "iterations": 5},
}  # fmt: skip
FITS = {"fit:labels": ("task", "labels"), "fit:entropy": ("tensor", "entropy")}
CODECS = ("int8", "int4", "int2")
FORGET, CONTROL = "sst2", "ag_news"
STRENGTHS = (0.5, 1.0, 2.0)
FIELDS = ("seed", "model", "scale", "task", "accuracy")


@dataclass
class Bench:
    """The base model, the rows of the tasks, and what was tuned so far."""

    out: Path

    @cached_property
    def surrogate(self):
        return load_surrogate(max_length=40, cache=False)

    @cached_property
    def rows(self) -> dict[str, tuple[Task, Task, Task]]:
        """Train, validation and test rows of each task; the second is no part of the first."""
        found = {}
        for name in TASKS:
            both = Task.from_file(DATA / "tasks" / name, split="train", name=name, limit=TRAIN + VALIDATION, seed=0)
            order = np.random.default_rng(0).permutation(len(both))
            test = Task.from_file(DATA / "tasks" / name, split="test", name=name, limit=TEST, seed=0)
            found[name] = both.take(order[:TRAIN]), both.take(order[TRAIN:][:TRIED]), test
        return found

    @cached_property
    def base(self) -> dict[str, np.ndarray]:
        """What tuning may change: the body less its token embeddings."""
        held = {name: p.detach().numpy().copy() for name, p in self.surrogate.module.named_parameters()}
        return {name: held[name] for name in self.tuned(TASKS[0], SEEDS[0]) if not name.startswith("head.")}

    def tuned(self, task: str, seed: int) -> dict[str, np.ndarray]:
        """The state of the model of one task."""
        path = self.out / f"{task}-{seed}.safetensors"
        if not path.exists():
            train, _, _ = self.rows[task]
            save_file(fine_tune(self.surrogate, train, SETTINGS, seed=seed).state(), path)
            print("tuned", path.name, flush=True)
        return load_file(path)

    def vector(self, task: str, seed: int) -> TaskVector:
        state = {name: values for name, values in self.tuned(task, seed).items() if not name.startswith("head.")}
        return TaskVector.diff(state, self.base, name=task)

    def head(self, task: str, seed: int) -> dict[str, np.ndarray]:
        return {name: values for name, values in self.tuned(task, seed).items() if name.startswith("head.")}

    def accuracy(self, body: dict[str, np.ndarray], head: dict[str, np.ndarray], rows: Task) -> float:
        logits = FineTuned.of(self.surrogate, {**body, **head}).logits(rows)
        return float(np.mean(logits.argmax(1) == rows.labels.codes))

    def all_tasks(self, vector: TaskVector | None, seed: int, part: int, scale: float = 1.0) -> dict[str, float]:
        """Accuracy of each task with its own head on the base plus a vector; ``part`` 1 validation, 2 test."""
        body = self.base if vector is None else arrays(vector.apply(self.base, scale=scale))
        return {task: self.accuracy(body, self.head(task, seed), self.rows[task][part]) for task in TASKS}


def arrays(weights) -> dict[str, np.ndarray]:
    return {name: whole(weights, name) for name in weights.layout}


def tensor(vector: TaskVector, name: str) -> np.ndarray:
    spec = vector.layout[name]
    return vector.carrier.block(Window(name, 0, spec.size)).reshape(spec.shape)


def arrays_of(vector: TaskVector) -> dict[str, np.ndarray]:
    """What was merged, computed once for all scales and free of its base."""
    return {name: tensor(vector, name) for name in vector.layout}


def merged(name: str, vectors: list[TaskVector]) -> TaskVector:
    if name == "norm weights":
        return merge(vectors, "sum", "norm")
    return merge(vectors, name, **METHODS[name])


def scaled(bench: Bench, name: str, seed: int) -> tuple[float, dict[str, float]]:
    """The best scale on validation rows, and the test accuracies there."""
    vector = merged(name, [bench.vector(task, seed) for task in TASKS])
    held = TaskVector.from_arrays(arrays_of(vector))
    found = {scale: np.mean(list(bench.all_tasks(held, seed, 1, scale).values())) for scale in SCALES}
    best = max(found, key=found.__getitem__)
    return best, bench.all_tasks(held, seed, 2, best)


class Headed(torch.nn.Module):
    """A body and a head, as :func:`objective` asks for them."""

    base_model_prefix = "body"

    def __init__(self, surrogate, head: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.surrogate, self.body = surrogate, copy.deepcopy(surrogate.module)
        self.weight, self.bias = (torch.from_numpy(head[f"head.{name}"]) for name in ("weight", "bias"))

    def forward(self, **batch) -> SimpleNamespace:
        return SimpleNamespace(logits=self.surrogate.pooled(batch, self.body) @ self.weight.T + self.bias)


def fitted(bench: Bench, name: str, seed: int) -> dict[str, float]:
    """Coefficients learned on the first validation rows of every task, with the task's own head."""
    pieces, kind = FITS[name]
    losses = []
    for task in TASKS:
        rows = bench.rows[task][1].take(range(FIT_ROWS))
        tensors, wanted = next(batches(bench.surrogate, lesson(rows), epochs=1, size=FIT_ROWS, seed=seed))
        losses.append(objective(Headed(bench.surrogate, bench.head(task, seed)), [{**tensors, "labels": wanted}], kind))
    vectors = [bench.vector(task, seed) for task in TASKS]
    return bench.all_tasks(fit(vectors, bench.base, losses, pieces=pieces, steps=FIT_STEPS).vector, seed, 2)


def multitask(bench: Bench, seed: int) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """One body and a head each, trained on batches of all tasks in turn, with the steps of all single models."""
    path = bench.out / f"multitask-{seed}.safetensors"
    if not path.exists():
        torch.manual_seed(seed)
        body = copy.deepcopy(bench.surrogate.module).train()
        body.requires_grad_(True)
        body.get_input_embeddings().requires_grad_(False)
        lessons = {task: lesson(bench.rows[task][0]) for task in TASKS}
        heads = {task: torch.nn.Linear(bench.surrogate.hidden, each.outputs) for task, each in lessons.items()}
        weights = [p for p in body.parameters() if p.requires_grad]
        groups = [
            {"params": weights, "lr": SETTINGS.rate},
            {"params": [p for head in heads.values() for p in head.parameters()], "lr": SETTINGS.head_rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=SETTINGS.decay)
        turns = [
            (task, batch)
            for task, each in lessons.items()
            for batch in batches(bench.surrogate, each, epochs=SETTINGS.epochs, size=SETTINGS.batch, seed=seed)
        ]
        order = np.random.default_rng(seed).permutation(len(turns))
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=len(order))
        for place in order:
            task, (tensors, wanted) = turns[place]
            loss = torch.nn.functional.cross_entropy(heads[task](bench.surrogate.pooled(tensors, body)), wanted)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, SETTINGS.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        state = {n: p.detach().numpy().copy() for n, p in body.named_parameters() if n in bench.base}
        for task, head in heads.items():
            state |= {f"{task}/head.{n}": p.detach().numpy().copy() for n, p in head.named_parameters()}
        save_file(state, path)
        print("trained", path.name, flush=True)
    state = load_file(path)
    body = {name: values for name, values in state.items() if "/head." not in name}
    heads = {t: {n.removeprefix(f"{t}/"): v for n, v in state.items() if n.startswith(f"{t}/")} for t in TASKS}
    return body, heads


def with_own_heads(
    bench: Bench, body: dict[str, np.ndarray], heads: dict[str, dict[str, np.ndarray]]
) -> dict[str, float]:
    return {task: bench.accuracy(body, head, bench.rows[task][2]) for task, head in heads.items()}


def negated(bench: Bench, start: str, scale: float, seed: int) -> dict[str, float]:
    """``scale`` of one task's vector taken from the base or from the model of all tasks."""
    if start == "multitask":
        body, heads = multitask(bench, seed)
    else:
        body, heads = bench.base, {task: bench.head(task, seed) for task in (FORGET, CONTROL)}
    left = TaskVector.from_arrays(arrays_of(-scale * bench.vector(FORGET, seed)))
    return with_own_heads(bench, arrays(left.apply(body)), heads)


def stored(bench: Bench, seed: int, codec: str) -> dict[str, float]:
    """Each task's own model, its vector written and read back in fewer bits."""
    found = {}
    for task in TASKS:
        path = bench.out / f"{task}-{seed}-{codec}.safetensors"
        if not path.exists():
            bench.vector(task, seed).save(path, codec=codec)
        body = arrays(TaskVector.load(path).apply(bench.base))
        found[task] = bench.accuracy(body, bench.head(task, seed), bench.rows[task][2])
    return found


def measure(bench: Bench, seed: int, model: str) -> tuple[float, dict[str, float]]:
    """Scale and accuracies of one line of the table."""
    if model == "single":
        own = {t: {n: v for n, v in bench.tuned(t, seed).items() if not n.startswith("head.")} for t in TASKS}
        return 1.0, {t: bench.accuracy(own[t], bench.head(t, seed), bench.rows[t][2]) for t in TASKS}
    if model == "base":
        return 0.0, bench.all_tasks(None, seed, 2)
    if model == "multitask":
        return 1.0, with_own_heads(bench, *multitask(bench, seed))
    if model in FITS:
        return 1.0, fitted(bench, model, seed)
    if model.startswith("stored:"):
        return 1.0, stored(bench, seed, model.removeprefix("stored:"))
    if ":less:" in model:
        start, _, scale = model.split(":")
        return float(scale), negated(bench, start, float(scale), seed)
    return scaled(bench, model, seed)


MODELS = (
    "single",
    "base",
    "multitask",
    *METHODS,
    *FITS,
    *(f"stored:{codec}" for codec in CODECS),
    *(f"{start}:less:{strength}" for start in ("base", "multitask") for strength in STRENGTHS),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = given.out / "merge_tasks.csv"
    rows = list(csv.DictReader(table.open())) if table.exists() else []
    done = {(int(row["seed"]), row["model"]) for row in rows}
    bench = Bench(given.out)
    for seed in given.seeds:
        for model in MODELS:
            if (seed, model) not in done:
                scale, found = measure(bench, seed, model)
                rows += [dict(zip(FIELDS, (seed, model, scale, t, round(a, 4)), strict=True)) for t, a in found.items()]
                keep(table, rows)
                print(seed, model, scale, {task: round(value, 3) for task, value in found.items()}, flush=True)
    report(rows)


def keep(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def report(rows: list[dict]) -> None:
    """Means over tasks, and their spread over seeds; a figure of the methods."""
    RESULTS.mkdir(exist_ok=True)
    keep(RESULTS / "merge_tasks.csv", rows)
    means: dict[str, list[float]] = {}
    for model in MODELS:
        seeds = sorted({row["seed"] for row in rows if row["model"] == model}, key=int)
        of = [[float(r["accuracy"]) for r in rows if r["model"] == model and r["seed"] == seed] for seed in seeds]
        if of:
            means[model] = [float(np.mean(each)) for each in of]
    told = {m: {"mean": round(float(np.mean(v)), 4), "seeds": [round(x, 4) for x in v]} for m, v in means.items()}
    settings = {
        "tasks": TASKS,
        "train": TRAIN,
        "validation": TRIED,
        "test": TEST,
        "scales": SCALES,
        "methods": METHODS,
        "fit": {"rows": FIT_ROWS, "steps": FIT_STEPS},
    }
    write("merge_tasks", {"settings": settings, "accuracy": told})
    figure({model: values for model, values in means.items() if ":less:" not in model})


def figure(means: dict[str, list[float]]) -> None:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 4), layout="constrained")
    axes = drawn.subplots()
    for place, values in enumerate(reversed(means.values())):
        axes.plot(values, [place] * len(values), "o", color="0.6", markersize=3)
        axes.plot(np.mean(values), place, "o", color="#0b62a4")
    axes.set_yticks(range(len(means)), list(reversed(means)))
    axes.set_xlabel("accuracy, mean over tasks (grey: seeds)")
    drawn.savefig(RESULTS / "merge_tasks.png", dpi=150)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
