"""Which way of choosing a prompt without labels picks prompts that are truly good?

One pass of a language model over all prompts of a packaged set and 400 test rows serves every method:
scores from unlabelled answers (each without and with calibration), ensembles, Self-Select, a choice per
row, FUTE (the prompt's embedding against a data set's), and rivals that pay for labels.  Truth is the
accuracy of each prompt on the same rows.  Per language model and data set: NDCG (linear gain, accuracy scaled
from 0 to 1; and with raw accuracy as gain), regret of the first choice in points, whether the best prompt
is among the first three, Spearman, and the chosen prompt's accuracy over the best one's.  Each stands
beside its exact chance.  Intervals are bootstrapped over the cells (model x data set).

A stand-in can show whether a method finds the prompts that a model follows well *because of what it has
read*, with every other thing known: no test row was read, ``seen`` says how often each wording was.  It
cannot show how often such differences occur between prompts of a real model, nor in which size; it hardly
reads instructions, so that a contradictory prompt is to it a wording like others; and it cannot follow
Self-Select at all.  Which method wins among real models is to be asked of real models (``--model``).

Without ``--model`` the models are the stand-ins of stand_in_lm.py, trained here from nothing if they are not
there yet; with it, any Hub id or folder, and nothing is trained.

    python benchmarks/prompt_choice.py                       # an hour, once; most of it trains the stand-ins
    python benchmarks/prompt_choice.py --model gpt2          # any Hub id or folder

Answers are kept in the answer store, so a second run asks nothing.  Results: prompt_choice.csv (a line per
model x data set x method x calibration), prompt_choice_accuracy.csv (a line per prompt),
prompt_choice.json and prompt_choice.png; a run with ``--model`` writes prompt_choice_NAME.* instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from _common import DATA, RESULTS, draw, unlabelled, write
from stand_in_lm import MODELS, is_odd, stand_in
from taskspace import Pool, Space, Task
from taskspace.labelers.language_models import LocalModel, load_language_model
from taskspace.labelers.prompts import Prompt, from_prompt, read_prompts
from taskspace.prompting.choosing import (
    CALIBRATIONS,
    METHODS,
    ROW_METHODS,
    PromptReadings,
    accuracy,
    calibrate,
    choose_per_row,
    evaluate,
    few_labels,
    score,
    truth_of,
    zps,
)
from taskspace.prompting.choosing._answer_functions import AnswerFunctions, answer_functions
from taskspace.prompting.choosing._study import PromptStudy, study_prompts
from taskspace.ranking.metrics import mean_ranks, ndcg
from taskspace.surrogates import load_surrogate

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "sst2": "sentiment", "rotten_tomatoes": "sentiment", "customer_reviews": "sentiment",
    "ag_news": "topic", "snli": "nli", "sick": "nli",
}  # fmt: skip
DEFAULT = ("sst2", "rotten_tomatoes", "customer_reviews", "ag_news")  # those that the stand-ins learn
SIBLING = {
    "sst2": "customer_reviews", "rotten_tomatoes": "customer_reviews", "customer_reviews": "sst2", "snli": "sick",
    "sick": "snli",
}  # fmt: skip
PAIR_TASKS = ("sick", "snli", "rte", "mrpc", "qqp", "stsb")
DRAWS = 5  # of the few labelled rows that FUTE gets
METRICS = ("ndcg", "ndcg_raw", "regret", "hit", "spearman", "ratio")
COLUMNS = (
    "model", "data", "method", "calibration", "answers", "labels", "ndcg", "ndcg_chance", "ndcg_raw",
    "ndcg_raw_chance", "regret", "regret_chance", "hit", "hit_chance", "spearman", "ratio", "ratio_chance", "accuracy",
)  # fmt: skip
"""``calibration`` is that of the scores, ``answers`` that of the predictions; ``labels`` what they cost."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One language model on one data set: ``truth`` int64[X] are the labels, ``accuracies`` float64[T]."""

    model: str
    data: str
    prompts: tuple[Prompt, ...]
    study: PromptStudy
    truth: np.ndarray
    pool: PromptReadings
    space: Space

    @property
    def kind(self) -> str:
        return KINDS[self.data]

    @property
    def readings(self) -> PromptReadings:
        return self.study.readings

    @property
    def accuracies(self) -> np.ndarray:
        return accuracy(self.readings, self.truth)


