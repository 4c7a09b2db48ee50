"""What do more workers bring, and what does one task cost where?

64 data sets (disjoint samples of real tasks, one JSONL file each) are embedded into a new space over MiniLM by
``embed_all``: in one process with one thread, with two threads, by 1 and 2 processes, and by 1 and 2 actors of a Ray
cluster on this machine, each from empty caches.  Wall seconds beside CPU seconds (a crowded machine, told by
its load average, stretches the first), the CPU seconds of a task by what they went into, those of the worker that had
most to do, and whether the atlas holds the same bytes as the first one.
Then two things that only a plan for many needs: what a model of MiniLM's size costs, and how fast one writer writes.

    python benchmarks/scale_out.py          # about 8 minutes on 2 idle cores

Each run is kept in ``--work`` as it is done: started again, it goes on with the next.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from _common import DATA, draw, single_text_tasks, unlabelled, write
from _scale_clock import clocked, loaded
from taskspace import Atlas, Space, Task, TaskEmbedding
from taskspace.data import write_pool
from taskspace.scale import Outcome, Source, embed_all, runner_named
from taskspace.scale._desk import Desk
from taskspace.scale._foreman import Foreman
from taskspace.scale._outcomes import Card
from taskspace.scale._worker import Reply

RUNS = {
    "local, 1 thread": ("local", None, 1),
    "local, 2 threads": ("local", None, 2),
    "processes, 1 worker": ("processes", 1, 1),
    "processes, 2 workers": ("processes", 2, 1),
    "ray, 1 worker": ("ray", 1, 1),
    "ray, 2 workers": ("ray", 2, 1),
}
FIRST = "local, 1 thread"
WRITTEN = 4000

# The data


def make_files(data: Path, work: Path, tasks: int, rows: int, pool: int) -> None:
    """Files of rows of their own each, so that no run finds a text in a cache."""
    names = single_text_tasks(data)
    (work / "tasks").mkdir(parents=True, exist_ok=True)
    for number in range(tasks):
        name, part = names[number % len(names)], number // len(names)
        task = Task.from_file(data / "tasks" / name / "train.jsonl.gz")
        order = np.random.default_rng(0).permutation(len(task))[part * rows : (part + 1) * rows]
        lines = [
            json.dumps({"text": task.inputs.texts[i], "label": task.label_names[task.labels.codes[i]]}) for i in order
        ]
        (work / "tasks" / f"{number:02d}-{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_pool(draw(unlabelled(data), pool, 0), work / "pool.jsonl")


def space_of(work: Path) -> Space:
    from taskspace import Pool

    return Space(Pool.from_file(work / "pool.jsonl"))


# One run, in a process of its own


def run_one(name: str, work: Path) -> dict:
    runner, workers, _ = RUNS[name]
    folder = work / name.replace(", ", "-").replace(" ", "")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "clocks").mkdir(parents=True)
    os.environ["TASKSPACE_HOME"] = str(folder / "home")
    sources = [
        Source(file.name, partial(loaded, str(folder / "clocks"), str(file)))
        for file in sorted((work / "tasks").iterdir())
    ]
    one = clocked(folder / "clocks")
    began, seen = time.perf_counter(), []
    with Atlas(folder / "atlas.db") as atlas:
        space, outcomes = space_of(work), []
        if runner == "local":
            space.groundwork()  # as the first worker does
        for outcome in embed_all(space, sources, atlas, runner_named(runner, workers=workers)):
            outcomes.append(outcome)
            seen.append(time.perf_counter() - began)
        wall = time.perf_counter() - began
    one.note()
    assert {outcome.status for outcome in outcomes} == {"embedded"}, outcomes
    mine = json.loads(one.file.read_text())
    clocks = [json.loads(file.read_text()) for file in (folder / "clocks").iterdir() if file != one.file]
    return {
        "wall_s": round(wall, 2),
        "first_s": round(seen[0], 2),
        "after_first_tasks_per_s": round((len(seen) - 1) / (seen[-1] - seen[0]), 2),
        "cpu_s": round(mine["all"] + sum(each["all"] for each in clocks), 2),
        "driver": spent(mine),
        "workers": [spent(each) for each in clocks],
        "bytes": sizes(outcomes, sources, folder / "atlas.db"),
    }


def spent(clocked: dict[str, float]) -> dict[str, float]:
    return {what: round(seconds, 3) for what, seconds in clocked.items()}


def sizes(outcomes: list[Outcome], sources: list[Source], atlas: Path) -> dict[str, int]:
    """Mean bytes per task: what is sent, what comes back, the numbers in it, and what the atlas takes."""
    sent = [len(pickle.dumps(source.load)) for source in sources]
    back = [len(pickle.dumps(replace(outcome.embedding, pool=None))) for outcome in outcomes]
    return {
        "sent": round(np.mean(sent)), "back": round(np.mean(back)),
        "vector": outcomes[0].embedding.vector.nbytes, "atlas": round(atlas.stat().st_size / len(outcomes)),
    }  # fmt: skip


# What a plan for many needs


def models(work: Path) -> dict:
    """A classifier of MiniLM's size, from its files to its row: the second of two, so that imports are paid."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from taskspace.labelers import from_hub

    space = space_of(work)
    folder = work / "models"
    os.environ["TASKSPACE_HOME"] = str(folder / "home")
    for seed in range(2):
        torch.manual_seed(seed)
        module = AutoModelForSequenceClassification.from_pretrained(
            space.surrogate.located.folder, num_labels=3, ignore_mismatched_sizes=True
        )
        module.save_pretrained(folder / f"m{seed}")
        space.surrogate.tokenizer.save_pretrained(folder / f"m{seed}")
    space.embed(from_hub(folder / "m0"))
    cpu, wall = time.process_time(), time.perf_counter()
    labeler = from_hub(folder / "m1")
    labeler.fingerprint  # noqa: B018  # hashes its files
    named = time.process_time()
    ready = space.prepare(labeler)
    answered = time.process_time()
    space.embed_many([ready])
    learned = time.process_time()
    size = sum(file.stat().st_size for file in (folder / "m1").iterdir())
    kept = (folder / "home" / "answers.db").stat().st_size / 2
    shutil.rmtree(folder)
    texts = len(space.pool)
    return {
        "weights": sum(p.numel() for p in module.parameters()), "megabytes": round(size / 1e6, 1), "pool": texts,
        "cpu_s": {
            "hash": round(named - cpu, 3), "load and answer": round(answered - named, 3),
            "learn": round(learned - answered, 3),
        },
        "load_and_answer_ms_per_text": round(1000 * (answered - named) / texts, 2),
        "answers_kept_bytes_per_text": round(kept / texts), "wall_s": round(time.perf_counter() - wall, 2),
    }  # fmt: skip


