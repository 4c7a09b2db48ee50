"""taskspace beside transformer-ranker 0.2.0 and hf-dataset-selector 0.2.1: same sources, targets, rows and truth.

The truth is a folder that ``taskspace bench transfer`` made: measured transfers, and the weights of each tuned source.
Per target each contender orders the sources, and the orders are scored against the measured accuracies.  Each rival has
an environment of its own (with these constraints torch is small; scipy is needed and not declared):

    python3 -m venv ranker
    ranker/bin/pip install -c constraints.txt transformer-ranker==0.2.0
    python3 -m venv selector
    selector/bin/pip install -c constraints.txt hf-dataset-selector==0.2.1 "scipy<1.16"

    python benchmarks/rivals.py --truth FOLDER --ranker-python ranker/bin/python --selector-python selector/bin/python

What was made is kept in ``--work``, and a stopped run goes on from there; only prices are measured anew, all contenders
after one another, on one thread.  ``--work`` is to be deleted when the truth was measured anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from _common import DATA, write
from _rivals_asked import OFFLINE, Given, Rival, of_ranker, of_selector
from _rivals_inputs import SOURCE_ROWS, Kept
from _rivals_ours import Ours
from _rivals_prices import Prices
from taskspace.bench.rank import read_truth
from taskspace.ranking.metrics import bootstrap, chance, ndcg, paired, regret_at

if TYPE_CHECKING:
    from taskspace.ranking.history import Transfers

METRICS = {"ndcg": (ndcg, {"gain": "linear"}), "regret@1": (regret_at, {"k": 1}), "regret@3": (regret_at, {"k": 3})}
OURS = "taskspace"
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def worth(truth: Transfers, target: str) -> dict[str, float]:
    """What each candidate was measured to give a target, in points of accuracy."""
    return {s: 100 * w for s, w in zip(truth.sources, truth.column(target), strict=True) if s != target}


def judged(truth: Transfers, package: str, method: str, given: Given) -> dict:
    """A method's metrics: mean and 95 % interval over targets, and the values by target."""
    row: dict = {"package": package, "method": method, "by_target": {}}
    for metric, (rule, settings) in METRICS.items():
        values = []
        for target in truth.targets:
            there = worth(truth, target)
            values.append(rule([*there.values()], [given[target][name] for name in there], **settings))
        interval = bootstrap(values)
        row[metric] = [round(x, 4) for x in (interval.mean, interval.low, interval.high)]
        row["by_target"][metric] = np.round(values, 4).tolist()
    return row


def by_chance(truth: Transfers) -> dict[str, float]:
    """What random orders get."""
    columns = [[*worth(truth, target).values()] for target in truth.targets]
    return {
        metric: round(float(np.mean([chance(rule, column, **settings) for column in columns])), 4)
        for metric, (rule, settings) in METRICS.items()
    }


def differences(rows: list[dict]) -> list[dict]:
    """Each of ours minus each of a rival's, on the same targets, with its interval."""
    found = []
    for mine in (row for row in rows if row["package"] == OURS):
        for other in (row for row in rows if row["package"] != OURS):
            line = {"ours": mine["method"], "package": other["package"], "method": other["method"]}
            for metric in METRICS:
                gap = paired(mine["by_target"][metric], other["by_target"][metric])
                line[metric] = [round(x, 4) for x in (gap.mean, gap.low, gap.high)]
            found.append(line)
    return found


def show(rows: list[dict], level: dict[str, float]) -> None:
    for row in [*rows, {"package": "", "method": "random order", **{m: [v] for m, v in level.items()}}]:
        cells = "  ".join(f"{m} {row[m][0]:.3f} {row[m][1:] or ''}" for m in METRICS)
        print(f"{row['package']:<20}{row['method']:<52}{cells}", flush=True)


def show_prices(rows: list[dict]) -> None:
    for row in rows:
        print(
            f"{row['package']:<20}{row['method']:<32}{row['whole']} {row['estimating']} {row['forward_passes']} passes"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--ranker-python", type=Path, required=True)
    parser.add_argument("--selector-python", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=Path(".taskspace/rivals"))
    parser.add_argument(
        "--board", type=Path, help="what taskspace bench rank wrote of this truth; made in --work if none"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[128, 1000], help="labelled rows of each target")
    parser.add_argument("--sources", nargs="+")
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--timed", type=int, default=2, help="so many targets and sources to time")
    parser.add_argument("--tokens", type=int, default=40, help="that hf-dataset-selector reads; it says 128")
    return parser.parse_args()


def on_one_thread() -> None:
    """BLAS reads its number of threads when it is loaded, so begin again where it is not one."""
    if any(os.environ.get(name) != value for name, value in THREADS.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **THREADS, **OFFLINE})
    torch.set_num_threads(1)


def main() -> None:
    args = arguments()
    on_one_thread()
    work = args.work.resolve()
    board = (args.board or work / "board").resolve()
    whole, _ = read_truth(args.truth, board)
    truth = whole.only(sources=args.sources, targets=args.targets)
    result: dict = {
        "sources": truth.sources, "targets": truth.targets, "runs": truth.scores.shape[-1], "tokens": args.tokens,
        "chance": by_chance(truth), "quality": {}, "differences": {}, "prices": {},
    }  # fmt: skip
    for rows in args.rows:
        many = rows >= SOURCE_ROWS
        kept = Kept(args.data, args.truth.resolve(), work, board, rows)
        ranker = Rival(args.ranker_python, "_rivals_ranker.py", kept)
        selector = Rival(args.selector_python, "_rivals_selector.py", kept)
        ours = Ours(kept, truth)
        orders = {
            OURS: ours.orders(),
            "transformer-ranker": of_ranker(ranker, kept, truth, both=not many),
            "hf-dataset-selector": of_selector(selector, kept, truth, args.tokens),
        }
        table = [judged(truth, package, *pair) for package, given in orders.items() for pair in given.items()]
        print(f"\n{rows} labelled rows of each of {len(truth.targets)} targets; {len(truth.sources)} sources")
        show(table, result["chance"])
        result["quality"][rows], result["differences"][rows] = table, differences(table)
        if args.timed:
            prices = Prices(ours, ranker, selector, args.tokens)
            timed = list(truth.targets[: 1 if many else args.timed])
            found = prices.of_targets(timed, ["logme"] if many else ["hscore", "logme", "knn"])
            result["prices"][rows] = {"targets": timed, "seconds": found}
            show_prices(found)
            if "once" not in result:
                result["once"] = prices.of_sources(list(truth.sources[: args.timed]))
                print(result["once"])
        write("rivals", result)


if __name__ == "__main__":
    main()
