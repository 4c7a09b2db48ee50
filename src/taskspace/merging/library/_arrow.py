"""Which adapters a token is read by (Arrow, arXiv 2405.11157, section 3.2), without training a router."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError, WeightsError
from taskspace.merging._vector import joined_base
from taskspace.merging.carriers.combined import factors
from taskspace.merging.carriers.factors import concatenated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging._vector import TaskVector
    from taskspace.merging.carriers import Pair


@dataclass(frozen=True, eq=False)
class Router:
    """``prototypes`` float32[E, n] of each module: per adapter the input direction that it answers most.

    A token's state h of that module's input goes to the ``top_k`` adapters of largest ``|h p|``, weighted by a softmax
    of that over ``temperature``.
    """

    vectors: tuple[TaskVector, ...]
    prototypes: Mapping[str, NDArray[np.float32]]
    top_k: int
    temperature: float

    def weights(self, module: str, states: NDArray[Any]) -> NDArray[np.float64]:
        """float64[tokens, E], rows of sum 1, of ``states`` [tokens, n]."""
        heard = np.abs(np.asarray(states, np.float64) @ self.prototypes[module].T.astype(np.float64))
        taken = np.argsort(-heard, axis=1, kind="stable")[:, : self.top_k]
        kept = np.full_like(heard, -np.inf)
        np.put_along_axis(kept, taken, np.take_along_axis(heard, taken, axis=1), axis=1)
        raised = np.exp((kept - kept.max(axis=1, keepdims=True)) / self.temperature)
        return raised / raised.sum(axis=1, keepdims=True)

    def route(self, model: Any, *, rank: int | None = None) -> Any:
        """Peft's Arrow model of a loaded base, with these prototypes in place of peft's.

        peft finds them by 15 steps of power iteration from random numbers, which stop short where the first two
        singular values are close.  It wants one rank for all: ``rank`` cuts all adapters to that many directions.

        Raises :class:`WeightsError` for adapters of other ranks or modules.
        """
        lora = require("peft.tuners.lora", extra="peft", why="routing by Arrow")
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{place}" for place in range(len(self.vectors))]
            written = [vector.to_peft(path, rank=rank) for vector, path in zip(self.vectors, paths, strict=True)]
            _require_one_rank([each.ranks for each in written])
            settings = lora.ArrowConfig(top_k=self.top_k, router_temperature=self.temperature, rng_seed=0)
            routed = lora.create_arrow_model(model, [str(path) for path in paths], settings)
        self._place(routed)
        return routed

    def _place(self, routed: Any) -> None:
        torch = require("torch", extra="embed", why="routing by Arrow")
        for path, module in routed.named_modules():
            if hasattr(module, "lora_arrow"):
                layer = module.lora_arrow["arrow_router"]
                values = torch.from_numpy(self.prototypes[path.removeprefix("base_model.model.")])
                layer.register_buffer("prototypes", values.to(module.lora_A["task_0"].weight), persistent=False)
                layer._protos_ready = True  # peft makes its own otherwise


def arrow(vectors: Sequence[TaskVector], *, top_k: int = 3, temperature: float = 1.0) -> Router:
    """A router over adapters: a prototype of each module is the first right singular vector of its ``B A``.

    That is found from the factors, which are not multiplied out; its sign, which means nothing, is that of its largest
    number.  Sums of adapters are routed to as well.

    Raises :class:`SettingError` for settings that make no sense, :class:`WeightsError` for what is no sum of adapters,
    for other modules than the first has, and for bases that differ.
    """
    if not vectors:
        raise SettingError("no vector was given to route to; give at least one")
    if not 1 <= top_k <= len(vectors):
        raise SettingError(f"top_k is {top_k}; give a number from 1 to {len(vectors)}, which is how many there are")
    if not temperature > 0:
        raise SettingError(f"the temperature is {temperature}; give a number above 0")
    joined_base(vectors)
    found = [_prototypes(vector) for vector in vectors]
    for vector, one in zip(vectors[1:], found[1:], strict=True):
        if odd := sorted(one.keys() ^ found[0].keys()):
            raise WeightsError(
                f"{odd[0]!r} is changed by only one of {vector} and {vectors[0]}; route adapters of one target"
            )
    prototypes = {module: np.stack([one[module] for one in found]) for module in found[0]}
    return Router(tuple(vectors), prototypes, top_k, temperature)


def _prototypes(vector: TaskVector) -> dict[str, NDArray[np.float32]]:
    """float32[n] by module."""
    found: dict[str, NDArray[np.float32]] = {}
    for name in vector.layout:
        pairs = factors(vector.carrier, name)
        pair = concatenated(pairs) if pairs else None
        if pair is None or pair.place is None or pair.place.embedding or len(pair.shape) != 2:
            raise WeightsError(
                f"{name!r} of {vector} is not changed by factors of a linear layer alone; leave it out by ignore"
            )
        found[pair.place.module] = _first(pair)
    return found


def _first(pair: Pair) -> NDArray[np.float32]:
    """By QR of both factors and an SVD of the small product."""
    _, left = np.linalg.qr(pair.up.astype(np.float64))
    basis, right = np.linalg.qr(pair.down.T.astype(np.float64))
    direction = basis @ np.linalg.svd(left @ right.T)[2][0]
    return (direction * np.sign(direction[np.argmax(np.abs(direction))])).astype(np.float32)


def _require_one_rank(ranks: Sequence[Mapping[str, int]]) -> None:
    seen = sorted({rank for of in ranks for rank in of.values()})
    if len(seen) > 1:
        raise WeightsError(
            f"these adapters have ranks {seen[0]} to {seen[-1]}, and peft routes among equal ones; give rank={seen[0]}"
        )