def writer(work: Path) -> dict:
    """One row after the other as the driver commits them."""
    space = space_of(work)
    blocks, path = (("response", 8256),), work / "writer.db"
    about = {"input_rows": 500, "classes": 3, "label_kind": "classes", "coverage": 1.0, "model_calls": 500}
    vectors = np.random.default_rng(0).standard_normal((WRITTEN, 8256), dtype=np.float32)
    with Atlas(path) as atlas:
        desk = Desk(space.identity, atlas)
        cpu, wall = time.process_time(), time.perf_counter()
        for number, vector in enumerate(vectors):
            source, name = Source(f"hub:m{number}", list), f"m{number}"
            assert desk.judge(source, Card(name, "model", f"c{number}")) is None
            desk.keep(source, TaskEmbedding(name, "model", space.identity, vector, blocks, f"c{number}", about))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    size = path.stat().st_size
    path.unlink()
    return {
        "rows": WRITTEN, "cpu_ms_per_row": round(1000 * cpu / WRITTEN, 3), "wall_ms_per_row": round(
            1000 * wall / WRITTEN, 3), "bytes_per_row": round(size / WRITTEN),
    }  # fmt: skip


class Instant:
    """A crew whose workers answer at once, so that only the driver's own work is left."""

    def __init__(self, size: int, made: TaskEmbedding) -> None:
        self.size = size
        self.made = made
        self.asked: deque[tuple[int, str]] = deque()
        self.names: dict[int, str] = {}

    def pack(self, source: Source) -> bytes:
        return pickle.dumps(source.load)

    def hire(self) -> int:
        number = len(self.names)
        self.names[number] = ""
        self.asked.append((number, "start"))
        return number

    def ask(self, worker: int, verb: str, *given: object) -> None:
        if verb == "read":
            self.names[worker] = str(given[1])
        self.asked.append((worker, verb))

    def share(self, value: object) -> object:
        return value

    def answer(self) -> tuple[int, Reply]:
        worker, verb = self.asked.popleft()
        name = self.names[worker]
        if verb == "read":
            return worker, Reply(Card(name, "model", name))
        return worker, Reply(replace(self.made, name=name, content=name) if verb == "learn" else None)


class Nowhere:
    """A desk that finds nothing and keeps nothing."""

    def judge(self, source: Source, card: Card) -> None:
        return None

    foresee = judge

    def keep(self, source: Source, made: TaskEmbedding) -> Outcome:
        return Outcome(source.origin, "embedded", made.name, made)


def driver(work: Path) -> dict:
    """What the driver does for a task besides writing it down, by how many workers it has."""
    space = space_of(work)
    space.pool.fingerprint, space.identity  # noqa: B018  # once per run
    vector = np.random.default_rng(0).standard_normal(8256, dtype=np.float32)
    made = TaskEmbedding("m", "model", space.identity, vector, (("response", 8256),), "c", {"input_rows": 500})
    spent = {}
    for workers in (10, 100, 1000):
        tasks = [Source(f"hub:m{n}", partial(str, n)) for n in range(20 * workers)]
        began = time.process_time()
        for outcome in Foreman(space, Nowhere(), Instant(workers, made)).run(tasks):
            assert outcome.status == "embedded"
        spent[workers] = round(1000 * (time.process_time() - began) / len(tasks), 3)
    return {"tasks_per_worker": 20, "cpu_ms_per_task": spent}


