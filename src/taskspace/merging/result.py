"""A vector added to its base: in memory, or streamed to safetensors files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from tqdm.auto import tqdm

from taskspace.errors import SettingError, WeightsError, did_you_mean
from taskspace.merging.ahead import WORKERS, in_order, one_thread_each
from taskspace.merging.base import Base
from taskspace.merging.checkpoint import Checkpoint, InMemory, Weights, named
from taskspace.merging.located import model_folder
from taskspace.merging.measures import stretch_of
from taskspace.merging.models import require_differences
from taskspace.merging.numbers import FLOATING, Spec, decode, encode
from taskspace.merging.sources import state
from taskspace.merging.window import STRETCH, Window, windows
from taskspace.merging.writing import write_file, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging._vector import TaskVector
    from taskspace.merging.checkpoint import Layout

Result: TypeAlias = Weights
"""The new checkpoint, from which differences can be taken again."""

SHARD = 5_000_000_000
"""Bytes of a shard, as the Hub has them."""


@dataclass(frozen=True, eq=False)
class Added:
    """``base + scale * vector`` as numbers to store, a window at a time."""

    vector: TaskVector
    base: Weights | None
    scale: float
    layout: Layout
    stretch: int = STRETCH
    watch: Callable[[int], object] = lambda _: None

    def stored(self, name: str) -> Iterator[NDArray[Any]]:
        """One tensor as it goes into a file, in order, in pieces; ``watch`` is told the bytes of each."""
        for piece in self._pieces(name, self.layout[name]):
            yield piece
            self.watch(piece.nbytes)

    def _pieces(self, name: str, spec: Spec) -> Iterator[NDArray[Any]]:
        mine = self.vector.layout
        if name not in mine:
            yield from self._copied(name, spec)
            return
        carrier = self.vector.carrier
        stretch = stretch_of(carrier, name=name, layout=mine, usual=self.stretch)
        yield from in_order(self._piece, windows(name, spec, stretch), 1 if carrier.whole else WORKERS)

    def _piece(self, window: Window) -> NDArray[Any]:
        return encode(self._added(window), self.layout[window.name].dtype, f"{window.name!r} of the result")

    def _added(self, window: Window) -> NDArray[Any]:
        delta = self.vector.carrier.block(window)
        scaled = delta if self.scale == 1 else delta.dtype.type(self.scale) * delta
        return scaled if self.base is None else window.of(self.base) + scaled

    def _copied(self, name: str, spec: Spec) -> Iterator[NDArray[Any]]:
        assert self.base is not None  # without one, every tensor is the vector's
        held = self.base.layout[name]
        for window in windows(name, spec, self.stretch):
            stored = self.base.stored(name, window.start, window.stop)
            if held.dtype == spec.dtype:
                yield stored
            else:
                yield encode(decode(stored, held.dtype), spec.dtype, f"{name!r} of {self.base.name}")


def write(
    vector: TaskVector,
    base: Weights | None,
    out: str | Path | None,
    *,
    scale: float = 1.0,
    dtype: str | None = None,
    shard_bytes: int = SHARD,
    stretch: int = STRETCH,
    files: Mapping[str, str] | None = None,
    beside: str | Path | None = None,
    progress: bool = False,
) -> Result:
    """``base + scale * vector``, rounded once to the base's dtypes, or to ``dtype`` (F32, F16, BF16).

    ``out`` ending in ``.safetensors`` is one file; else a folder of shards, with what else lies in the base's folder
    (configuration, tokenizer).  Neither is there before it is whole.  A folder that was begun is gone on with, shard by
    shard, when the same merge is asked for again.  ``files`` are texts to put into the folder, such as a card;
    ``beside`` is another model to take configuration and tokenizer from, as where there is no base.

    Raises :class:`WeightsError` for another base than the vector's, numbers that do not fit, and a full disk, and
    :class:`SettingError` for a scale without a base, which would scale the model itself.
    """
    if base is None and scale != 1:
        raise SettingError(
            f"scale is {scale:g}, which without a base would make the model itself smaller or larger; give the base"
        )
    layout = layout_of(vector, base, dtype)
    total = sum(spec.nbytes for spec in layout.values())
    told = tqdm(total=total, unit="B", unit_scale=True, desc="merge", disable=not progress, leave=False)
    with one_thread_each(), told as bar:
        adding = Added(vector, base, scale, layout, stretch, bar.update)
        if out is None:
            return InMemory({name: _gathered(adding, name) for name in layout}, "merged")
        target = Path(out)
        if target.suffix == ".safetensors":
            write_file(adding, target)
        else:
            under = "" if base is None else Base.of(base, ()).whole
            plan = named(vector.carrier.identity(), f"{scale}{layout}", under, state(vector.carrier, base))
            write_folder(adding, target, shard_bytes, plan=plan, beside=_folder(beside, base), dtype=dtype, texts=files)
    return Checkpoint(target)


def layout_of(vector: TaskVector, base: Weights | None, dtype: str | None = None) -> Layout:
    """What would be written; raises as :func:`write` does for another base and an unknown dtype."""
    if dtype is not None and dtype not in FLOATING:
        raise SettingError(f"dtype is {dtype!r}; say one of {', '.join(FLOATING)}")
    held = vector.layout if base is None else base.layout
    if base is None and vector.base is not None:
        raise WeightsError(f"the vector is a difference to {vector.base.name}; give that base to add it to")
    if base is not None:
        require_differences([vector], base.name)
        _require_base(vector, base)
    return {n: Spec(dtype, s.shape) if dtype and s.floating else s for n, s in held.items()}


def _folder(beside: str | Path | None, base: Weights | None) -> Path | None:
    model = beside if beside is not None else base.path if isinstance(base, Checkpoint) else None
    folder = None if model is None else model_folder(model)
    return folder if folder is not None and folder.is_dir() else None


def _require_base(vector: TaskVector, base: Weights) -> None:
    for name, spec in vector.layout.items():
        if name not in base.layout:
            raise WeightsError(f"{base.name} has no {name!r}{did_you_mean(name, base.layout)}; give the vector's base")
        if base.layout[name].shape != spec.shape:
            raise WeightsError(
                f"{name!r} is {list(spec.shape)} in the vector and {list(base.layout[name].shape)} in {base.name}; give"
                " the vector's base"
            )
    if vector.base is not None:
        vector.base.require(base)


def _gathered(adding: Added, name: str) -> NDArray[Any]:
    """In memory bfloat16 becomes float32, which numpy has; the numbers are the rounded ones."""
    spec = adding.layout[name]
    stored = np.concatenate(list(adding.stored(name)))
    return (decode(stored, spec.dtype) if spec.dtype == "BF16" else stored).reshape(spec.shape)
