"""What every contender of ``rivals.py`` is given: rows, checkpoints, features; each made once and kept."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from taskspace import Task
from taskspace.ranking.history import NO_TRANSFER, Transfers
from taskspace.surrogates import DEFAULT_SURROGATE, Surrogate, load_surrogate, locate
from taskspace.tuning.splits import k_shot, split

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.task import Inputs

BASE = "base"
"""The checkpoint that no source has changed."""

MAX_LENGTH = 40
"""Tokens of a text that sources were tuned on, and that every contender reads."""

SOURCE_ROWS = 1000
"""Rows that a source was tuned on at most; its maps and vectors are made from the same ones."""


@dataclass(frozen=True)
class Kept:
    """A folder of things made once: ``data`` has the tasks, ``truth`` the measured transfers and tuned weights."""

    data: Path
    truth: Path
    work: Path
    feature_folder: Path

    def rows(self, task: str, most: int) -> Path:
        """The first ``most`` of a task's training rows, drawn as the ground truth drew them with seed 0."""
        path = self.work / "rows" / f"{task}__{most}.json"
        if not path.exists():
            for count in sorted({most, 128, SOURCE_ROWS}):  # the reading is what takes time
                drawn = k_shot(self._train(task), min(count, self._distinct(task)), seed=0)
                about = {"texts": drawn.inputs.texts, "pairs": drawn.inputs.pairs}
                _write(path.with_name(f"{task}__{count}.json"), {**about, "labels": drawn.labels.codes.tolist()})
        return path

    def task(self, task: str, most: int) -> Task:
        """Those rows as a task."""
        kept = json.loads(self.rows(task, most).read_text())
        return Task(kept["texts"], [f"class {code}" for code in kept["labels"]], kept["pairs"], name=task)

    def labels(self, task: str, most: int) -> np.ndarray:
        """int64[n]: their class codes."""
        return np.array(json.loads(self.rows(task, most).read_text())["labels"])

    def tuned(self, source: str) -> Path:
        """The weights that tuning on a source changed."""
        return self.truth / "models" / f"{source}.safetensors"

    def checkpoint(self, source: str) -> Path:
        """A source as an ordinary model folder, as its owner would have saved it.

        hf-dataset-selector takes the mean over tokens, which these models were tuned with, only where the path says
        ``sentence-transformers``; the tokenizer says how many tokens are read.
        """
        folder = self.work / "sentence-transformers" / source
        if not (folder / "model.safetensors").exists():
            original = locate(DEFAULT_SURROGATE).folder
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("config.json", "tokenizer.json", "vocab.txt", "special_tokens_map.json"):
                shutil.copyfile(original / name, folder / name)
            words = json.loads((original / "tokenizer_config.json").read_text())
            _write(folder / "tokenizer_config.json", {**words, "model_max_length": MAX_LENGTH})
            tensors = load_file(original / "model.safetensors")
            changed = {} if source == BASE else load_file(self.tuned(source))
            body = {name: tensor for name, tensor in changed.items() if not name.startswith("head.")}
            assert body.keys() <= tensors.keys(), body.keys() - tensors.keys()
            save_file(tensors | body, folder / "partial", {"format": "pt"})
            (folder / "partial").rename(folder / "model.safetensors")
        return folder

    def features_path(self, source: str, task: str, most: int) -> Path:
        """Where the features of a task's rows by a source are kept."""
        return self.feature_folder / f"{source}__{task}__{most}.npy"

    def features(self, source: str, task: str, most: int) -> np.ndarray:
        """float32[n, 384]: the mean last-layer state of each row."""
        path = self.features_path(source, task, most)
        if not path.exists():
            found = self.reader(source).last_states(self.task(task, most).inputs)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".partial").open("wb") as file:
                np.save(file, found)
            path.with_suffix(".partial").rename(path)
        return np.load(path)

    def reader(self, source: str) -> Surrogate:
        """The checkpoint, ready to read texts."""
        readers = self._readers
        if source not in readers:
            readers.clear()
            readers[source] = load_surrogate(self.checkpoint(source), max_length=MAX_LENGTH, cache=False)
        return readers[source]

    @cached_property
    def _readers(self) -> dict[str, Surrogate]:
        return {}

    @cached_property
    def _read(self) -> dict[str, Task]:
        return {}

    def _train(self, task: str) -> Task:
        if task not in self._read:
            self._read.clear()
            folder = self.data / "tasks" / task
            test = Task.from_file(folder, split="test", limit=400, seed=0, name=task)
            whole = Task.from_file(folder, split="train", name=task)
            self._read[task] = split(whole, test, seed=0, validation=None, overlap="drop").train
        return self._read[task]

    def _distinct(self, task: str) -> int:
        train = self._train(task)
        return len(set(zip(train.inputs.digests, train.labels.row_keys(), strict=True)))


@dataclass(frozen=True, eq=False)
class Known:
    """A checkpoint whose features are at hand; it stands for the model of a source."""

    kept: Kept
    name: str
    target: str
    rows: int

    def features(self, inputs: Inputs) -> np.ndarray:
        found = self.kept.features(self.name, self.target, self.rows)
        assert len(found) == len(inputs)
        return found

    def probabilities(self, inputs: Inputs) -> np.ndarray:
        """float64[n, classes]: what its own head says of those features."""
        changed = load_file(self.kept.tuned(self.name))
        logits = self.features(inputs).astype(np.float64) @ changed["head.weight"].T + changed["head.bias"]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


def read_truth(folder: Path, sources: list[str] | None, targets: list[str] | None) -> Transfers:
    """The measured transfers: whole seeds only, by default over the targets that most sources were measured on."""
    from taskspace.bench.transfer.records import Records

    file = folder / "runs.db"
    runs = Records(file).runs()
    tried = Counter(run.cell.target for run in runs)
    targets = targets or sorted(name for name, count in tried.items() if 2 * count > max(tried.values()))
    there = {(run.cell.source, run.cell.target, run.cell.seed) for run in runs}
    seeds = sorted({run.cell.seed for run in runs})
    everyone = sorted({run.cell.source for run in runs} - {NO_TRANSFER})
    whole = {s: {n for n in everyone if all((n, t, s) in there for t in targets if t != n)} for s in seeds}
    sources = sources or sorted(whole[seeds[0]])
    used = [seed for seed in seeds if set(sources) | {NO_TRANSFER} <= whole[seed] | {NO_TRANSFER}]
    if not used:
        raise SystemExit(f"no seed has every transfer from {', '.join(sources)} to {', '.join(targets)}")
    rows = [run for run in runs if run.cell.seed in used]
    return Transfers.of(_rows(rows)).only(sources=sources, targets=targets)


def _rows(runs: list) -> list:
    from taskspace.ranking.history import Row

    return [Row(run.cell.source, run.cell.target, run.score, seed=run.cell.seed, metric=run.metric) for run in runs]


def _write(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value))
    partial.rename(path)
