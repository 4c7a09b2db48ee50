"""Do models that are no transformers land in the right place?

Per task a convolutional network, an LSTM, a linear SVM (all as in ``examples/``) and a logistic regression on
TF-IDF (as in ``model_to_dataset.py``) learn from at most 2,000 train rows, and hand-written rules learn nothing.
Each answers a pool of 2,000 unlabelled texts and is embedded from these answers alone, soft (class probabilities)
and hard (the most probable class).  It should land near its own data set, which is embedded from 400 *other*
train rows and stands among all tasks of single texts; and near the other models of its task, not near models of
its own kind.

    python benchmarks/kinds_of_model.py      # about 15 minutes on one core

Answers are kept in .taskspace/kinds as they are made, so a stopped run goes on (``--again`` makes them anew).
Writes results/kinds_of_model.csv, a row per model, and results/kinds_of_model.json, the tables.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import re
import time
from pathlib import Path

import numpy as np

from _common import DATA, HERE, RESULTS, bag_of_words, draw, recorded, single_text_tasks, unlabelled, write
from _rules import RULES, SENTIMENT_TASKS
from model_to_dataset import unit
from taskspace import Pool, Space, Task
from taskspace.surrogates import load_surrogate

TASKS = (
    "ag_news", "airline_tweets", "clickbait", "cola", "customer_reviews", "dbpedia", "financial_phrasebank", "sms_spam",
    "snips", "sst2", "subj", "trec", "tweet_emotion", "tweet_irony", "tweet_offensive",
)  # fmt: skip
KINDS = ("cnn", "lstm", "svm", "logistic", "rules")
ROWS, DATASET_ROWS, POOL, SEED = 2000, 400, 2000, 100
KEPT = HERE.parent / ".taskspace" / "kinds"
RESAMPLES = 10_000


def example(name: str):
    """The module ``examples/NAME.py``."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", HERE.parent / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts(folder: Path) -> tuple[Task, Task]:
    """400 train rows to embed as the data set, and at most 2,000 others to learn from."""
    shown, every = Task.from_file(folder, limit=DATASET_ROWS, seed=0), Task.from_file(folder)
    taken = set(shown.inputs.texts)
    rest = [row for row, text in enumerate(every.inputs.texts) if text not in taken]
    return shown, every.take(np.random.default_rng(0).permutation(rest)[:ROWS])


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def clean_pool(data: Path, names: list[str]) -> Pool:
    """Texts drawn from the unlabelled ones, without those that are a train row of a task, punctuation aside."""
    rows = {letters(text) for name in names for text in Task.from_file(data / "tasks" / name).inputs.texts}
    return Pool([t for t in draw(unlabelled(data), POOL, seed=SEED).inputs.texts if letters(t) not in rows])


def rules_for(task: Task):
    rules, otherwise = RULES.get(task.name) or (example("rules").SENTIMENT, SENTIMENT_TASKS[task.name])
    vote = example("rules").by_votes(rules, otherwise)

    def probabilities(texts: list[str]) -> np.ndarray:
        """A row of NaN where the rules say nothing."""
        said = [shares or {} for shares in vote(texts)]
        return np.array([[s.get(n, 0.0 if s else np.nan) for n in task.label_names] for s in said])

    return probabilities


def learn(kind: str, task: Task):
    """A function from texts to probabilities [n, classes], in the order of the task's label names."""
    if kind == "rules":
        return rules_for(task)
    if kind in ("cnn", "lstm"):
        return example(kind).train(task)
    model = example("svm").train(task) if kind == "svm" else bag_of_words(task)
    columns = [task.label_names.index(name) for name in model.classes_]

    def probabilities(texts: list[str]) -> np.ndarray:
        given = np.zeros((len(texts), len(task.label_names)))
        given[:, columns] = model.predict_proba(texts)
        return given

    return probabilities