@cache
def rows_of(data: Path, name: str, split: str, count: int, seed: int = 0) -> Task:
    task = Task.from_file(data / "tasks" / name, split=split)
    return task.take(np.random.default_rng(seed).permutation(len(task))[:count])


@cache
def pool_for(data: Path, kind: str, size: int) -> Pool:
    """What FUTE's prompts answer: unlabelled texts, or pairs from the train rows of many tasks, labels dropped."""
    if kind != "nli":
        return draw(unlabelled(data), size, seed=0)
    return Pool.from_tasks([rows_of(data, name, "train", 2000) for name in PAIR_TASKS], size=size)


def cells_of(
    model: LocalModel, name: str, data: Path, datasets: list[str], rows: int, pool_size: int
) -> Iterator[Cell]:
    for dataset in datasets:
        prompts = read_prompts(KINDS[dataset]).prompts
        target = rows_of(data, dataset, "test", rows)
        study = study_prompts(prompts, target, model, ask_model=True)
        pool = pool_for(data, KINDS[dataset], pool_size)
        answers = study_prompts(prompts, pool, quick(model), content_free=False)
        truth = truth_of(study.readings, target.labels)
        space = Space(pool, surrogate=surrogate())
        print(f"{name} {dataset}: asked {study.cost.asked + answers.cost.asked} rows", flush=True)
        yield Cell(name, dataset, prompts, study, truth, answers.readings, space)


def quick(model: LocalModel) -> LocalModel:
    """The same model, which does not tell how likely the filled prompt is: the pool's answers need no perplexity."""
    return replace(model, perplexity=False)


@cache
def surrogate():
    return load_surrogate()


# What each method is worth in one cell.


def measured(cell: Cell, values: np.ndarray, truth: np.ndarray, **about: str) -> dict:
    found = evaluate(values, truth, twins=cell.readings.twins)
    raw = evaluate(values, truth, twins=cell.readings.twins, gain="raw")
    return {
        "model": cell.model, "data": cell.data, "calibration": "none", "answers": "none", "labels": "none", **about,
        "ndcg": found.ndcg, "ndcg_chance": found.ndcg_chance, "ndcg_raw": raw.ndcg, "ndcg_raw_chance": raw.ndcg_chance,
        "regret": 100 * found.regret, "regret_chance": 100 * found.regret_chance, "hit": found.hit,
        "hit_chance": found.hit_chance, "spearman": found.spearman, "ratio": found.ratio,
        "ratio_chance": found.ratio_chance, "accuracy": truth.max() - found.regret,
    }  # fmt: skip


def mean_of(lines: list[dict]) -> dict:
    numbers = {k: float(np.mean([line[k] for line in lines])) for k, v in lines[0].items() if not isinstance(v, str)}
    return {**lines[0], **numbers}


def scored(cell: Cell) -> Iterator[dict]:
    """Scores from unlabelled answers, for scores and predictions with and without calibration."""
    truths = {name: accuracy(calibrate(cell.readings, name), cell.truth) for name in CALIBRATIONS}
    for method in METHODS:
        for used in CALIBRATIONS:
            if method == "ppl" and used != "none":
                continue
            values = score(cell.readings, method, used).values
            for answers in {"none", used} if used != "none" else CALIBRATIONS:
                yield measured(cell, values, truths[answers], method=method, calibration=used, answers=answers)


def together(cell: Cell) -> Iterator[dict]:
    """What answers per row or by all prompts at once: only its accuracy counts, against the best single prompt's."""
    best = cell.accuracies.max()

    def line(predictions: np.ndarray, method: str, used: str = "none", answers: str = "none") -> dict:
        right = float((predictions == cell.truth).mean())
        return {
            "model": cell.model, "data": cell.data, "method": method, "calibration": used, "answers": answers,
            "labels": "none", "regret": 100 * (best - right), "ratio": right / best, "accuracy": right,
        }  # fmt: skip

    for method in ROW_METHODS:
        for used in CALIBRATIONS if method != "ppl_i" else ("none",):
            for answers in sorted({"none", used}):
                said = calibrate(cell.readings, answers)
                yield line(choose_per_row(cell.readings, method, used, answers=said).predictions, method, used, answers)
    for rule in ("zlp", "zpm", "zmv"):
        for keep in ("all", "confident"):
            for answers in CALIBRATIONS:
                votes = zps(calibrate(cell.readings, answers), rule, keep=keep).pseudo_labels
                name = f"all prompts together, {rule}" + ("" if keep == "all" else "_filtered")
                yield line(votes, name, answers, answers)


