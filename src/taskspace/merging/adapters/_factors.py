"""Factor pairs of an adapter's file, each as the weight lies that it adds to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import WeightsError
from taskspace.merging.adapters._settings import MERGE
from taskspace.merging.carriers import Pair, Place
from taskspace.merging.checkpoint import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.merging.adapters._settings import Settings
    from taskspace.merging.checkpoint import Checkpoint, Weights


def read_pair(file: Checkpoint, module: str, keys: Mapping[str, str], settings: Settings) -> Pair:
    """One module's pair, its scaling in ``up``; convolutions unfolded, embeddings transposed."""
    embedding = "embedding_A" in keys
    kind = "embedding_" if embedding else ""
    if f"{kind}A" not in keys or f"{kind}B" not in keys:
        raise WeightsError(f"{module!r} of {file.path} has one factor of two; save the adapter again")
    a, b = finite(file, keys[f"{kind}A"]), finite(file, keys[f"{kind}B"])
    _require_fit(file, module, a, b)
    rank, outputs = a.shape[0], b.shape[0]
    transposed = a.ndim == 2 and (embedding or settings.fan_in_fan_out)
    shape = (a.shape[1], outputs) if transposed else (outputs, *a.shape[1:])
    scaled = settings.scaling(module, rank) * b.reshape(outputs, rank).astype(np.float64)
    return Pair(scaled.astype(np.float32), a.reshape(rank, -1), shape, transposed, Place(module, embedding))


def laid(pairs: Mapping[str, Pair], base: Weights, settings: Settings) -> dict[str, Pair]:
    """Pairs the way round that the weights of the base lie, which know it better than the adapter.

    That has one flag for all of its modules, which peft sets anew at each module that it meets: of GPT-2 with its head
    it says what the last one was.  A square weight lies like others of its last name (``c_proj``), and like the flag
    where that is right for all others.
    """
    seen = {_last(name): base.layout[name].shape != _sides(pair) for name, pair in pairs.items() if _tells(pair)}
    trusted = all(transposed == settings.fan_in_fan_out for transposed in seen.values())
    found: dict[str, Pair] = {}
    for name, pair in pairs.items():
        if _is_matrix(pair):
            if not trusted and _last(name) not in seen:
                raise WeightsError(
                    f"which way round the square {name!r} lies cannot be told, since fan_in_fan_out of"
                    f" {settings.folder} is wrong for others; {MERGE}"
                )
            transposed = seen.get(_last(name), settings.fan_in_fan_out)
            shape = _sides(pair)[::-1] if transposed else _sides(pair)
            found[name] = replace(pair, shape=shape, transposed=transposed)
        else:
            found[name] = pair
        _require_shape(name, found[name], base)
    return found


def _is_matrix(pair: Pair) -> bool:
    """One whose side may be in question: no convolution and no embedding."""
    return len(pair.shape) == 2 and not (pair.place and pair.place.embedding)


def _tells(pair: Pair) -> bool:
    """One whose shape says how it lies."""
    return _is_matrix(pair) and pair.shape[0] != pair.shape[1]


def _sides(pair: Pair) -> tuple[int, int]:
    """Outputs and inputs."""
    return pair.up.shape[0], pair.down.shape[1]


def _last(name: str) -> str:
    """``c_proj`` of ``h.0.attn.c_proj.weight``."""
    return name.removesuffix(".weight").rpartition(".")[2]


def _require_shape(name: str, pair: Pair, base: Weights) -> None:
    if base.layout[name].shape != pair.shape:
        raise WeightsError(
            f"the adapter changes {name!r} as {list(pair.shape)}, and it is {list(base.layout[name].shape)} in"
            f" {base.name}; give the model that it was trained on"
        )


def finite(file: Checkpoint, key: str) -> NDArray[np.float32]:
    """One tensor of the file; raises :class:`WeightsError` for NaN and infinity."""
    values = whole(file, key).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise WeightsError(f"{key!r} of {file.path} holds NaN or infinity; leave that adapter out")
    return values


def _require_fit(file: Checkpoint, module: str, a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    shapes = f"{module!r} of {file.path} (A {list(a.shape)}, B {list(b.shape)})"
    if a.ndim == b.ndim > 2 and 0 < b.shape[1] < a.shape[0]:
        raise WeightsError(f"{shapes} is a convolution in groups, which is no product of two factors; {MERGE}")
    if not (a.ndim == b.ndim >= 2 and a.shape[0] == b.shape[1] > 0 and b.size == b.shape[0] * b.shape[1]):
        raise WeightsError(f"{shapes} has factors that do not fit each other; save the adapter again")
