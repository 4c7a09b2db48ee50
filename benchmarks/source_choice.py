"""Does similarity to a target pick the source that really helps it?  A first, small answer.

Sources and targets of results/transfer_truth.csv (see transfer_truth.py) are embedded as data sets,
400 train rows each, through a pool of 2,000 texts drawn from all tasks.  Per target the sources are
ordered by similarity, and the order is scored against the measured accuracies: NDCG with linear gain,
min-max scaled per target; regret@1 and regret@3 in accuracy points (best source minus the best of the
first k); Spearman.  Beside each: random order (mean of 2,000), and the target-blind prior (mean z-score
of a source over the *other* targets).  Intervals are bootstrapped over targets.

    python benchmarks/source_choice.py          # minutes; needs results/transfer_truth.csv
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from _common import DATA, RESULTS, write
from taskspace import Pool, Space, Task
from taskspace.ranking import rank
from taskspace.surrogates import load_surrogate

LEARNERS = {"response": {}, "text": {}, "fisher": {"rows": 64}}
METRICS = ("ndcg", "regret@1", "regret@3", "spearman")


def read_truth(file: Path) -> dict[str, dict[str, float]]:
    """target -> source -> accuracy, averaged over seeds; only sources measured on every target."""
    cells: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in csv.DictReader(file.open()):
        cells[row["target"]][row["source"]].append(float(row["score"]))
    everywhere = set.intersection(*(set(row) for row in cells.values()))
    return {t: {s: float(np.mean(row[s])) for s in row if s in everywhere} for t, row in cells.items()}


def score(order: list[str], truth: dict[str, float]) -> dict[str, float]:
    """One target's metrics for an order of sources, best first."""
    gains = np.array([truth[source] for source in order])
    scaled = (gains - gains.min()) / (np.ptp(gains) or 1.0)
    discount = 1 / np.log2(np.arange(len(gains)) + 2)
    places = np.argsort(np.argsort(-gains, kind="stable"))
    return {
        "ndcg": float(scaled @ discount / (np.sort(scaled)[::-1] @ discount)),
        "regret@1": 100 * float(gains.max() - gains[0]),
        "regret@3": 100 * float(gains.max() - gains[:3].max()),
        "spearman": float(np.corrcoef(np.arange(len(gains)), places)[0, 1]),
    }


def orders_by_similarity(learner: str, tasks: dict[str, Task], pool: Pool, truth: dict, surrogate) -> dict:
    space = Space(pool, surrogate=surrogate, learner=learner, **LEARNERS[learner])
    embedded = {name: space.embed(task) for name, task in tasks.items()}
    return {
        target: [hit.name for hit in rank(embedded[target], [embedded[s] for s in row])]
        for target, row in truth.items()
    }


def z_scores(row: dict[str, float]) -> dict[str, float]:
    values = np.array(list(row.values()))
    return dict(zip(row, (values - values.mean()) / (values.std() or 1.0), strict=True))


def prior_orders(truth: dict[str, dict[str, float]]) -> dict[str, list[str]]:
    """Sources by how much they help the other targets."""
    standard = {target: z_scores(row) for target, row in truth.items()}

    def elsewhere(source: str, target: str) -> float:
        return float(np.mean([row[source] for t, row in standard.items() if t != target and source in row]))

    return {target: sorted(row, key=lambda s: -elsewhere(s, target)) for target, row in truth.items()}


def summary(scores: list[dict[str, float]], rng: np.random.Generator) -> dict[str, list[float]]:
    """Mean and 95 % bootstrap interval over targets of each metric."""
    table = {}
    for metric in METRICS:
        values = np.array([s[metric] for s in scores])
        means = values[rng.integers(len(values), size=(5000, len(values)))].mean(axis=1)
        table[metric] = [round(float(x), 3) for x in (values.mean(), *np.percentile(means, [2.5, 97.5]))]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--truth", type=Path, default=RESULTS / "transfer_truth.csv")
    args = parser.parse_args()
    whole = read_truth(args.truth)
    truth = {t: {s: a for s, a in row.items() if s not in ("none", t)} for t, row in whole.items()}
    helped = np.mean([whole[t][s] > whole[t]["none"] for t in truth for s in truth[t]])
    names = sorted({*truth, *(s for row in truth.values() for s in row)})
    tasks = {name: Task.from_file(args.data / "tasks" / name, limit=400) for name in names}
    everything = [Task.from_file(p.parent, limit=400) for p in sorted((args.data / "tasks").glob("*/task.json"))]
    pool = Pool.from_tasks(everything, size=2000)
    surrogate = load_surrogate()
    rng = np.random.default_rng(0)
    orders = {name: orders_by_similarity(name, tasks, pool, truth, surrogate) for name in LEARNERS}
    orders["prior (target-blind)"] = prior_orders(truth)
    table = {name: summary([score(o[t], truth[t]) for t in truth], rng) for name, o in orders.items()}
    chance = [
        {m: float(np.mean([score(list(rng.permutation(list(row))), row)[m] for _ in range(2000)])) for m in METRICS}
        for row in truth.values()
    ]
    table["random"] = {m: [round(float(np.mean([c[m] for c in chance])), 3)] for m in METRICS}
    for name, row in table.items():
        print(f"{name:<22}" + "  ".join(f"{m} {row[m][0]:.3f} {row[m][1:] or ''}" for m in METRICS))
    sources = max(len(row) for row in truth.values())
    print(f"{len(truth)} targets x {sources} sources; {100 * helped:.0f} % of the transfers helped")
    write(
        "source_choice", {"targets": len(truth), "sources": sources, "helped": round(float(helped), 3), "table": table}
    )


if __name__ == "__main__":
    main()