def signed_or_not(functions: AnswerFunctions, readings: PromptReadings, form: str) -> np.ndarray:
    return (functions.cosines if form == "cosine" else functions.signed)(readings.probs, readings.known)


def comparisons(cell: Cell, data: Path) -> Iterator[tuple[str, str, list[Task]]]:
    """Name, cost in labels, and the labelled data sets that prompts are compared with."""
    yield "own", "400 of the data set", [rows_of(data, cell.data, "train", 400)]
    if cell.data in SIBLING:
        yield "sibling", "400 of a sibling", [rows_of(data, SIBLING[cell.data], "train", 400)]
    yield "16 labels", "16 of the data set", [rows_of(data, cell.data, "train", 16, seed=1 + d) for d in range(DRAWS)]


def fute(cell: Cell, data: Path) -> Iterator[dict]:
    """Prompt against data set, both as answer functions: on the shared pool, or on the target's rows."""
    target = rows_of(data, cell.data, "test", len(cell.truth))
    for where, space, readings, inputs in (
        ("pool", cell.space, cell.pool, cell.space.pool.inputs),
        ("rows", Space(Pool(target.texts, target.text_pairs), surrogate=surrogate()), cell.readings, target.inputs),
    ):
        for name, labels, tasks in comparisons(cell, data):
            functions = [answer_functions(space, task, inputs, readings.labels) for task in tasks]
            for form in ("cosine", "signed"):
                for used in ("none", "cbm"):
                    said = calibrate(readings, used)
                    about = {"method": f"fute {form}, {name}, on {where}", "calibration": used, "labels": labels}
                    yield mean_of([
                        measured(cell, signed_or_not(f, said, form), cell.accuracies, **about) for f in functions
                    ])  # fmt: skip


def mixed(cell: Cell, data: Path) -> Iterator[dict]:
    """Ranks of FUTE against a sibling and of MI_G with CBM, added."""
    if cell.data not in SIBLING:
        return
    task = rows_of(data, SIBLING[cell.data], "train", 400)
    near = answer_functions(cell.space, task, cell.space.pool.inputs, cell.pool.labels)
    places = mean_ranks(near.signed(cell.pool.probs, cell.pool.known))
    places = places + mean_ranks(score(cell.readings, "mi_g", "cbm").values)
    about = {"method": "fute signed, sibling, on pool + mi_g with cbm", "labels": "400 of a sibling"}
    yield measured(cell, -places, cell.accuracies, **about)


def rivals(cell: Cell) -> Iterator[dict]:
    """No method at all, and methods that pay for labels."""
    count = len(cell.prompts)
    yield measured(cell, np.zeros(count), cell.accuracies, method="random prompt")
    yield measured(cell, -np.arange(count, dtype=float), cell.accuracies, method="order of the file")
    assert cell.study.own_order is not None
    yield measured(cell, cell.study.own_order[0], cell.accuracies, method="self_select")
    for k in (4, 8, 16, 32):
        drawn = few_labels(cell.readings, cell.truth, k)
        about = {"method": f"best on {k} labelled rows", "labels": f"{k} of the data set"}
        yield mean_of([measured(cell, v, rest, **about) for v, rest in zip(drawn.values, drawn.rest, strict=True)])