def answers(kind: str, folder: Path, pool: Pool, again: bool) -> dict[str, np.ndarray]:
    """The model's answers to the pool, [m, classes], and its score on the test rows: made once, then read."""
    file = KEPT / f"{folder.name}-{kind}.npz"
    if again or not file.exists():
        _, task = parts(folder)
        test = Task.from_file(folder, split="test")
        started = time.perf_counter()
        model = learn(kind, task)
        seconds = time.perf_counter() - started
        given = in_batches(model, test.inputs.texts)
        usual = np.bincount(task.labels.codes[task.labels.codes >= 0]).argmax()
        silent = np.isnan(given).any(axis=1)
        said = np.where(silent, usual, np.nan_to_num(given).argmax(axis=1))
        right = said == test.labels.codes
        KEPT.mkdir(parents=True, exist_ok=True)
        np.savez(
            file, pool=in_batches(model, pool.inputs.texts), accuracy=right.mean(), silent=silent.mean(),
            majority=(test.labels.codes == usual).mean(), rows=len(task), seconds=seconds, of=pool.fingerprint,
        )  # fmt: skip
        print(f"{folder.name:<21} {kind:<9} accuracy {right.mean():.3f}  {seconds:.0f} s", flush=True)
    with np.load(file) as kept:
        return dict(kept)


def in_batches(model, texts: list[str]) -> np.ndarray:
    return np.concatenate([np.asarray(model(list(texts[i : i + 250]))) for i in range(0, len(texts), 250)])


def embedded(space: Space, name: str, given: np.ndarray, hard: bool):
    rows = [None if np.isnan(row).any() else str(row.argmax()) if hard else row.tolist() for row in given]
    return space.embed(recorded(name, dict(zip(space.pool.inputs.texts, rows, strict=True))))


def expected(scores: np.ndarray, own: int) -> tuple[float, float]:
    """1/rank of candidate ``own`` and the chance that it is first, over all orders of tied candidates."""
    better, tied = (scores > scores[own] + 1e-9).sum(), (np.abs(scores - scores[own]) <= 1e-9).sum()
    return float(np.mean(1 / np.arange(better + 1, better + tied + 1))), float(better == 0) / tied


def interval(values: np.ndarray, tasks: list[str]) -> list[float]:
    """Mean, and its 95 % bootstrap interval over tasks: a drawn task brings all its models."""
    names = sorted(set(tasks))
    sums = np.array([sum(v for v, t in zip(values, tasks, strict=True) if t == name) for name in names])
    counts = np.array([tasks.count(name) for name in names])
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return [round(float(number), 4) for number in (np.mean(values), low, high)]


def found(rows: list[dict], kinds: tuple[str, ...]) -> list[dict]:
    """Per kind of model: how good the models are, and how well each finds its own data set."""
    table = []
    for kind in kinds:
        mine = [row for row in rows if row["kind"] == kind]
        tasks = [row["task"] for row in mine]
        entry = {"kind": kind, "models": len(mine)}
        for column in ("accuracy", "majority", "silent"):
            entry[column] = round(float(np.mean([row[column] for row in mine])), 4)
        for column in ("soft_mrr", "hard_mrr", "soft_first", "hard_first", "soft_family_first"):
            entry[column] = interval(np.array([row[column] for row in mine]), tasks)
        other = {row["task"]: row["soft_mrr"] for row in rows if row["kind"] == "logistic"}
        entry["soft_mrr_minus_logistic"] = interval(np.array([r["soft_mrr"] - other[r["task"]] for r in mine]), tasks)
        table.append(entry)
    return table


def neighbours(vectors: np.ndarray, rows: list[dict]) -> list[dict]:
    """Per kind of model, and for all: is the same task nearer than the same kind?"""
    kind, task = (np.array([row[key] for row in rows]) for key in ("kind", "task"))
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    same_task, same_kind = (key[:, None] == key[None] for key in (task, kind))
    own = ~np.eye(len(rows), dtype=bool)
    groups = {"same_task": same_task & own, "same_kind": same_kind & own, "neither": ~same_task & ~same_kind}
    means = {key: np.array([similar[i, chosen[i]].mean() for i in range(len(rows))]) for key, chosen in groups.items()}
    beats = np.array([
        (similar[i, groups["same_task"][i]][:, None] > similar[i, groups["same_kind"][i]][None]).mean()
        for i in range(len(rows))
    ])  # fmt: skip
    nearest = similar.argmax(axis=1)
    hits = {f"nearest_{key}": groups[key][np.arange(len(rows)), nearest] for key in ("same_task", "same_kind")}
    table = []
    for one in (*KINDS, "all"):
        mine = np.flatnonzero((kind == one) | (one == "all"))
        entry = {"kind": one, "models": len(mine)}
        columns = {**means, "task_beats_kind": beats, **hits}
        entry |= {key: interval(column[mine].astype(float), task[mine].tolist()) for key, column in columns.items()}
        entry |= {
            f"chance_{key}": round(float((groups[key].sum(axis=1) / (len(rows) - 1))[mine].mean()), 4)
            for key in ("same_task", "same_kind")
        }
        table.append(entry)
    return table


