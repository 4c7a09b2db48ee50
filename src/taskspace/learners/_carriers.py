"""Carriers of ``tuned``: what is tuned, and which of its numbers stand for the task."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from taskspace.learners.tuned import Tuned
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.parts import Part

Numbers: TypeAlias = NDArray[np.float64]
State: TypeAlias = "Mapping[str, NDArray[np.float32]]"
"""One row of a part, by parameter name."""

_KEYS = re.compile(r"(^|\.)(key|k|k_proj|k_lin|key_proj)$")


@dataclass(frozen=True)
class Carrier:
    """How one carrier of the TuPaTE family starts and is read.

    ``start(backbone, rows, learner, seed)`` makes a part whose rows are all alike.  ``read(tuned, init, learner,
    seed)`` gives one vector; ``init`` is ``None`` where the tuned numbers themselves are wanted.  ``uses`` names the
    learner's settings that count for it, ``rate`` is its learning rate where none is said.
    """

    start: Callable[[Backbone, int, Tuned, int], Part]
    read: Callable[[State, State | None, Tuned, int], Numbers]
    uses: Callable[[Tuned], tuple[str, ...]]
    rate: float


def _start_prompt(backbone: Backbone, rows: int, learner: Tuned, seed: int) -> Part:
    from taskspace.tuning.parts import Prompts

    return Prompts.start(backbone, rows, learner.length, seed=seed)


def _start_prefix(backbone: Backbone, rows: int, learner: Tuned, seed: int) -> Part:
    from taskspace.tuning.parts import Prefixes

    return Prefixes.start(backbone, rows, learner.length, seed=seed)


def _start_lora(backbone: Backbone, rows: int, learner: Tuned, seed: int) -> Part:
    from taskspace.tuning.parts import LoRA

    return LoRA.start(backbone, rows, learner.rank, seed=seed)


def _start_biases(backbone: Backbone, rows: int, _: Tuned, seed: int) -> Part:
    from taskspace.tuning.parts import BitFit

    return BitFit.start(backbone, rows, seed=seed)


def _mean_token(tuned: State, init: State | None, _: Tuned, __: int) -> Numbers:
    """float64[d], or float64[L·2·d_kv] for a prefix: the mean over its places, layer beside layer (TuPaTE)."""
    (name,) = tuned
    table = tuned[name].astype(np.float64)
    return (table if init is None else table - init[name]).mean(axis=0)


def _products(tuned: State, init: State | None, learner: Tuned, seed: int) -> Numbers:
    """Per layer a sketch of the product BA, which is what the model sees; or all factors one after the other.

    v_j = (Bᵀp_j)·(A q_j) / √s for s pairs of random signs p_j, q_j that the seed and the layer's name decide: the
    inner product of two sketches is that of the two products in expectation.  The factors themselves are not unique
    (GA and BG⁻¹ give the same product), so that they compare only where all runs start from the same ones (ours).
    """
    if learner.form == "raw":
        gaps = tuned if init is None else {name: array - init[name] for name, array in tuned.items()}
        return np.concatenate([array.ravel().astype(np.float64) for array in gaps.values()])
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in tuned))
    return np.concatenate([
        product_sketch(tuned[f"{layer}.A"], tuned[f"{layer}.B"], learner.sketch, layer, seed) for layer in layers
    ])  # fmt: skip


def product_sketch(first: Any, second: Any, size: int, name: str, seed: int) -> Numbers:
    """float64[size] of the product of ``second`` [out, r] and ``first`` [r, in], which is never formed."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    left = rng.choice([-1.0, 1.0], size=(size, len(second)))
    right = rng.choice([-1.0, 1.0], size=(size, first.shape[1]))
    sketch: Numbers = ((left @ second) * (right @ first.T)).sum(axis=1) / np.sqrt(size)
    return sketch


def _biases(tuned: State, _: State | None, __: Tuned, ___: int) -> Numbers:
    """All shifts but those of keys: they add the same to a query's score with every key, which a softmax forgets."""
    parts = [_without_keys(name, shift.astype(np.float64)) for name, shift in tuned.items() if not _KEYS.search(name)]
    return np.concatenate(parts)


def _without_keys(name: str, shift: Numbers) -> Numbers:
    """GPT-2 has queries, keys and values in one."""
    if not name.endswith("attn.c_attn"):
        return shift
    query, _, value = np.split(shift, 3)
    return np.concatenate([query, value])


def _placed(_: Tuned) -> tuple[str, ...]:
    return ("length", "difference")


def _factored(learner: Tuned) -> tuple[str, ...]:
    """A product that starts from zero is its own difference."""
    return ("rank", "form", "difference") if learner.form == "raw" else ("rank", "form", "sketch")


def _always(_: Tuned) -> tuple[str, ...]:
    """Biases are tuned as differences from the frozen ones."""
    return ()


CARRIERS: dict[str, Carrier] = {
    "prompt": Carrier(_start_prompt, _mean_token, _placed, 0.01),
    "prefix": Carrier(_start_prefix, _mean_token, _placed, 0.03),
    "lora": Carrier(_start_lora, _products, _factored, 0.003),
    "bitfit": Carrier(_start_biases, _biases, _always, 0.01),
}
