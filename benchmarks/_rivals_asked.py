"""Asking the two rivals, each in its own environment, and their answers by method, target and source."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from _rivals_inputs import BASE, Kept

if TYPE_CHECKING:
    from taskspace.ranking.history import Transfers

Given: TypeAlias = dict[str, dict[str, float]]
"""What one method said, by target and source; higher is better."""

Answers: TypeAlias = dict[tuple[str, ...], dict]

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
RATES = {"rate 0.001": 0.001, "rate 0.01 (default)": 0.01}
"""Of hf-dataset-selector's trainer: what its authors used, and what the package does when nothing is said."""


class Rival:
    """A script that runs in another environment: a request in a file, answers as lines of another."""

    def __init__(self, python: Path, script: str, kept: Kept) -> None:
        self._python = python.absolute()  # not resolved: a link is what makes the environment
        self._script = Path(__file__).resolve().parent / script
        self.folder = kept.work / script.removeprefix("_rivals_").removesuffix(".py")
        (self.folder / "maps").mkdir(parents=True, exist_ok=True)

    def ask(self, name: str, /, *, anew: bool = False, **request: object) -> Answers:
        """The answers by key, those of an earlier run among them unless ``anew``."""
        out, asked = self.folder / f"{name}.jsonl", self.folder / f"{name}.request.json"
        if anew:
            out.unlink(missing_ok=True)
        asked.write_text(json.dumps({**request, "out": str(out)}, default=str))
        with (self.folder / f"{name}.log").open("a") as log:
            command = [str(self._python), str(self._script), str(asked)]
            subprocess.run(
                command, check=True, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, **OFFLINE}
            )  # fmt: skip
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        return {tuple(answer["key"]): answer for answer in answers}


def of_ranker(rival: Rival, kept: Kept, truth: Transfers, *, both: bool) -> dict[str, Given]:
    """Every estimator on every way of joining layers, as shipped and as meant; and on our features.

    ``both``: with its splitting of texts at spaces and punctuation, and without.
    """
    asked = {"targets": _rows(kept, truth), "sources": {name: kept.checkpoint(name) for name in truth.sources}}
    found: dict[str, Given] = {}
    for words in (True, False) if both else (True,):
        said = rival.ask(f"score_{kept.rows}_{'words' if words else 'texts'}", job="score", words=words, **asked)
        for (source, target, _), answer in _wanted(said, truth):
            for estimator, mean in answer["mean"].items():
                for way, score in _ways(mean, [layer[estimator] for layer in answer["layers"]]).items():
                    method = f"{estimator}, {way}" + ("" if words else ", whole texts")
                    found.setdefault(method, {}).setdefault(target, {})[source] = score
    features = {t: {s: kept.features(s, t) for s in truth.sources if s != t} for t in truth.targets}
    said = rival.ask(f"given_{kept.rows}", job="given", features=features, **asked)
    for (source, target), answer in _wanted(said, truth):
        for estimator, score in answer["given"].items():
            found.setdefault(f"{estimator}, our features", {}).setdefault(target, {})[source] = score
    return found


def _ways(mean: float, layers: list[float]) -> dict[str, float]:
    """``lastlayer`` asks the package's embedder for layer 0, which is the first since it leaves the embeddings out."""
    return {
        "layermean (default)": mean,
        "bestlayer": max(layers),
        "lastlayer (reads the first)": layers[0],
        "last layer, mended": layers[-1],
    }


def of_selector(rival: Rival, kept: Kept, truth: Transfers, tokens: int) -> dict[str, Given]:
    """Its maps at both of its learning rates, from its own embeddings and from ours."""
    request = selector_request(rival, kept, truth, tokens)
    pairs = {name: [kept.own_features(by, name) for by in (BASE, name)] for name in truth.sources}
    features = {name: kept.features(BASE, name) for name in truth.targets}
    given = {**request, "embeddings": pairs, "features": features}
    found: dict[str, Given] = {}
    for label, rate in RATES.items():
        own, ours = f"{rate}_{tokens}", f"{rate}_given"
        rival.ask(f"train_{own}", job="train", name=own, rate=rate, **request)
        found[f"esm, {label}"] = _by_target(
            rival.ask(f"rank_{own}_{kept.rows}", job="rank", name=own, **request), truth
        )
        rival.ask(f"train_{ours}", job="train", name=ours, rate=rate, **given)
        said = rival.ask(f"given_{ours}_{kept.rows}", job="given", name=ours, **given)
        found[f"esm, {label}, our features"] = _by_target(said, truth)
    return found


def selector_request(rival: Rival, kept: Kept, truth: Transfers, tokens: int) -> dict[str, object]:
    """What it is told of every source and target."""
    return {
        "base": kept.checkpoint(BASE),
        "sources": {name: kept.checkpoint(name) for name in truth.sources},
        "rows": {name: kept.as_source(name) for name in truth.sources},
        "targets": _rows(kept, truth),
        "tokens": tokens,
        "folder": rival.folder / "maps",
        "seed": 0,
    }


def _rows(kept: Kept, truth: Transfers) -> dict[str, Path]:
    return {name: kept.as_target(name) for name in truth.targets}


def _wanted(said: Answers, truth: Transfers) -> list[tuple[tuple[str, ...], dict]]:
    """Without what an earlier run was asked of other sources and targets."""
    return [(key, one) for key, one in said.items() if key[0] in truth.sources and key[1] in truth.targets]


def _by_target(said: Answers, truth: Transfers) -> Given:
    return {target: answer["scores"] for (target, _), answer in said.items() if target in truth.targets}
