"""Does ``taskspace duplicates`` find tasks in disguise, and does it leave different tasks alone?

All data sets of a folder (up to 1,000 train rows each) and a TF-IDF model of each that has single texts are embedded
with the default surrogate; 12 of them come again in disguise: rows shuffled; classes renamed and renumbered; texts
lower-cased; half of the rows; the two halves, which share no row; two classes merged.  Models come again with other
class names, as hard answers, less regularised, and trained on half of the rows.  Each disguise is searched for in an
atlas of its own beside all originals, and all of them in one.

Then made-up atlases, in which it is known that nothing is a copy: how often is anything listed?

    python benchmarks/duplicates.py          # half an hour, most of it to read texts once
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np

from _common import DATA, bag_of_words, recorded, single_text_tasks, write
from taskspace import Atlas, Pool, Space, SpaceId, Task, TaskEmbedding
from taskspace.atlas.duplicates import find_duplicates
from taskspace.task import plain_letters

ROWS = 1000
DISGUISED = 12
ATLASES = 200


def named(task: Task, codes: np.ndarray, name: str, rows: np.ndarray | None = None, fold: bool = False) -> Task:
    """The task under another name, with classes called after ``codes``, and only some rows, or lower-cased texts."""
    rows = np.arange(len(task)) if rows is None else rows
    part = task.inputs.take(rows)
    texts = [text.lower() for text in part.texts] if fold else part.texts
    pairs = [pair and pair.lower() for pair in part.pairs] if fold else part.pairs
    return Task(texts, [f"class {code}" for code in codes[rows]], pairs, name=name)


def disguises(task: Task) -> dict[str, list[Task]]:
    rng = np.random.default_rng(0)
    codes, classes, order = task.labels.codes, len(task.label_names), rng.permutation(len(task))
    other, half = rng.permutation(classes)[codes], len(task) // 2
    made = {
        "shuffled": [task.take(order)],
        "relabelled": [named(task, other, "relabelled")],
        "lower-cased": [named(task, codes, "lower-cased", fold=True)],
        "half": [named(task, other, "half", order[:half])],
        "halves": [named(task, other, "half", order[:half]), named(task, codes, "rest", order[half:])],
    }
    if classes > 2:
        made["merged"] = [named(task, np.minimum(codes, classes - 2), "merged")]
    return made


def answers(task: Task, texts: list[str], rows: np.ndarray | None = None, strength: float = 10.0) -> np.ndarray:
    model = bag_of_words(task if rows is None else task.take(rows))
    if strength != 10.0:
        model.set_params(logisticregression__C=strength)
        model.fit(task.inputs.texts, [task.label_names[code] for code in task.labels.codes])
    return model.predict_proba(texts)


def disguised_models(task: Task, soft: np.ndarray, texts: list[str]) -> dict[str, np.ndarray | list[str]]:
    rng = np.random.default_rng(0)
    half = rng.permutation(len(task))[: len(task) // 2]
    return {
        "other class names": soft[:, rng.permutation(soft.shape[1])],
        "hard answers": [f"class {code}" for code in soft.argmax(axis=1)],
        "regularised": answers(task, texts, strength=0.5),
        "half of the rows": answers(task, texts, rows=half),
    }


def build(data: Path, path: Path) -> list[str]:
    """An atlas of everything; copies are named ``ORIGINAL/DISGUISE/…``.  Gives the names that were disguised."""
    names = sorted(task["name"] for task in json.loads((data / "tasks" / "index.json").read_text())["tasks"])
    tasks = {
        name: Task.from_file(data / "tasks" / name, split="train", limit=ROWS, seed=0, name=name) for name in names
    }
    space = Space(Pool.from_tasks(list(tasks.values()), size=2000, seed=0))
    chosen = [names[i] for i in np.linspace(0, len(names) - 1, DISGUISED).astype(int)]
    texts = list(space.pool.inputs.texts)
    with Atlas(path) as atlas:
        for name, task in tasks.items():
            atlas.add(space.embed(task))
            for disguise, copies in disguises(task).items() if name in chosen else ():
                atlas.add(*(space.embed(copy, name=f"{name}/{disguise}/{copy.name}") for copy in copies))
            print(name, flush=True)
        for name in single_text_tasks(data):
            whole = Task.from_file(data / "tasks" / name, split="train", name=name)
            soft = answers(whole, texts)
            atlas.add(space.embed(recorded(f"{name}.model", dict(zip(texts, soft, strict=True)))))
            for disguise, said in disguised_models(whole, soft, texts).items() if name in chosen else ():
                copy = recorded(f"{name}.model/{disguise}/", dict(zip(texts, said, strict=True)))
                atlas.add(space.embed(copy))
            print(f"{name}.model", flush=True)
    return chosen


def original(name: str) -> str:
    return name.partition("/")[0]


def part_of(whole: Atlas, path: Path, wanted: set[str]) -> Atlas:
    """The originals, and the copies in some disguises."""
    part = Atlas(path)
    rows = whole.matrix().rows
    names = [row.name for row in rows if "/" not in row.name or row.name.split("/")[1] in wanted]
    part.add(*(whole.get(name) for name in names))
    return part


def judged(atlas: Atlas, kind: str) -> dict:
    """Pairs that are one task, how many of them were put together, and what else was."""
    entries = [entry.name for entry in atlas.entries(kind=kind)]
    found = find_duplicates(atlas, kind=kind)
    together = {pair for group in found.groups for pair in combinations(sorted(group.names), 2)}
    together |= {tuple(sorted((pair.first, pair.second))) for pair in found.apart}
    truth = {pair for pair in combinations(sorted(entries), 2) if original(pair[0]) == original(pair[1])}
    strengths = Counter(pair.strength for group in found.groups for pair in group.pairs)
    return {
        "entries": len(entries), "pairs": len(truth), "found": len(truth & together), "by": dict(strengths),
        "threshold": found.searched[0].threshold and round(found.searched[0].threshold, 4),
        "missed": sorted(" ~ ".join(pair) for pair in truth - together),
        "others": sorted({" ~ ".join(sorted({original(name) for name in pair})) for pair in together - truth}),
    }  # fmt: skip


def shared_texts(data: Path, pair: str) -> float:
    """Of two data sets, the share of the smaller one's train rows of which a text also stands in the other."""
    first, second = (Task.from_file(data / "tasks" / name, split="train") for name in pair.split(" ~ "))
    small, large = sorted((first, second), key=len)
    letters = {plain_letters(text) for text in (*large.inputs.texts, *filter(None, large.inputs.pairs))}
    rows = zip(small.inputs.texts, small.inputs.pairs, strict=True)
    return round(np.mean([any(t and plain_letters(t) in letters for t in row) for row in rows]).item(), 3)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def made_up(rng: np.random.Generator, kind: str, entries: int) -> np.ndarray:
    """Vectors of different tasks: in some number of directions, or in families of about five in 60 directions."""
    if kind != "families":
        return unit(rng.standard_normal((entries, int(kind.split()[0]))))
    family = rng.integers(0, entries // 5, entries)
    middle, alike = unit(rng.standard_normal((entries // 5, 60))), rng.uniform(0.2, 0.8, entries // 5)[family, None]
    return unit(np.sqrt(alike) * middle[family] + np.sqrt(1 - alike) * unit(rng.standard_normal((entries, 60))))


def false_alarms(folder: Path) -> list[dict]:
    """How often anything is listed where nothing is a copy; and what is found of copies, one for each fourth task."""
    table = []
    for kind in ("100 directions", "10 directions", "5 directions", "families"):
        for entries in (20, 40, 100, 400):
            rng = np.random.default_rng(entries)
            listed, found, false = 0, [], []
            for turn in range(ATLASES if entries <= 100 else ATLASES // 5):
                vectors = made_up(rng, kind, entries)
                listed += len(found_in(folder / f"{turn}.db", vectors)) > 0
                copies = entries // 4
                blurred = unit(vectors[:copies] + 0.35 * unit(rng.standard_normal((copies, vectors.shape[1]))))
                pairs = found_in(folder / f"{turn}.db", np.concatenate([vectors, blurred]))
                right = sum(second == first + entries for first, second in pairs)
                found.append(right / copies)
                false.append(1 - right / len(pairs) if pairs else 0.0)
            turns = len(found)
            table.append({
                "tasks": kind, "entries": entries, "atlases": turns, "anything_listed": round(listed / turns, 3),
                "copies_found": round(float(np.mean(found)), 3), "share_false": round(float(np.mean(false)), 3),
            })  # fmt: skip
            print(table[-1], flush=True)
    return table


def found_in(path: Path, vectors: np.ndarray) -> set[tuple[int, int]]:
    space = SpaceId("made up", "none", "none", {}, "response", {}, "none", 1, 0)
    blocks = (("response", vectors.shape[1]),)
    path.unlink(missing_ok=True)
    with Atlas(path) as atlas:
        atlas.add(*(TaskEmbedding(f"{i}", "dataset", space, v, blocks, f"c{i}") for i, v in enumerate(vectors)))
        found = find_duplicates(atlas)
    pairs = [pair for group in found.groups for pair in combinations(group.names, 2)]
    pairs += [(pair.first, pair.second) for pair in found.apart]
    return {tuple(sorted(map(int, pair))) for pair in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="duplicates-") as folder:
        place = Path(folder)
        chosen = build(args.data, place / "whole.db")
        table = []
        with Atlas(place / "whole.db") as whole:
            names = [row.name for row in whole.matrix().rows]
            for kind, mark in (("dataset", False), ("model", True)):
                ways = list(dict.fromkeys(n.split("/")[1] for n in names if "/" in n and (".model" in n) == mark))
                for wanted in ([], *([way] for way in ways), ways):
                    told = "none" if not wanted else wanted[0] if len(wanted) == 1 else "all of them"
                    with part_of(whole, place / f"{kind}-{told}.db".replace(" ", "-"), set(wanted)) as part:
                        table.append({"kind": kind, "disguise": told, **judged(part, kind)})
                    print({key: value for key, value in table[-1].items() if key != "missed"}, flush=True)
        others = sorted({pair for row in table if row["kind"] == "dataset" for pair in row["others"]})
        shared = {pair: shared_texts(args.data, pair) for pair in others}
        print(shared)
        alarms = false_alarms(place)
    about = {"rows": ROWS, "disguised": chosen}
    write("duplicates", {**about, "table": table, "rows_with_a_shared_text": shared, "made_up": alarms})


if __name__ == "__main__":
    main()