def borrowed(cells: list[Cell]) -> Iterator[dict]:
    """Blind priors: a prompt's accuracy under the other models on the same data, and on a sibling under the same."""
    by_place = {(cell.model, cell.data): cell for cell in cells}
    for cell in cells:
        others = [c.accuracies for c in cells if c.data == cell.data and c.model != cell.model]
        if others:
            about = {"method": "mean over the other models", "labels": "400 of the data set"}
            yield measured(cell, np.mean(others, axis=0), cell.accuracies, **about)
        sibling = by_place.get((cell.model, SIBLING.get(cell.data, "")))
        if sibling:
            about = {"method": "accuracy on a sibling", "labels": "400 of a sibling"}
            yield measured(cell, sibling.accuracies, cell.accuracies, **about)


# What the language model has seen of the prompts, and where the odd ones land.


def exposure(folder: Path, prompt: Prompt, kind: str) -> dict:
    """Train rows met in just this wording, rows answered by one of its words for the same label, nearest wording.

    ``near`` is the largest overlap (Jaccard, words of the template) with a wording that was met.
    """
    file = folder / "wordings.json"
    if not file.exists():
        return {"seen": "", "answers_seen": "", "near": ""}
    met = [w for w in json.loads(file.read_text())["wordings"] if w["kind"] == kind and w["rows"]]
    same = [w for w in met if w["template"] == prompt.template and dict_of(w["answers"]) == dict(prompt.answers)]
    shared = [w for w in met if all(set(w["answers"].get(k, ())) & set(v) for k, v in prompt.answers.items())]
    words = words_of(prompt.template)
    near = max(len(words & words_of(w["template"])) / len(words | words_of(w["template"])) for w in met)
    seen = sum(w["rows"] for w in same)
    return {"seen": seen, "answers_seen": sum(w["rows"] for w in shared), "near": round(near, 3)}


