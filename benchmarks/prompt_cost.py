"""What does choosing among k_p prompts for k_D data sets cost, and how many pool texts does FUTE need?

Direct evaluation (or any score on the data set's own rows) puts c_b rows of each of k_D data sets to each of
k_p prompts: k_p * k_D * c_b calls of the language model.  FUTE puts |U| pool texts to each prompt once, k_p * |U|
calls, and then embeds each data set on the surrogate, which calls no language model.

Costs: all prompts of the packaged sentiment set read rows of three data sets and pool texts, with an
answer store that is empty at first; surrogate and comparison are timed apart, without caches.  The seconds for
other k_D and |U| are made of these by multiplication, and so is the k_D from which FUTE is cheaper.

Quality: on the answers kept by prompt_choice.py and some more, FUTE chooses with |U| texts (three draws of each
size), scored as there; beside it a score on as many of the data set's own rows (at most the 400 there are).

    python benchmarks/prompt_cost.py                    # after prompt_choice.py: a quarter of an hour, once
    python benchmarks/prompt_cost.py --model gpt2

Results: prompt_cost.json and prompt_cost.png.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from _common import RESULTS, write
from prompt_choice import (
    KINDS,
    SIBLING,
    Cell,
    cells_of,
    interval,
    models_of,
    options,
    pool_for,
    quick,
    rows_of,
    surrogate,
)
from taskspace import Pool, Space
from taskspace.labelers.language_models import load_language_model
from taskspace.labelers.prompts import read_prompts
from taskspace.labelers.store import AnswerStore
from taskspace.prompting.choosing import evaluate, score
from taskspace.prompting.choosing._answer_functions import answer_functions
from taskspace.prompting.choosing._study import study_prompts
from taskspace.surrogates import load_surrogate

if TYPE_CHECKING:
    from pathlib import Path

DATASETS = tuple(name for name, kind in KINDS.items() if kind == "sentiment")
SIZES = (50, 100, 300, 1000, 2000)
DRAWS = 3
METRICS = ("ndcg", "regret", "spearman")


def timed(work) -> tuple[float, object]:
    start = perf_counter()
    made = work()
    return perf_counter() - start, made


def costs(model, data: Path, rows: int, texts: int) -> dict:
    """Seconds per call of the language model, and of everything else that FUTE does."""
    prompts = read_prompts("sentiment").prompts
    store = AnswerStore(None)
    model = quick(model)
    model.write("warm", max_tokens=1)  # loading is no part of any call
    direct_seconds, calls = 0.0, 0
    for name in DATASETS:
        study = study_prompts(prompts, rows_of(data, name, "test", rows), model, content_free=False, store=store)
        direct_seconds, calls = direct_seconds + study.cost.seconds, calls + study.cost.asked
    pool = Pool(list(pool_for(data, "sentiment", max(SIZES)).texts)[:texts])
    answers = study_prompts(prompts, pool, model, content_free=False, store=store)
    labelled = [rows_of(data, name, "train", rows) for name in DATASETS]
    with tempfile.TemporaryDirectory() as empty:
        before = os.environ.get("TASKSPACE_HOME")
        os.environ["TASKSPACE_HOME"] = empty
        encoder = load_surrogate()
        encoder.features(["warm"])
        pool_seconds, _ = timed(lambda: encoder.features(list(pool.texts)))
        space = Space(pool, surrogate=encoder)
        compare_seconds, _ = timed(lambda: [compared(space, task, answers.readings) for task in labelled])
        if before is None:
            del os.environ["TASKSPACE_HOME"]
        else:
            os.environ["TASKSPACE_HOME"] = before
    per_pool_call = answers.cost.seconds / answers.cost.asked
    return {
        "prompts": len(prompts), "data_sets": len(DATASETS), "rows_per_data_set": rows, "pool_texts": texts,
        "direct_calls": calls, "direct_seconds": direct_seconds, "direct_seconds_per_call": direct_seconds / calls,
        "fute_calls": answers.cost.asked, "fute_lm_seconds": answers.cost.seconds,
        "fute_lm_seconds_per_call": per_pool_call, "fute_surrogate_seconds_per_pool_text": pool_seconds / texts,
        "fute_seconds_per_data_set": compare_seconds / len(DATASETS),
    }  # fmt: skip


def compared(space: Space, task, readings) -> np.ndarray:
    functions = answer_functions(space, task, space.pool.inputs, readings.labels)
    return functions.signed(readings.probs, readings.known)


def product(measured: dict, rows: int) -> list[dict]:
    """Calls and seconds for more data sets and pool sizes, by multiplication; a data set has ``rows`` rows."""
    table = []
    for size in SIZES:
        k_p = measured["prompts"]
        once = k_p * size * measured["fute_lm_seconds_per_call"]
        once += size * measured["fute_surrogate_seconds_per_pool_text"]
        each = k_p * rows * measured["direct_seconds_per_call"]
        saved = each - measured["fute_seconds_per_data_set"]
        for k_d in (1, 3, 10, 30, 100):
            table.append({
                "rows": rows, "pool": size, "data_sets": k_d,
                "direct_calls": k_p * k_d * rows, "fute_calls": k_p * size,
                "direct_seconds": round(each * k_d, 1),
                "fute_seconds": round(once + k_d * measured["fute_seconds_per_data_set"], 1),
                "break_even_data_sets": round(once / saved, 2) if saved > 0 else None,
            })  # fmt: skip
    return table


def quality(cell: Cell, data: Path) -> list[dict]:
    """A line per size, draw and way of choosing."""
    lines = []
    texts, pairs = cell.space.pool.texts, cell.space.pool.text_pairs
    sources = {"own": cell.data, **({"sibling": SIBLING[cell.data]} if cell.data in SIBLING else {})}
    tasks = {name: rows_of(data, source, "train", 400) for name, source in sources.items()}

    def line(size: int, method: str, values: np.ndarray) -> dict:
        found = evaluate(values, cell.accuracies, twins=cell.readings.twins)
        return {
            "model": cell.model, "data": cell.data, "size": size, "method": method, "ndcg": found.ndcg,
            "regret": 100 * found.regret, "spearman": found.spearman, "ndcg_chance": found.ndcg_chance,
            "regret_chance": 100 * found.regret_chance,
        }  # fmt: skip

    for size in SIZES:
        for number in range(DRAWS if size < len(texts) else 1):
            rng = np.random.default_rng([size, number])
            part = np.sort(rng.permutation(len(texts))[:size])
            answers = cell.pool.take_rows(part)
            pool = Pool([texts[i] for i in part], [pairs[i] for i in part])
            space = Space(pool, surrogate=surrogate())
            for name, task in tasks.items():
                functions = answer_functions(space, task, pool.inputs, answers.labels)
                lines.append(line(size, f"fute cosine, {name}", functions.cosines(answers.probs, answers.known)))
                lines.append(line(size, f"fute signed, {name}", functions.signed(answers.probs, answers.known)))
            if size <= len(cell.truth):
                own = cell.readings.take_rows(rng.permutation(len(cell.truth))[:size])
                lines += [line(size, f"{m} on the data set's rows", score(own, m).values) for m in ("mi", "zmv")]
    return lines


def curves(lines: list[dict]) -> list[dict]:
    """Means over cells (draws averaged first) with 95 % bootstrap intervals over cells."""
    groups: dict[tuple, dict[tuple, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        groups[line["method"], line["size"]][line["model"], line["data"]].append(line)
    rng = np.random.default_rng(0)
    table = []
    for (method, size), cells in sorted(groups.items()):
        picks = rng.integers(len(cells), size=(4000, len(cells)))
        row = {"method": method, "size": size, "cells": len(cells)}
        for metric in METRICS:
            row[metric] = interval(np.array([np.mean([x[metric] for x in own]) for own in cells.values()]), picks)
        for metric in ("ndcg_chance", "regret_chance"):
            row[metric] = round(float(np.mean([own[0][metric] for own in cells.values()])), 4)
        table.append(row)
    return table


def figure(table: list[dict], measured: dict, rows: int) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    picture, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    for axes, metric, label in ((left, "ndcg", "NDCG (linear gain)"), (middle, "regret", "regret@1, accuracy points")):
        for number, method in enumerate(dict.fromkeys(row["method"] for row in table)):
            own = [row for row in table if row["method"] == method]
            x = np.array([row["size"] for row in own]) * (1 + 0.03 * (number - 2))
            y, low, high = np.array([row[metric] for row in own]).T
            style = "-" if method.startswith("fute") else ":"
            axes.errorbar(x, y, yerr=[y - low, high - y], fmt="o", ls=style, ms=3.5, lw=1.1, capsize=2, label=method)
        chance = np.mean([row[f"{metric}_chance"] for row in table])
        axes.axhline(chance, color="#e45756", ls="--", lw=1, label="chance")
        axes.set(xscale="log", xlabel="texts put to each prompt", ylabel=f"{label}; mean and 95 % over cells")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
    left.legend(fontsize=7.5)
    many = np.array([1, 2, 3, 5, 10, 20, 30, 50, 100])
    each = measured["prompts"] * rows * measured["direct_seconds_per_call"]
    right.plot(many, each * many, "k:", label=f"direct, {rows} rows per data set")
    for size in SIZES:
        own = [row for row in product(measured, rows) if row["pool"] == size]
        start = own[0]["fute_seconds"] - measured["fute_seconds_per_data_set"]
        right.plot(many, start + many * measured["fute_seconds_per_data_set"], label=f"FUTE, |U| = {size}")
    right.set(xscale="log", yscale="log", xlabel="data sets", ylabel=f"seconds for {measured['prompts']} prompts")
    right.legend(fontsize=7.5)
    picture.savefig(RESULTS / "prompt_cost.png", dpi=110)
    plt.close(picture)


def main() -> None:
    parser = options()
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS))
    parser.add_argument(
        "--timed-rows", type=int, default=100, help="rows of each data set that are read to time a call"
    )
    parser.add_argument("--timed-texts", type=int, default=300, help="pool texts that are read to time a call")
    args = parser.parse_args()
    lines: list[dict] = []
    named = models_of(args)
    for name, where in named:
        for cell in cells_of(load_language_model(where), name, args.data, args.datasets, args.rows, max(SIZES)):
            lines += quality(cell, args.data)
    measured = costs(load_language_model(named[0][1]), args.data, args.timed_rows, args.timed_texts)
    table = curves(lines)
    for row in table:
        print(f"{row['method']:<32} |U| {row['size']:>5}  " + "  ".join(f"{m} {row[m]}" for m in METRICS))
    figure(table, measured, args.rows)
    rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in measured.items()}
    write("prompt_cost", {
        "models": [name for name, _ in named], "data_sets": args.datasets, "measured": rounded,
        "by_multiplication": [*product(measured, args.rows), *product(measured, min(SIZES))], "quality": table,
    })  # fmt: skip


if __name__ == "__main__":
    main()