# All of it


def part(name: str, work: Path, threads: int) -> dict:
    """Measured in a process of its own, unless it is there already."""
    file = work / f"{name.replace(', ', '-').replace(' ', '')}.json"
    if not file.exists():
        load = os.getloadavg()[0]
        command = [sys.executable, __file__, "--work", str(work), "--part", name]
        quiet = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        done = subprocess.run(command, env=os.environ | quiet, check=True, stdout=subprocess.PIPE, text=True)
        said = json.loads(done.stdout.splitlines()[-1]) | {
            "load_average": [round(load, 1), round(os.getloadavg()[0], 1)]
        }
        file.write_text(json.dumps(said))
    return json.loads(file.read_text())


def rows(path: Path) -> list:
    """Everything that is stored of each embedding, oldest first, but the time."""
    with Atlas(path, create=False) as atlas:
        entries = {entry.name: entry for entry in atlas.entries()}
        matrix = atlas.matrix()
        return [
            (row.name, entries[row.name].content, dict(entries[row.name].provenance), vector.tobytes())
            for row, vector in zip(matrix.rows, matrix.vectors, strict=True)
        ]


def vectors_of(path: Path) -> np.ndarray:
    with Atlas(path, create=False) as atlas:
        return atlas.matrix().vectors.astype(np.float64)


def per_task(result: dict, tasks: int) -> dict[str, float]:
    """CPU milliseconds of a task by what they went into, over all processes; what is paid once stands apart."""
    everyone = [result["driver"], *result["workers"]]
    total = {
        what: sum(each.get(what, 0.0) for each in everyone)
        for what in ("load", "features", "learn", "prepare", "write")
    }
    return {what: round(1000 * seconds / tasks, 2) for what, seconds in total.items()}


def once(result: dict) -> dict[str, float]:
    """CPU seconds that do not grow with the tasks: of the run, and of each process that learns."""
    learning = result["workers"] or [result["driver"]]
    return {
        "groundwork": round(sum(each.get("groundwork", 0.0) for each in learning), 2),
        "model_per_process": round(np.mean([each.get("model", 0.0) for each in learning]), 2),
        "imports_and_rest_per_process": round(np.mean([each["other"] for each in learning]), 2),
    }


def summary(results: dict[str, dict], work: Path, tasks: int) -> dict:
    where = {name: work / name.replace(", ", "-").replace(" ", "") / "atlas.db" for name in results}
    first, base = rows(where[FIRST]), vectors_of(where[FIRST])
    table = {}
    for name, result in results.items():
        same = rows(where[name]) == first
        cosines = (base * vectors_of(where[name])).sum(axis=1)  # of unit vectors
        table[name] = {
            **{key: result[key] for key in ("wall_s", "first_s", "after_first_tasks_per_s", "cpu_s", "load_average")},
            "once_cpu_s": once(result),
            "cpu_ms_per_task": per_task(result, tasks),
            "driver_cpu_s": round(result["driver"]["all"], 2),
            "longest_worker_cpu_s": round(max(each["all"] for each in result["workers"] or [result["driver"]]), 2),
            "worker_peak_mb": [round(worker["peak_mb"]) for worker in result["workers"] or [result["driver"]]],
            "same_bytes": same,
            "least_cosine": 1.0 if same else float(cosines.min()),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "taskspace-scale-out")
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--pool", type=int, default=500)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        measured = {"models": models, "writer": writer, "driver": driver}.get(args.part) or partial(run_one, args.part)
        print(json.dumps(measured(args.work)))
        return
    if not (args.work / "pool.jsonl").exists():
        make_files(args.data, args.work, args.tasks, args.rows, args.pool)
    results = {name: part(name, args.work, threads) for name, (_, _, threads) in RUNS.items()}
    table = summary(results, args.work, args.tasks)
    for name, row in table.items():
        same = "same bytes" if row["same_bytes"] else f"least cosine {row['least_cosine']:.9f}"
        print(f"{name:<22} {row['wall_s']:>7.1f} s wall {row['cpu_s']:>7.1f} s CPU  {same}")
    write("scale_out", {
        "tasks": args.tasks, "rows_per_task": args.rows, "pool": args.pool, "table": table,
        "bytes_per_task": results[FIRST]["bytes"], "model": part("models", args.work, 1),
        "writer": part("writer", args.work, 1), "driver": part("driver", args.work, 1),
    })  # fmt: skip


if __name__ == "__main__":
    main()
