"""hf-dataset-selector 0.2.1 (``hfselect``) on what ``rivals.py`` asks for; run by the python of its own environment.

A map (ESM) is trained per source by the package's ``ESMTrainer`` from its ``EmbeddingDataset``, and targets are ranked
by its ``compute_task_ranking``, all from local folders.  Answers are JSON lines; what is there is not made again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import hfselect
import numpy as np
import torch
from datasets import Dataset as Table
from hfselect.logme import LogME
from transformers import AutoModel, AutoTokenizer


class Cut(hfselect.Dataset):
    """Texts cut at so many tokens: the package reads 128 and has no setting for it where it ranks."""

    tokens = 128

    def collate_fn(self, rows, tokenizer, **settings):
        return super().collate_fn(rows, tokenizer, **{"max_length": self.tokens, **settings})


def dataset(file: str, name: str, tokens: int) -> Cut:
    """Rows as the package reads them, pairs joined by its own separator; without ``metadata`` its embedding fails."""
    rows = json.loads(Path(file).read_text())
    columns = {"text": rows["texts"], "label": rows["labels"]}
    pairs = any(pair is not None for pair in rows["pairs"])
    if pairs:
        columns["pair"] = rows["pairs"]
    found = Cut(
        Table.from_dict(columns), text_col=("text", "pair") if pairs else "text", label_col="label",
        is_regression=False, metadata={"task_id": name, "text_column": "text"},
    )  # fmt: skip
    found.tokens = tokens
    return found


def embedded(request: dict, source: str, file: str) -> tuple[hfselect.EmbeddingDataset, list[float]]:
    """Base and tuned embeddings of a source's rows, by the package or as given; and the seconds for both."""
    given = request.get("embeddings", {}).get(source)
    if given:
        about = {"base_model_name": request["base"], "task_id": source}
        return hfselect.EmbeddingDataset(*(np.load(path) for path in given), metadata=about), [0.0, 0.0]
    kept = Path(request["folder"]) / f"{source}__{request['tokens']}.npz"
    if kept.exists():
        return hfselect.EmbeddingDataset.from_disk(str(kept)), json.loads(kept.with_suffix(".json").read_text())
    models = [AutoModel.from_pretrained(folder) for folder in (request["base"], request["sources"][source])]
    tokenizer = AutoTokenizer.from_pretrained(request["base"])
    clock = Clock()
    found = hfselect.create_embedding_dataset(dataset(file, source, request["tokens"]), *models, tokenizer)
    seconds = clock.read()
    kept.with_suffix(".json").write_text(json.dumps(seconds))
    found.save(str(kept))
    return found, seconds


def train(request: dict, done: set[tuple[str, ...]], tell) -> None:
    """A map per source, with a trainer of its own: a used one goes on stepping the weights of its first map."""
    for source, file in request["rows"].items():
        folder = Path(request["folder"]) / request["name"] / source
        if (source, request["name"]) in done:
            continue
        pairs, embedding = embedded(request, source, file)
        torch.manual_seed(request["seed"])
        trainer = hfselect.ESMTrainer(learning_rate=request["rate"])
        clock = Clock()
        trainer.train_with_embeddings(pairs, output_dir=str(folder), verbose=0)
        kept = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        tell({
            "key": (source, request["name"]), "embedding": embedding, "training": clock.read(), "bytes": kept,
            "loss": trainer.avg_loss,
        })  # fmt: skip


def maps(request: dict, target: str) -> dict[str, hfselect.ESM]:
    """Read back from their folders, as a user would."""
    folder = Path(request["folder"]) / request["name"]
    found = {source: hfselect.ESM.from_pretrained(folder / source) for source in request["rows"] if source != target}
    for esm in found.values():
        esm.eval()
    return found


def rank(request: dict, done: set[tuple[str, ...]], tell) -> None:
    """Its whole call for one target: the base model read from its folder, the rows embedded, all maps scored."""
    for target, file in request["targets"].items():
        if (target, request["name"]) in done:
            continue
        esms = maps(request, target)
        clock = Clock()
        ranking = hfselect.compute_task_ranking(
            dataset(file, target, request["tokens"]), request["base"], esms=list(esms.values())
        )
        whole = clock.read()
        said = {config.task_id: float(score) for config, score in zip(ranking.esm_configs, ranking.scores, strict=True)}
        tell({"key": (target, request["name"]), "whole": whole, "scores": said})


def rank_given(request: dict, done: set[tuple[str, ...]], tell) -> None:
    """Its maps and its LogME on base features that were made elsewhere; the seconds are the least of three."""
    for target, file in request["targets"].items():
        if (target, request["name"]) in done:
            continue
        labels = np.array(json.loads(Path(file).read_text())["labels"])
        base = torch.from_numpy(np.load(request["features"][target]))
        esms = maps(request, target)
        seconds, said = [], {}
        for _ in range(4):  # the first compiles
            clock = Clock()
            with torch.no_grad():
                said = {
                    name: float(LogME(regression=False).fit(esm(base).numpy(), labels, add_intercept=False))
                    for name, esm in esms.items()
                }
            seconds.append(clock.read())
        tell({"key": (target, request["name"]), "estimating": min(seconds[1:]), "scores": said})


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
    jobs = {"train": train, "rank": rank, "given": rank_given}
    with out.open("a") as file:
        jobs[request["job"]](request, done, lambda answer: print(json.dumps(answer), file=file, flush=True))


if __name__ == "__main__":
    main()