def measure(data: Path, again: bool) -> tuple[list[dict], dict]:
    names = single_text_tasks(data)
    families = {t["name"]: t["family"] for t in json.loads((data / "tasks" / "index.json").read_text())["tasks"]}
    pool = clean_pool(data, names)
    wanted = [(t, k) for t in TASKS for k in KINDS if k != "rules" or t in RULES or t in SENTIMENT_TASKS]
    given = {(task, kind): answers(kind, data / "tasks" / task, pool, again) for task, kind in wanted}
    if any(str(one["of"]) != pool.fingerprint for one in given.values()):
        raise SystemExit(f"answers in {KEPT} were made for another pool; run with --again")
    space = Space(pool, surrogate=load_surrogate())
    datasets = []
    for name in names:
        datasets.append(unit(space.embed(Task.from_file(data / "tasks" / name, limit=DATASET_ROWS, seed=0))))
        print(f"data set {name}", flush=True)
    rows, vectors = [], {"soft": [], "hard": []}
    for (task, kind), one in given.items():
        row = {"task": task, "kind": kind, "rows": int(one["rows"])}
        row |= {key: round(float(one[key]), 4) for key in ("accuracy", "majority", "silent")}
        for form in vectors:
            embedding = embedded(space, f"{task}:{kind}", one["pool"], hard=form == "hard")
            vectors[form].append(unit(embedding))
            scores = np.stack(datasets) @ vectors[form][-1]
            row[f"{form}_mrr"], row[f"{form}_first"] = expected(scores, names.index(task))
            nearest = names[int(scores.argmax())]
            row |= {f"{form}_nearest": nearest, f"{form}_family_first": float(families[nearest] == families[task])}
            row |= {f"{form}_{key}": embedding.provenance[key] for key in ("skill", "informative")}
        rows.append(row)
    for form, stacked in vectors.items():
        similar = np.stack(stacked) @ np.stack(stacked).T - 2 * np.eye(len(rows))
        for row, nearest in zip(rows, similar.argmax(axis=1), strict=True):
            row[f"{form}_nearest_model"] = f"{rows[nearest]['task']}:{rows[nearest]['kind']}"
    about = {
        "pool": len(pool), "candidates": len(names), "tasks": len(TASKS),
        "chance_mrr": round(float(np.mean(1 / np.arange(1, len(names) + 1))), 4),
        "chance_first": round(1 / len(names), 4),
        "chance_family_first": round(float(np.mean([
            sum(families[name] == families[task] for name in names) / len(names) for task in TASKS
        ])), 4),
        "no_rules": [task for task in TASKS if (task, "rules") not in given],
    }  # fmt: skip
    return rows, about | {f"neighbours_{form}": neighbours(np.stack(v), rows) for form, v in vectors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--again", action="store_true", help="make the answers anew")
    args = parser.parse_args()
    rows, about = measure(args.data, args.again)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "kinds_of_model.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    ruled = [row for row in rows if row["task"] not in about["no_rules"]]
    report = {"all_tasks": found(rows, KINDS[:-1]), "tasks_with_rules": found(ruled, KINDS)}
    for name, table in report.items():
        print(f"\n{name}: own data set among {about['candidates']}, chance {about['chance_mrr']}")
        for e in table:
            print(
                "{kind:<9} {models:>2} accuracy {accuracy:.3f} (majority {majority:.3f})  soft MRR {soft_mrr} first"
                " {soft_first} family {soft_family_first}  hard MRR {hard_mrr}  - logistic {soft_mrr_minus_logistic}"
                .format(**e)
            )  # fmt: skip
    for form in ("soft", "hard"):
        print(f"\n{form} answers: models beside models")
        for e in about[f"neighbours_{form}"]:
            print(
                "{kind:<9} same task {same_task} same kind {same_kind} neither {neither}; task beats kind"
                " {task_beats_kind}; nearest: task {nearest_same_task} (chance {chance_same_task}),"
                " kind {nearest_same_kind} (chance {chance_same_kind})".format(**e)
            )  # fmt: skip
    write("kinds_of_model", {**about, **report})


if __name__ == "__main__":
    main()
