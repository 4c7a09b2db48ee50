"""transformer-ranker 0.2.0 on what ``rivals.py`` asks for; run by the python of its own environment.

The request names checkpoints (folders) and targets (files of rows); answers are JSON lines, one per checkpoint and
target, and what is there already is not made again.  A checkpoint is run once per target, by the package's own
``Embedder``, and every layer is then scored by its own estimators: ``run`` would embed the same texts anew for each
estimator and each way of joining layers.  ``timed`` calls ``run`` itself, to see that it says the same, and its price.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformer_ranker import TransformerRanker
from transformer_ranker.embedder import Embedder
from transformer_ranker.estimators import HScore, LogME, NearestNeighbors

ESTIMATORS = {"hscore": HScore, "logme": LogME, "knn": NearestNeighbors}


def prepared(file: str) -> TransformerRanker:
    """The rows as the package reads them: pairs joined by ``" [SEP] "``, some rows with an emoji left out."""
    rows = json.loads(Path(file).read_text())
    columns = {"text": rows["texts"], "label": rows["labels"]}
    pairs = any(pair is not None for pair in rows["pairs"])
    if pairs:
        columns["pair"] = rows["pairs"]
    return TransformerRanker(
        Dataset.from_dict(columns), text_column="text", label_column="label", text_pair_column="pair" if pairs else None
    )


def layers(model: str, ranker: TransformerRanker, words: bool) -> torch.Tensor:
    """[rows, layers, width] by its own embedder, with or without its splitting at spaces and punctuation."""
    settings = {"layer_ids": "all", "layer_mean": False, "sentence_pooling": "mean", "device": "cpu"}
    embedder = Embedder(model, **settings, **({} if words else {"pre_tokenizer": None}))
    return torch.stack(list(embedder.embed(list(ranker.texts), show_progress=False)))


def scores(features: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Of one table [rows, width] by each of its estimators."""
    return {name: make(regression=False).fit(embeddings=features, labels=labels) for name, make in ESTIMATORS.items()}


def score_all(request: dict, done: set[tuple[str, ...]], tell) -> None:
    for target, file in request["targets"].items():
        ranker = None
        for source, folder in request["sources"].items():
            key = (source, target, str(request["words"]))
            if source == target or key in done:
                continue
            ranker = ranker or prepared(file)
            clock = Clock()
            table = layers(folder, ranker, request["words"])
            seconds = clock.read()
            each = [scores(table[:, layer], ranker.labels) for layer in range(table.shape[1])]
            tell({
                "key": key, "rows": len(table), "embedding": seconds, "layers": each,
                "mean": scores(table.mean(dim=1), ranker.labels),
            })  # fmt: skip


def score_given(request: dict, done: set[tuple[str, ...]], tell) -> None:
    """Its estimators on features that were made elsewhere."""
    for target, file in request["targets"].items():
        labels = torch.tensor(json.loads(Path(file).read_text())["labels"])
        for source, features in request["features"][target].items():
            if (source, target) not in done:
                table = torch.from_numpy(np.load(features))
                tell({"key": (source, target), "given": scores(table, labels)})


def timed(request: dict, done: set[tuple[str, ...]], tell) -> None:
    """Its one call for all candidates of a target, and its estimators alone on as many tables of features."""
    for target, file in request["targets"].items():
        sources = {name: folder for name, folder in request["sources"].items() if name != target}
        for estimator in request["estimators"]:
            if (target, estimator) in done:
                continue
            clock = Clock()
            found = prepared(file).run(list(sources.values()), estimator=estimator, device="cpu")
            whole = clock.read()
            labels = torch.tensor(json.loads(Path(file).read_text())["labels"])
            tables = [torch.from_numpy(np.load(path)) for path in request["features"][target].values()]
            alone = []
            for _ in range(3):
                clock = Clock()
                for table in tables:
                    ESTIMATORS[estimator](regression=False).fit(embeddings=table, labels=labels)
                alone.append(clock.read())
            said = {name: found.scores[folder] for name, folder in sources.items()}
            tell({"key": (target, estimator), "whole": whole, "estimating": min(alone), "scores": said})


class Clock:
    """Seconds since it was made: of the wall, and of this process on its one thread."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> list[float]:
        return [time.perf_counter() - self._start[0], time.process_time() - self._start[1]]


def main() -> None:
    torch.set_num_threads(1)
    request = json.loads(Path(sys.argv[1]).read_text())
    out = Path(request["out"])
    lines = out.read_text().splitlines() if out.exists() else []
    done = {tuple(json.loads(line)["key"]) for line in lines}
    with out.open("a") as file:
        tell = lambda answer: print(json.dumps(answer), file=file, flush=True)  # noqa: E731
        {"score": score_all, "given": score_given, "time": timed}[request["job"]](request, done, tell)


if __name__ == "__main__":
    main()
