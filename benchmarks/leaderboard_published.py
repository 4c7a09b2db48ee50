"""The leaderboard on tables that others measured: soft prompts, MMLU subjects in context, and model recycling.

Each table is judged as `taskspace bench rank` judges a ground truth of its own: every target is left out in turn, and
what orders its sources has seen nothing that was measured on it.

* Soft prompts of Su et al. 2022 on roberta-base and t5-small.  A task's vector is its tuned prompt, averaged over
  tokens; gains are over the untrained prompt.
* BenTo's 57 x 57 MMLU subjects (Llama-2-13b, examples of one subject, questions of another).  There is no score
  without examples, so a gain is over the mean of the target's other sources, and what is calibrated are such gains.
  The likeness of two subjects is that of their rows: how the examples of each serve all *other* subjects, double
  centred, without the column of the target, of a subject left out, or of either itself.  So it asks for a model and the
  target's examples, and for none of its questions.
* 386 public checkpoints x 36 data sets of model recycling, gains over plain roberta-base.  Nothing is known of a
  checkpoint but what it did elsewhere, and a linear probe on MNLI.  Then also: how much is gained when some sources
  were already measured on the target.

    python benchmarks/leaderboard_published.py                # minutes
    python benchmarks/leaderboard_published.py recycling
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from _common import DATA, RESULTS, write
from taskspace.bench.rank import Embedded, Folds, GroundTruth, Recipe, leaderboard, write_report
from taskspace.bench.rank.decisions import Advice, decided
from taskspace.ranking.history import Transfers, read_rows
from taskspace.ranking.signals import Signal, Vectors, signal_named, signals_of

MEASURED = (0, 1, 2, 5, 10, 20, 50, 100)
DRAWS = 5


def answer(*parts: Signal, name: str = "answer:data", about: str = "all of them together") -> Recipe:
    return Recipe(name, about, parts)


def controls() -> list[Signal]:
    return [signal_named(name) for name in ("prior", "prior+ranks", "random")]


def prompts(data: Path, model: str):
    """The ground truth of one backbone, and what is scored on it."""
    from safetensors.numpy import load_file

    transfers = Transfers.read(data / "prompt_transfer.csv", model=model, none="random")
    pooled = {name: tokens.mean(axis=0) for name, tokens in load_file(data / f"prompts_{model}.safetensors").items()}
    width = len(next(iter(pooled.values())))
    ground = GroundTruth(transfers=transfers, vectors={"prompt": Embedded(pooled, pooled, (("pooled", width),))})
    own = {signal.name: signal for signal in signals_of("prompt") if not signal.name.endswith("+rrf")}
    recipe = answer(own["prompt"], own["prompt+neighbours"], signal_named("prior+ranks"))
    return ground, [*own.values(), *controls()], [recipe]


@dataclass(frozen=True, eq=False)
class Rows:
    """A task as how it serves the others: its row of scores, double centred; no cell of a hidden column or its own."""

    transfers: Transfers

    def vectors(self, target, sources, pivots, hidden):
        place = {name: i for i, name in enumerate(self.transfers.sources)}
        seen = [i for i, name in enumerate(self.transfers.targets) if name not in hidden]
        cells = np.where(self.transfers.self_cells, np.nan, self.transfers.mean)[:, seen]
        cells = cells - np.nanmean(cells, axis=0)
        rows = np.nan_to_num(cells - np.nanmean(cells, axis=1, keepdims=True), nan=0.0).astype(np.float32)
        of = lambda names: rows[[place[name] for name in names]]  # noqa: E731
        return Vectors(of([target])[0], of(sources), (("row", len(seen)),), of(pivots))


def bento(data: Path):
    transfers = Transfers.read(data / "bento_mmlu.csv")
    ground = GroundTruth(transfers=transfers, vectors={"rows": Rows(transfers)})
    # Rows of the table hang on what is left out of it.
    own = {s.name: replace(s, needs=(*dict.fromkeys((*s.needs, "transfers")),)) for s in signals_of("rows")
           if not s.name.endswith("+rrf")}  # fmt: skip
    recipe = answer(own["rows"], own["rows+neighbours"], signal_named("prior+ranks"))
    return ground, [*own.values(), *controls()], [recipe]


def recycling(data: Path):
    rows = read_rows(data / "model_recycling_roberta_base.csv.gz")
    probe = {row.source: row.score for row in rows if row.target == "mnli_lp"}
    fractions = [
        replace(row, score=row.score / 100, baseline=None if row.baseline is None else row.baseline / 100, metric=None)
        for row in rows
        if row.target != "mnli_lp"
    ]
    about = "accuracy of a linear probe on MNLI"
    lp = Signal("mnli_lp", about, ("source model",), "none", lambda q: np.array([probe[name] for name in q.names]))
    prior = signal_named("prior+ranks")
    recipes = [answer(prior, lp), answer(prior, name="answer:prior", about="the prior alone")]
    return GroundTruth(transfers=Transfers.of(fractions)), [lp, *controls()], recipes


def partly_measured(ground: GroundTruth, recipe: Recipe) -> list[dict]:
    """What is predicted for the rest when some sources were tried on the target already: `answer(measured=…)`."""
    folds = Folds(ground)
    found = []
    predicted = [(t, folds.predictor(recipe, (t,)), folds.table(recipe, t)) for t in ground.targets]
    for count in MEASURED:
        advice = []
        for number, (target, predictor, table) in enumerate(predicted):
            truth, scores = ground.gains(target, ground.candidates(target)), predictor.scores(table)
            for draw in range(DRAWS if count else 1):
                chosen = np.random.default_rng([number, draw]).permutation(len(truth))[:count]
                measured = np.full(len(truth), np.nan)
                measured[chosen] = truth[chosen]
                gains = predictor.line.predict(scores, measured)
                rest = np.flatnonzero(np.isnan(measured))
                advice.append(Advice.of(truth[rest], [gains[i] for i in rest]))
        said = decided(advice)
        found.append({
            "measured": count, "error": said.error, "width": said.width, "coverage": said.coverage.mean,
            "auc_helps": said.auc, "brier": said.brier, "brier_of_share": said.brier_of_share,
        })  # fmt: skip
        print("  ".join(f"{key} {value:.4g}" for key, value in found[-1].items()), flush=True)
    return found


TABLES = {
    "roberta_prompts": (lambda data: prompts(data, "roberta-base"), "Soft prompts on roberta-base"),
    "t5_prompts": (lambda data: prompts(data, "t5-small"), "Soft prompts on t5-small"),
    "bento": (bento, "MMLU subjects in context (BenTo)"),
    "recycling": (recycling, "Model recycling on roberta-base"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help=f"some of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    for name in given.tables or TABLES:
        make, title = TABLES[name]
        ground, signals, recipes = make(given.data / "published")
        board = leaderboard(
            ground, signals, recipes, title=title, target_rows=0, source_rows=0, tell=partial(print, flush=True)
        )  # fmt: skip
        print(write_report(board, RESULTS, name=f"leaderboard_{name}").read_text())
        if name == "recycling":
            write("leaderboard_recycling_measured", {"rows": partly_measured(ground, recipes[0])})


if __name__ == "__main__":
    main()