def dict_of(answers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {label: tuple(words) for label, words in answers.items()}


def words_of(template: str) -> set[str]:
    return set(re.findall(r"\w+", template.lower()))


def accuracy_lines(cell: Cell, folder: Path) -> Iterator[dict]:
    calibrated = {n: accuracy(calibrate(cell.readings, n), cell.truth) for n in CALIBRATIONS if n != "none"}
    for t, prompt in enumerate(cell.prompts):
        yield {
            "model": cell.model, "data": cell.data, "prompt": prompt.name,
            "accuracy": round(float(cell.accuracies[t]), 4),
            **{name: round(float(a[t]), 4) for name, a in calibrated.items()},
            "coverage": round(float(np.median(cell.readings.coverage[t])), 4),
            **exposure(folder, prompt, cell.kind), "note": prompt.note,
        }  # fmt: skip


def odd_places(cell: Cell, data: Path) -> list[dict]:
    """For each contradictory or ambiguous prompt its place (1 is first) by truth and by a few methods."""
    task = rows_of(data, cell.data, "train", 400)
    functions = answer_functions(cell.space, task, cell.space.pool.inputs, cell.pool.labels)
    values = {"truth": cell.accuracies}
    values |= {m: score(cell.readings, m).values for m in METHODS}
    values |= {f"{m} with cbm": score(cell.readings, m, "cbm").values for m in ("mi", "mi_g", "zlp")}
    values |= {f"fute {f}": signed_or_not(functions, cell.pool, f) for f in ("cosine", "signed")}
    places = {name: mean_ranks(v) for name, v in values.items()}
    return [
        {"prompt": p.name, "note": p.note, "of": len(cell.prompts), **{n: float(r[t]) for n, r in places.items()}}
        for t, p in enumerate(cell.prompts)
        if is_odd(p)
    ]


def neighbours(cell: Cell, model: LocalModel) -> list[dict]:
    """Each odd prompt's two nearest prompts by embedding, and whether they agree class by class (trace form)."""
    points = [cell.space.embed(from_prompt(prompt, quick(model))) for prompt in cell.prompts]
    answers = cell.pool.probs - cell.pool.probs.mean(axis=1, keepdims=True)
    flat = answers.reshape(len(points), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    found = []
    for t, prompt in enumerate(cell.prompts):
        if is_odd(prompt):
            cosines = [-2.0 if o == t else points[t].similarity(points[o]) for o in range(len(points))]
            near = np.argsort(cosines)[::-1][:2]
            found += [
                {"model": cell.model, "kind": cell.kind, "prompt": prompt.name, "near": cell.prompts[o].name,
                 "cosine": round(float(cosines[o]), 3), "signed": round(float(flat[t] @ flat[o]), 3)}
                for o in near
            ]  # fmt: skip
    return found


# The report.


def summary(lines: list[dict]) -> list[dict]:
    """Means over cells with 95 % bootstrap intervals, best NDCG first; ``over_chance`` is the paired difference."""
    groups = defaultdict(list)
    for line in lines:
        groups[line["method"], line["calibration"], line["answers"], line["labels"].split(" of ")[0]].append(line)
    rng = np.random.default_rng(0)
    table = []
    for (method, used, answers, labels), own in groups.items():
        row = {"method": method, "calibration": used, "answers": answers, "labels": labels, "cells": len(own)}
        picks = rng.integers(len(own), size=(4000, len(own)))
        for metric in (m for m in METRICS if m in own[0]):
            values = np.array([line[metric] for line in own])
            row[metric] = interval(values, picks)
            if f"{metric}_chance" in own[0]:
                chance = np.array([line[f"{metric}_chance"] for line in own])
                row[f"{metric}_chance"] = round(float(chance.mean()), 4)
                row[f"{metric}_over_chance"] = interval(values - chance, picks)
        row["accuracy"] = round(float(np.mean([line["accuracy"] for line in own])), 4)
        table.append(row)
    return sorted(table, key=lambda row: -row["ndcg"][0] if "ndcg" in row else 1 + row["regret"][0])


def interval(values: np.ndarray, picks: np.ndarray) -> list[float]:
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return [round(float(x), 4) for x in (values.mean(), low, high)]


def published(data: Path) -> dict:
    """What 100 published accuracies allow: no texts and no probabilities, so no selector can be run on them.

    Chance, and the rival that pays for labels: each prompt's score on k rows is drawn from a binomial
    (rows apart per prompt; on shared rows prompts err together, and the rival does a little better).
    """
    with (data / "published" / "ups_sst2_prompts.csv").open() as file:
        truth = np.array([float(row["score"]) for row in csv.DictReader(file)])
    rng = np.random.default_rng(0)
    rivals = {}
    for k in (0, 4, 8, 16, 32, 64, 128, 1000):
        # No rows, no scores: all equal, which is exact chance.
        draws = rng.binomial(k, truth, size=(300, len(truth))) / max(k, 1) if k else np.zeros((1, len(truth)))
        found = [evaluate(values, truth) for values in draws]
        rivals[str(k)] = {
            "ndcg": round(float(np.mean([f.ndcg for f in found])), 4),
            "ndcg_exp": round(float(np.mean([ndcg(truth, values, gain="exp") for values in draws])), 4),
            "regret": round(100 * float(np.mean([f.regret for f in found])), 2),
            "hit": round(float(np.mean([f.hit for f in found])), 4),
            "spearman": round(float(np.mean([f.spearman for f in found])), 4),
            "ratio": round(float(np.mean([f.ratio for f in found])), 4),
        }
    about = {"prompts": len(truth), "mean": truth.mean(), "best": truth.max(), "worst": truth.min(), "std": truth.std()}
    return {**{k: round(float(v), 4) for k, v in about.items()}, "best_on_k_labelled_rows": rivals}


def write_csv(file: Path, lines: list[dict], columns: tuple[str, ...]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()})


def shown(table: list[dict]) -> list[dict]:
    """The lines of the printed table and the picture: predictions as the model gives them."""
    return [row for row in table if row["answers"] == "none" and "ndcg" in row]


def print_table(table: list[dict]) -> None:
    for row in shown(table):
        named = row["method"] + ("" if row["calibration"] == "none" else f" [{row['calibration']}]")
        numbers = "  ".join(f"{m} {row[m][0]:.3f}" for m in METRICS)
        print(f"{named:<52}{numbers}  ndcg 95 % {row['ndcg'][1:]}, chance {row['ndcg_chance']:.3f}")


def figure(file: Path, table: list[dict], accuracies: list[dict]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in shown(table) if row["method"] != "random prompt"]
    plain = {row["method"]: row for row in rows if row["calibration"] == "none"}
    names = sorted(plain, key=lambda name: plain[name]["ndcg_over_chance"][0])
    colours = {"none": "#333333", "cc": "#4c78a8", "cbm": "#f58518", "pmi_dc": "#54a24b"}
    picture = plt.figure(figsize=(13, 4.2 + 0.27 * len(names)), layout="constrained")
    top, bottom = picture.subfigures(2, 1, height_ratios=[3.6, 0.27 * len(names) + 0.6])
    strips(top.subplots(), accuracies)
    left, right = bottom.subplots(1, 2, sharey=True)
    for axes, metric, sign, label in (
        (left, "ndcg", 1, "NDCG (linear gain) above chance"),
        (right, "regret", -1, "accuracy points of the first choice above a random prompt"),
    ):
        for used, colour in colours.items():
            own = {
                row["method"]: sign * np.array(row[f"{metric}_over_chance"])
                for row in rows
                if row["calibration"] == used
            }
            y = np.array([i for i, name in enumerate(names) if name in own])
            x = np.array([own[names[i]] for i in y])
            low, high = x[:, 1:].min(axis=1), x[:, 1:].max(axis=1)
            shift = list(colours).index(used) * 0.17 - 0.25
            axes.errorbar(
                x[:, 0], y - shift, xerr=[x[:, 0] - low, high - x[:, 0]], fmt="o", ms=3.5, lw=0.8, color=colour,
                label={"none": "no calibration"}.get(used, used),
            )  # fmt: skip
        axes.axvline(0, color="#e45756", ls="--", label="chance")
        axes.set(xlabel=f"{label}\n(mean and 95 % over cells)", ylim=(-0.8, len(names) - 0.2))
        axes.grid(axis="y", lw=0.3)
    left.set_yticks(range(len(names)), [labelled(plain[name]) for name in names], fontsize=8)
    left.legend(loc="lower right", fontsize=8)
    right.set_title("* costs labels", fontsize=8, loc="right")
    picture.savefig(file, dpi=110)
    plt.close(picture)


def labelled(row: dict) -> str:
    return row["method"] + ("" if row["labels"] == "none" else " *")


def strips(axes, lines: list[dict]) -> None:
    """Accuracy of every prompt, a column per model and data set."""
    places = list(dict.fromkeys((line["data"], line["model"]) for line in sorted(lines, key=order_of)))
    kinds = {
        "met in training": ("#4c78a8", "o"), "not met": ("#bbbbbb", "o"),
        "contradictory or ambiguous": ("#e45756", "x"),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for name, (colour, mark) in kinds.items():
        own = [line for line in lines if sort_of(line) == name]
        x = [places.index((line["data"], line["model"])) + rng.uniform(-0.25, 0.25) for line in own]
        axes.scatter(x, [line["accuracy"] for line in own], color=colour, marker=mark, s=22, label=name)
    axes.set_xticks(range(len(places)), [f"{d}\n{m}" for d, m in places], fontsize=7)
    axes.set(ylabel="accuracy of a prompt", ylim=(0, 1))
    axes.grid(axis="y", lw=0.3)
    axes.legend(fontsize=8, ncols=3, loc="upper right")


def order_of(line: dict) -> tuple[int, str]:
    return list(KINDS).index(line["data"]), line["model"]


def sort_of(line: dict) -> str:
    if line["note"].startswith(("contradictory", "ambiguous")):
        return "contradictory or ambiguous"
    return "met in training" if line["seen"] else "not met"


def exposure_effect(lines: list[dict]) -> dict[str, dict[str, float]]:
    """Mean accuracy of sound prompts met in training, of those not met, and of odd ones, per data set."""
    groups = defaultdict(lambda: defaultdict(list))
    for line in lines:
        groups[line["data"]][sort_of(line)].append(line["accuracy"])
    return {data: {k: round(float(np.mean(v)), 4) for k, v in sorts.items()} for data, sorts in groups.items()}


def calibrated_predictions(lines: list[dict]) -> dict[str, dict[str, list[float]]]:
    """Accuracy of the mean prompt and of the best, averaged over models, for each calibration of the predictions."""
    found: dict[str, dict[str, list[float]]] = {}
    for data in dict.fromkeys(line["data"] for line in lines):
        of_data = [line for line in lines if line["data"] == data]
        models = sorted({line["model"] for line in of_data})
        found[data] = {}
        for used in CALIBRATIONS:
            column = "accuracy" if used == "none" else used
            cells = [[line[column] for line in of_data if line["model"] == model] for model in models]
            found[data][used] = [round(float(np.mean([pick(c) for c in cells])), 4) for pick in (np.mean, np.max)]
    return found


def shared_rows(cells: list[Cell]) -> dict[str, int]:
    """Test rows that two data sets have in common: their cells are not quite apart."""
    rows = {cell.data: set(cell.readings.rows) for cell in cells}
    pairs = combinations(rows, 2)
    return {f"{a} {b}": len(rows[a] & rows[b]) for a, b in pairs if rows[a] & rows[b]}


def models_of(args: argparse.Namespace) -> list[tuple[str, str]]:
    if args.model:
        return [(Path(model).name, model) for model in args.model]
    return [(f"seed {s}", str(stand_in(s, args.data, args.models))) for s in args.seeds]


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", nargs="*", help="Hub ids or folders; default: the stand-ins")
    parser.add_argument("--models", type=Path, default=MODELS, help="where the stand-ins are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--pool", type=int, default=500)
    return parser


def main() -> None:
    parser = options()
    parser.add_argument("--datasets", nargs="+", default=list(DEFAULT))
    parser.add_argument("--only-read", action="store_true", help="ask the model and keep the answers; no report")
    args = parser.parse_args()
    cells, prompts, near = [], [], []
    for name, where in models_of(args):
        model = load_language_model(where)
        for cell in cells_of(model, name, args.data, args.datasets, args.rows, args.pool):
            cells.append(cell)
            prompts += accuracy_lines(cell, Path(where))
            if not args.only_read and cell.kind not in {n["kind"] for n in near if n["model"] == name}:
                near += neighbours(cell, model)
    if args.only_read:
        return
    report(cells, prompts, near, args)


def report(cells: list[Cell], prompts: list[dict], near: list[dict], args: argparse.Namespace) -> None:
    lines: list[dict] = []
    for cell in cells:
        for part in (scored(cell), together(cell), fute(cell, args.data), mixed(cell, args.data), rivals(cell)):
            lines += part
        print(f"scored {cell.model} {cell.data}", flush=True)
    lines += borrowed(cells)
    table = summary(lines)
    print_table(table)
    name = "prompt_choice" + (f"_{'_'.join(sorted({c.model for c in cells}))}" if args.model else "")
    write_csv(RESULTS / f"{name}.csv", lines, COLUMNS)
    write_csv(RESULTS / f"{name}_accuracy.csv", prompts, tuple(prompts[0]))
    figure(RESULTS / f"{name}.png", table, prompts)
    about = {"models": sorted({c.model for c in cells}), "rows": args.rows, "pool": args.pool, "cells": len(cells)}
    about["majority"] = {c.data: round(float(np.bincount(c.truth).max() / len(c.truth)), 4) for c in cells}
    about["rows_in_common"] = shared_rows(cells)
    odd = [{"model": c.model, "data": c.data, **place} for c in cells for place in odd_places(c, args.data)]
    replies = {f"{c.model} {c.data}": c.study.own_order[1][:80] for c in cells if c.study.own_order}
    write(name, {
        **about, "table": [row for row in table if row["answers"] == "none"],
        "calibrated_predictions": calibrated_predictions(prompts),
        "exposure": exposure_effect(prompts), "odd_prompts": mean_places(odd),
        "odd_neighbours": near, "self_select_replies": replies, "published_100_prompts": published(args.data),
    })  # fmt: skip


def mean_places(odd: list[dict]) -> list[dict]:
    """Mean place of each odd prompt over the cells it stands in."""
    groups = defaultdict(list)
    for place in odd:
        groups[KINDS[place["data"]], place["prompt"]].append(place)
    return [
        {"kind": kind, "prompt": prompt, "note": own[0]["note"], "of": own[0]["of"],
         **{k: round(float(np.mean([o[k] for o in own])), 2) for k in own[0] if isinstance(own[0][k], float)}}
        for (kind, prompt), own in groups.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
