"""What every contender of ``rivals.py`` is given: rows, checkpoints, features; each made once and kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from taskspace.bench.rank import TaskRows
from taskspace.bench.rank.features import Features
from taskspace.surrogates import DEFAULT_SURROGATE, Surrogate, load_surrogate, locate

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace import Task

BASE = "base"
"""The checkpoint that no source has changed."""

MAX_LENGTH = 40
"""Tokens of a text that sources were tuned on, and that every contender reads."""

SOURCE_ROWS = 1000
"""Rows that a source was tuned on at most; its maps and vectors are made from the same ones."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Folders of things made once: ``data`` has the tasks, ``truth`` transfers and tuned weights, ``board`` what
    ``taskspace bench rank`` keeps; a target has ``rows`` labelled rows.
    """

    data: Path
    truth: Path
    work: Path
    board: Path
    rows: int

    @cached_property
    def tasks(self) -> TaskRows:
        """The draws of the ground truth: a source's rows, and the first few-shot draw of a target."""
        return TaskRows(folder=self.data / "tasks", source_rows=SOURCE_ROWS, target_rows=self.rows)

    @cached_property
    def surrogate(self) -> Surrogate:
        return load_surrogate(max_length=MAX_LENGTH)

    def as_target(self, task: str) -> Path:
        """A target's labelled rows as a file."""
        return self._written(task, self.rows, lambda: self.tasks.target(task))

    def as_source(self, task: str) -> Path:
        """The rows that a source was tuned on, as a file."""
        return self._written(task, SOURCE_ROWS, lambda: self.tasks.source(task))

    def features(self, by: str, target: str) -> Path:
        """float32[rows, 384] as ``.npy``: the mean last-layer state of a target's rows by a source or the base."""
        return self._exported(by, target, self.rows, lambda: self.tasks.target(target))

    def own_features(self, by: str, source: str) -> Path:
        """The same of a source's rows."""
        return self._exported(by, source, SOURCE_ROWS, lambda: self.tasks.source(source))

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
            write_json(folder / "tokenizer_config.json", {**words, "model_max_length": MAX_LENGTH})
            tensors = load_file(original / "model.safetensors")
            changed = {} if source == BASE else load_file(self.tuned(source))
            body = {name: tensor for name, tensor in changed.items() if not name.startswith("head.")}
            assert body.keys() <= tensors.keys(), body.keys() - tensors.keys()
            save_file(tensors | body, folder / "partial", {"format": "pt"})
            (folder / "partial").rename(folder / "model.safetensors")
        return folder

    @cached_property
    def _features(self) -> Features:
        return Features(self.surrogate, self.board / "features", self.truth)

    def _exported(self, by: str, task: str, rows: int, read) -> Path:
        path = self.work / "features" / f"{by}__{task}__{rows}.npy"
        if not path.exists():
            inputs = read().inputs
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".partial").open("wb") as file:
                np.save(file, self._features.base(inputs) if by == BASE else self._features.tuned(by, inputs))
            path.with_suffix(".partial").rename(path)
        return path

    def _written(self, name: str, rows: int, read) -> Path:
        path = self.work / "rows" / f"{name}__{rows}.json"
        if not path.exists():
            task: Task = read()
            about = {"texts": task.inputs.texts, "pairs": task.inputs.pairs, "labels": task.labels.codes.tolist()}
            write_json(path, about)
        return path


def write_json(path: Path, value: dict) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value))
    partial.rename(path)
