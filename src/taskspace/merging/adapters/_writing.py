"""A sum of adapters as one adapter."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.errors import SettingError, WeightsError
from taskspace.merging.adapters._settings import CONFIG, WEIGHTS
from taskspace.merging.carriers.combined import factors
from taskspace.merging.carriers.factors import concatenated, truncated
from taskspace.merging.numbers import Spec
from taskspace.merging.writing import sentences, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging._vector import TaskVector
    from taskspace.merging.carriers import Carrier, Pair


@dataclass(frozen=True)
class Adapter:
    """An adapter that was written: the rank of each module, and the share of its energy ``|W|^2`` that was cut off."""

    folder: Path
    ranks: Mapping[str, int]
    lost: Mapping[str, float]


def write_adapter(
    vector: TaskVector, folder: str | Path, *, rank: int | None = None, base_model: str | None = None
) -> Adapter:
    """Write a sum of adapters as one that peft loads: factors side by side, rank the sum of ranks, scaling 1.

    That is exact; with ``rank`` each module keeps its best ``rank`` directions (Eckart-Young).  A and B are never
    merged apart, since a sum of products is no product of sums.  ``base_model`` is what the adapter names as its base,
    by default the vector's.

    Raises :class:`WeightsError` for a vector that is not of factors alone, and for a folder that is there.
    """
    if rank is not None and rank < 1:
        raise SettingError(f"rank is {rank}; give at least 1, or leave it out to lose nothing")
    target = Path(folder)
    if target.exists():
        raise WeightsError(f"{target} is there already; name another folder, or remove it first")
    exact = [_summed(vector.carrier, name) for name in vector.layout]
    if not exact:
        raise WeightsError("the vector is zero, so there is no adapter to write; write the base as it is")
    cut = {_module(pair): truncated(pair, rank) if rank and rank < pair.rank else (pair, 0.0) for pair in exact}
    pairs = {module: pair for module, (pair, _) in cut.items()}
    named = base_model or (vector.base.name if vector.base else None)
    _write(target, _tensors(pairs), _config(pairs, named))
    ranks = {module: pair.rank for module, pair in pairs.items()}
    return Adapter(target, ranks, {module: lost for module, (_, lost) in cut.items()})


def _summed(carrier: Carrier, name: str) -> Pair:
    parts = factors(carrier, name)
    if not any(pair.place for _, pair in parts):
        raise WeightsError(
            f"{name!r} of the vector is not the sum of an adapter's factors alone, so no adapter says it; apply the"
            " vector to its base, or save it"
        )
    return concatenated(parts)


def _module(pair: Pair) -> str:
    assert pair.place is not None
    return pair.place.module


def _tensors(pairs: Mapping[str, Pair]) -> dict[str, NDArray[np.float32]]:
    tensors: dict[str, NDArray[np.float32]] = {}
    for module, pair in pairs.items():
        assert pair.place is not None
        a, b = ("lora_embedding_A", "lora_embedding_B") if pair.place.embedding else ("lora_A.weight", "lora_B.weight")
        kernel = () if pair.transposed else pair.shape[2:]
        inputs = pair.down.shape[1] // int(np.prod(kernel))
        tensors[f"base_model.model.{module}.{a}"] = pair.down.reshape(pair.rank, inputs, *kernel)
        tensors[f"base_model.model.{module}.{b}"] = pair.up.reshape(-1, pair.rank, *(1 for _ in kernel))
    return tensors


def _config(pairs: Mapping[str, Pair], base_model: str | None) -> dict[str, Any]:
    """One rank for most modules, and patterns for the others that match them alone; alpha is the rank everywhere."""
    ((usual, _),) = Counter(pair.rank for pair in pairs.values()).most_common(1)
    others = {"^" + re.escape(module): pair.rank for module, pair in pairs.items() if pair.rank != usual}
    return {
        "peft_type": "LORA",
        "base_model_name_or_path": base_model,
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": list(pairs),
        "fan_in_fan_out": any(pair.transposed and not (pair.place and pair.place.embedding) for pair in pairs.values()),
        "use_rslora": False,
        "use_dora": False,
        "bias": "none",
        "lora_dropout": 0.0,
        "init_lora_weights": True,
        "inference_mode": True,
        "task_type": None,
    }


def _write(folder: Path, tensors: Mapping[str, NDArray[np.float32]], config: Mapping[str, Any]) -> None:
    begun = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        with sentences(folder):
            begun.mkdir(parents=True)
            write_file(_Held(tensors), begun / WEIGHTS)
            (begun / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            begun.replace(folder)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


@final
class _Held:
    """Arrays to write, whole."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors
        self.layout = {name: Spec("F32", values.shape) for name, values in tensors.items()}

    def stored(self, name: str) -> Iterator[NDArray[Any]]:
        yield np.ascontiguousarray(self._tensors[name], dtype=np.float32)
