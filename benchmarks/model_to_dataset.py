"""Does a black-box model's embedding find the data set it was trained on?

A TF-IDF + logistic regression model per single-text task (all train rows) answers a pool of 2,000
unlabelled texts and is embedded; 400 train rows per task are embedded as data sets.  Scored by the
mean reciprocal rank of a model's own data set among all, over 5 draws of the pool and of the 400 rows,
for soft answers (class probabilities) and hard ones (the most probable class).  Ties share their
expected reciprocal rank.

    python benchmarks/model_to_dataset.py                       # all learners; about an hour on 2 cores
    python benchmarks/model_to_dataset.py --learners response   # minutes

Rows go to results/model_to_dataset.csv as they are measured, and what stands there is not measured
again; a table and results/model_to_dataset.json follow.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from _common import DATA, RESULTS, bag_of_words, draw, recorded, single_text_tasks, unlabelled, write
from taskspace import Space, Task
from taskspace.surrogates import load_surrogate

LEARNERS = {"response": {}, "text": {}, "fisher": {"rows": 64}}
FIRST_SEED = 100  # the learner's settings were chosen on pools of seeds 0 and 1
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t for that many draws


def reciprocal_ranks(similarities: np.ndarray) -> np.ndarray:
    """Expected 1/rank of the diagonal in each row, over all orders of tied candidates."""
    own = np.diag(similarities)[:, None]
    better = (similarities > own + 1e-9).sum(axis=1)
    tied = (np.abs(similarities - own) <= 1e-9).sum(axis=1)
    return np.array([np.mean(1 / np.arange(b + 1, b + t + 1)) for b, t in zip(better, tied, strict=True)])


def unit(embedding) -> np.ndarray:
    """Blocks at unit norm over the root of their number: inner products are mean block cosines."""
    cuts = np.cumsum([size for _, size in embedding.blocks])[:-1]
    parts = [part / (np.linalg.norm(part) or 1.0) for part in np.split(embedding.vector.astype(float), cuts)]
    return np.concatenate(parts) / np.sqrt(len(parts))


def predictions(names: list[str], tasks: Path, texts: list[str]) -> dict[str, np.ndarray]:
    """float32[texts, classes] of each task's model."""
    found = {}
    for name in names:
        task = Task.from_file(tasks / name)
        found[name] = bag_of_words(task).predict_proba(texts).astype(np.float32)
        print(f"model of {name}: {found[name].shape[1]} classes", flush=True)
    return found


def measure(
    space: Space,
    datasets: np.ndarray,
    tasks: list[Task],
    answers: dict[str, np.ndarray],
    where: dict[str, int],
    hard: bool,
) -> np.ndarray:
    models = []
    for task in tasks:
        rows = answers[task.name]
        said = {t: str(rows[i].argmax()) if hard else rows[i] for t, i in where.items()}
        models.append(unit(space.embed(recorded(task.name, said))))
    return reciprocal_ranks(np.stack(models) @ datasets.T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS))
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "model_to_dataset.csv"
    if not file.exists():
        file.write_text("learner,answers,draw,mrr\n")
    done = {(r["learner"], r["answers"], int(r["draw"])) for r in csv.DictReader(file.open())}
    wanted = [(k, a, d) for k in args.learners for d in range(args.draws) for a in ("soft", "hard")]
    names = single_text_tasks(args.data)
    if set(wanted) - done:
        run(args.data, names, [key for key in wanted if key not in done], file)
    shared = overlap(args.data, names)
    report(list(csv.DictReader(file.open())), len(names), shared)


def overlap(data: Path, names: list[str]) -> dict[str, int]:
    """Train rows of each task whose text also stands among the unlabelled texts that pools are drawn from."""
    whole = unlabelled(data)
    return {name: whole.overlap(Task.from_file(data / "tasks" / name)) for name in names}


def run(data: Path, names: list[str], wanted: list[tuple[str, str, int]], file: Path) -> None:
    whole = unlabelled(data)
    pools = {d: draw(whole, 2000, seed=FIRST_SEED + d) for d in sorted({d for _, _, d in wanted})}
    texts = sorted({text for pool in pools.values() for text in pool.inputs.texts})
    where = {text: i for i, text in enumerate(texts)}
    answers = predictions(names, data / "tasks", texts)
    surrogate = load_surrogate()
    for learner, number in dict.fromkeys((learner, number) for learner, _, number in wanted):
        pool = pools[number]
        space = Space(pool, surrogate=surrogate, learner=learner, **LEARNERS[learner])
        part = {text: where[text] for text in pool.inputs.texts}
        tasks = [Task.from_file(data / "tasks" / name, limit=400, seed=number) for name in names]
        datasets = np.stack([unit(space.embed(task)) for task in tasks])
        for kind in (k for name, k, n in wanted if (name, n) == (learner, number)):
            score = measure(space, datasets, tasks, answers, part, hard=kind == "hard").mean()
            with file.open("a") as out:
                out.write(f"{learner},{kind},{number},{score:.4f}\n")
            print(f"{learner:<9} {kind} draw {number}: {score:.3f}", flush=True)


def report(rows: list[dict], candidates: int, shared: dict[str, int]) -> None:
    chance = float(np.mean(1 / np.arange(1, candidates + 1)))
    table = []
    for learner, kind in sorted({(row["learner"], row["answers"]) for row in rows}):
        scores = np.array([float(r["mrr"]) for r in rows if (r["learner"], r["answers"]) == (learner, kind)])
        half = T_975[len(scores)] * scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) in T_975 else np.nan
        table.append({
            "learner": learner, "answers": kind, "mrr": round(float(scores.mean()), 4),
            "low": round(float(scores.mean() - half), 4), "high": round(float(scores.mean() + half), 4),
            "draws": len(scores),
        })  # fmt: skip
    for row in table:
        print("{learner:<9} {answers}  MRR {mrr:.3f}  95% [{low:.3f}, {high:.3f}]  {draws} draws".format(**row))
    print(f"chance {chance:.3f} ({candidates} data sets)")
    figure(table, chance)
    print(f"train rows that also stand among the unlabelled texts: {sum(shared.values())}")
    about = {"chance": round(chance, 4), "candidates": candidates, "train_rows_in_unlabelled": shared}
    # One draw has no interval, and JSON no NaN.
    plain = [{key: None if value != value else value for key, value in row.items()} for row in table]
    write("model_to_dataset", {**about, "table": plain})


def figure(table: list[dict], chance: float) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    table = sorted(table, key=lambda row: row["mrr"])
    names = [f"{row['learner']}, {row['answers']} answers" for row in table]
    scores = np.array([row["mrr"] for row in table])
    reach = np.array([[row["mrr"] - row["low"], row["high"] - row["mrr"]] for row in table]).T
    picture, axes = plt.subplots(figsize=(7, 0.5 * len(table) + 1.2), layout="constrained")
    axes.barh(names, scores, xerr=np.nan_to_num(reach), color="#4c78a8", capsize=3)
    axes.axvline(chance, color="#e45756", linestyle="--", label=f"chance {chance:.2f}")
    axes.set(xlim=(0, 1), xlabel="mean reciprocal rank of a model's own data set (95 % over draws)")
    axes.legend(loc="lower right")
    picture.savefig(RESULTS / "model_to_dataset.png", dpi=120)
    plt.close(picture)


if __name__ == "__main__":
    main()
