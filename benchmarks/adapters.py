"""Does an adapter find its other half?  In weight space and through its model's answers, from one beginning and others.

LoRA (rank 4, upper three layers) of MiniLM is trained on two halves of the rows of six tasks of three kinds: once with
all factors begun at the same random numbers, once with others for each.  Per view of an adapter (cosine of the factors
as they lie in the file, exact cosine of the differences, of their sketches, of the answers on unlabelled texts) the
other adapters of the same beginning are ranked: mean reciprocal rank of the other half, and of the best adapter of the
same kind of task, other halves left out.  MBC clusters are compared with tasks and kinds (adjusted Rand index: 0 by
chance, 1 alike).

    python benchmarks/adapters.py --out FOLDER        # resumable; about ten minutes on one idle core

What was trained lies in FOLDER; findings go to results/adapters.json, a figure to .png.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from _common import DATA, RESULTS, draw, unlabelled, write
from taskspace import Space, Task, TaskEmbedding
from taskspace.labelers import from_hub
from taskspace.merging import TaskVector
from taskspace.merging.library import clusters
from taskspace.merging.likeness import cosines
from taskspace.merging.sketch import DIMS
from taskspace.surrogates import DEFAULT_SURROGATE, load_surrogate

TASKS = {
    "sst2": "sentiment", "customer_reviews": "sentiment", "ag_news": "topic", "reuters_r8": "topic",
    "tweet_offensive": "hate", "tweet_hate": "hate",
}  # fmt: skip
BEGINNINGS = ("same", "other")
ROWS, TEST, POOL, LENGTH = 192, 200, 300, 24
EPOCHS, BATCH, RATE, RANK, BELOW = 10, 16, 5e-3, 4, 3
VIEWS = ("factors", "differences", "sketches", "answers")


@dataclass(frozen=True)
class Half:
    """One adapter: a task, which half of its rows (0 or 1), and whose beginning."""

    task: str
    half: int
    beginning: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.half}-{self.beginning}"

    @property
    def seed(self) -> int:
        """Of the factors; rows come in an order of their own in any case."""
        return 0 if self.beginning == "same" else 1 + 2 * list(TASKS).index(self.task) + self.half


def halves(beginning: str) -> list[Half]:
    return [Half(task, half, beginning) for task in TASKS for half in (0, 1)]


@dataclass
class Bench:
    out: Path

    @cached_property
    def surrogate(self):
        return load_surrogate(max_length=LENGTH, cache=False)

    @cached_property
    def base(self) -> Path:
        return self.surrogate.located.folder

    @cached_property
    def space(self) -> Space:
        return Space(draw(unlabelled(DATA), POOL, 0), surrogate=self.surrogate)

    def rows(self, half: Half) -> tuple[Task, Task]:
        """Half of the rows to train on, and rows to test with that are the same for both halves."""
        both = Task.from_file(DATA / "tasks" / half.task, split="train", name=half.task, limit=2 * ROWS, seed=0)
        order = np.random.default_rng(0).permutation(len(both))
        test = Task.from_file(DATA / "tasks" / half.task, split="test", name=half.task, limit=TEST, seed=0)
        return both.take(order[half.half :: 2]), test

    def folder(self, half: Half) -> Path:
        folder = self.out / half.name
        if not (folder / "accuracy.json").exists():
            accuracy = self.train(half, folder)
            (folder / "accuracy.json").write_text(json.dumps(accuracy))
            print("trained", half.name, round(accuracy, 3), flush=True)
        return folder

    def train(self, half: Half, folder: Path) -> float:
        import peft
        from transformers import AutoModelForSequenceClassification

        train, test = self.rows(half)
        model = AutoModelForSequenceClassification.from_pretrained(self.base, num_labels=len(train.label_names)).eval()
        states, seen = self.lower(model, train), self.lower(model, test)
        torch.manual_seed(half.seed)
        told = peft.LoraConfig(
            r=RANK, lora_alpha=2 * RANK, task_type="SEQ_CLS", target_modules=["query", "value"],
            layers_to_transform=list(range(BELOW, 6)),
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # transformers tells peft of a name that will go
            model = peft.get_peft_model(model, told)
        model.peft_config["default"].base_model_name_or_path = DEFAULT_SURROGATE
        torch.manual_seed(100 + half.half + 2 * list(TASKS).index(half.task))  # the order of the rows
        parts = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parts, lr=RATE)
        steps = EPOCHS * -(-len(train) // BATCH)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        wanted = torch.tensor(train.labels.codes, dtype=torch.long)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(train)).split(BATCH):
                loss = torch.nn.functional.cross_entropy(upper(model, states, rows), wanted[rows])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parts, 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        with torch.inference_mode():
            found = upper(model, seen, torch.arange(len(test))).argmax(1).numpy()
        model.save_pretrained(folder)
        codes = [train.label_names.index(test.label_names[code]) for code in test.labels.codes]
        return float(np.mean(found == codes))

    def lower(self, model, rows: Task) -> tuple[torch.Tensor, torch.Tensor]:
        """What the layers that are not trained make of all rows, [n, tokens, hidden], and the mask of what is read."""
        told = {"truncation": True, "max_length": LENGTH, "padding": "max_length", "return_tensors": "pt"}
        tokens = self.tokenizer(list(rows.inputs.texts), **told)
        with torch.no_grad():
            return model(**tokens, output_hidden_states=True).hidden_states[BELOW], tokens["attention_mask"]

    @cached_property
    def tokenizer(self):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.base)

    def vector(self, half: Half) -> TaskVector:
        """The difference of the body; heads of other labels have nothing in common."""
        return TaskVector.from_peft(self.folder(half), base=self.base, name=half.name, ignore=["classifier.*"])

    def answered(self, half: Half) -> TaskEmbedding:
        """The second view, kept in a file."""
        path = self.out / f"{half.name}.safetensors"
        if not path.exists():
            labeler = from_hub(self.folder(half), name=half.name, max_length=LENGTH)
            self.space.embed(labeler).save(path)
        return TaskEmbedding.load(path)

    def views(self, beginning: str) -> dict[str, np.ndarray]:
        """float64[12, 12]: how alike two adapters are, by view."""
        vectors = [self.vector(half) for half in halves(beginning)]
        found = {
            by: np.asarray(clusters(vectors, len(TASKS), by=by, directions=len(vectors)).cosines)
            for by in ("factors", "sketches")
        }
        points = [self.answered(half) for half in halves(beginning)]
        answers = np.array([[one.similarity(two) for two in points] for one in points])
        return {"factors": found["factors"], "differences": cosines(vectors), "sketches": found["sketches"],
                "answers": answers}  # fmt: skip


def upper(model, lower: tuple[torch.Tensor, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """float[rows, labels]: the rest of the model."""
    states, mask = lower[0][rows], lower[1][rows]
    hidden = (1.0 - mask[:, None, None, :]) * -1e9
    inner = model.base_model.model
    for layer in inner.bert.encoder.layer[BELOW:]:
        states = layer(states, hidden)
    return inner.classifier(inner.bert.pooler(states))


def reciprocal_ranks(alike: np.ndarray, wanted) -> list[float]:
    """Per adapter 1 over the place of the first that is ``wanted`` among those that may come, best first."""
    found = []
    for i, row in enumerate(alike):
        order = [j for j in np.argsort(-row, kind="stable") if j != i and wanted(i, j) is not None]
        found.append(next(1 / place for place, j in enumerate(order, 1) if wanted(i, j)))
    return found


def by_chance(wanted, n: int, draws: int = 2000) -> float:
    generator = np.random.default_rng(0)
    return float(np.mean([np.mean(reciprocal_ranks(generator.random((n, n)), wanted)) for _ in range(draws)]))


def measured(bench: Bench, beginning: str) -> dict:
    from sklearn.metrics import adjusted_rand_score

    group = halves(beginning)

    def other_half(i: int, j: int) -> bool:
        return group[i].task == group[j].task

    def same_kind(i: int, j: int) -> bool | None:
        """Other halves are left out."""
        return None if other_half(i, j) else TASKS[group[i].task] == TASKS[group[j].task]

    tasks = [half.task for half in group]
    kinds = [TASKS[task] for task in tasks]
    alike = bench.views(beginning)
    vectors = [bench.vector(half) for half in group]
    points = [bench.answered(half) for half in group]
    found: dict[str, dict] = {}
    for view in VIEWS:
        of = {"answers": {"vectors": points}}.get(view, {"vectors": vectors, "by": view})
        six, three = (clusters(k=k, **of) for k in (6, 3))
        pairs = [(i, j) for i in range(len(group)) for j in range(i)]
        halves_of = [alike[view][i, j] for i, j in pairs if other_half(i, j)]
        others = [alike[view][i, j] for i, j in pairs if not other_half(i, j)]
        found[view] = {
            "mrr_other_half": round(float(np.mean(reciprocal_ranks(alike[view], other_half))), 4),
            "mrr_same_kind": round(float(np.mean(reciprocal_ranks(alike[view], same_kind))), 4),
            "cosine_halves": round(float(np.mean(halves_of)), 4),
            "cosine_others": round(float(np.mean(others)), 4),
            "rand_tasks": round(float(adjusted_rand_score(tasks, six.labels)), 4),
            "rand_kinds": round(float(adjusted_rand_score(kinds, three.labels)), 4),
            "silhouette": {"6": round(six.silhouette, 4), "3": round(three.silhouette, 4)},
        }
    error = np.abs(alike["sketches"] - alike["differences"])[np.triu_indices(len(group), 1)]
    chance = {"mrr_other_half": round(by_chance(other_half, len(group)), 4),
              "mrr_same_kind": round(by_chance(same_kind, len(group)), 4), "rand": 0.0}  # fmt: skip
    accuracy = {half.name: json.loads((bench.folder(half) / "accuracy.json").read_text()) for half in group}
    return {"views": found, "chance": chance, "sketch_error": {"mean": round(float(error.mean()), 5),
            "largest": round(float(error.max()), 5)}, "accuracy": accuracy}  # fmt: skip


def figure(bench: Bench) -> None:
    """How alike all adapters are, by view and beginning."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 6), layout="constrained")
    axes = drawn.subplots(len(BEGINNINGS), len(VIEWS))
    for row, beginning in zip(axes, BEGINNINGS, strict=True):
        for cell, (view, values) in zip(row, bench.views(beginning).items(), strict=True):
            shown = cell.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
            cell.set_title(f"{view}, {beginning} beginning", fontsize=9)
            cell.set_xticks([])
            cell.set_yticks(range(0, 12, 2), list(TASKS) if cell is row[0] else [], fontsize=7)
    drawn.colorbar(shown, ax=axes, shrink=0.6, label="cosine")
    drawn.savefig(RESULTS / "adapters.png", dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=BEGINNINGS, help="train and embed those alone, and report nothing")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.out)
    for half in halves(given.only) if given.only else ():
        bench.answered(half)
    if given.only:
        return
    found = {beginning: measured(bench, beginning) for beginning in BEGINNINGS}
    settings = {
        "tasks": TASKS,
        "rows": ROWS,
        "epochs": EPOCHS,
        "rate": RATE,
        "rank": RANK,
        "below": BELOW,
        "pool": POOL,
        "dims": DIMS,
    }
    write("adapters", {"settings": settings, "beginnings": found})
    figure(bench)
    for beginning, of in found.items():
        for view, figures in of["views"].items():
            print(f"{beginning:6} {view:12} {figures}")
        print(beginning, "chance", of["chance"], "sketch error", of["sketch_error"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
