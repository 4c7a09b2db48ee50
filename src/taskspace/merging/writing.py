"""Safetensors files written in order, one stretch at a time, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from taskspace._files import replacing
from taskspace.errors import WeightsError
from taskspace.merging.becoming import becoming, kept, reclaimed
from taskspace.merging.beside import carry
from taskspace.merging.checkpoint import INDEX, SINGLE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Layout


class Writable(Protocol):
    """Tensors that come in pieces."""

    @property
    def layout(self) -> Layout: ...
    def stored(self, name: str) -> Iterator[NDArray[Any]]: ...


def write_file(weights: Writable, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """One file; an older one of that name stays until the new one is complete.

    ``metadata`` is strings for its header, beside the ``format`` that other readers look for.
    """
    with sentences(path), replacing(path) as partial:
        _require_room(path.parent, weights.layout)
        _write(weights, list(weights.layout), partial, metadata or {})
        partial.chmod(0o666 & ~_umask())


def write_folder(
    weights: Writable,
    folder: Path,
    shard_bytes: int,
    *,
    plan: str = "",
    beside: Path | None = None,
    dtype: str | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """A folder of shards of at most ``shard_bytes`` (a larger tensor has its own), with the index.

    ``plan`` names what is written: shards that an earlier try of the same plan left are kept, whatever stops this one
    but their own numbers.  The files of the folder
    ``beside`` that hold no weights come along, with ``dtype`` in the configuration, and ``texts`` by file name.
    """
    if folder.exists():
        raise WeightsError(f"{folder} is there already; name another folder, or remove it first")
    shards = _shards(weights.layout, shard_bytes)
    named = {_shard_name(i, len(shards)): names for i, names in enumerate(shards, start=1)}
    plan = hashlib.sha256(f"{plan}{named}".encode()).hexdigest()
    done = kept(folder, plan)
    left = {file: names for file, names in named.items() if file not in done}
    with sentences(folder):
        absent = {name: weights.layout[name] for names in left.values() for name in names}
        _require_room(folder.parent, absent, reclaimed(folder, plan))
    with sentences(folder), becoming(folder, plan) as begun:
        for file, names in left.items():
            with replacing(begun / file) as partial:
                _write(weights, names, partial, {})
                partial.chmod(0o666 & ~_umask())
        _index(begun, named, weights.layout)
        if beside is not None:
            carry(beside, begun, dtype=dtype)
        for name, text in (texts or {}).items():
            (begun / name).write_text(text, encoding="utf-8")


def _write(weights: Writable, names: Sequence[str], path: Path, metadata: Mapping[str, str]) -> None:
    header, at = {}, 0
    for name in names:
        spec = weights.layout[name]
        header[name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": [at, at + spec.nbytes]}
        at += spec.nbytes
    said = json.dumps({"__metadata__": {"format": "pt", **metadata}, **header}, separators=(",", ":")).encode()
    said += b" " * (-len(said) % 8)  # the numbers begin at a multiple of eight bytes
    with path.open("wb") as file:
        file.write(len(said).to_bytes(8, "little") + said)
        for name in names:
            for piece in weights.stored(name):
                file.write(piece.data)
        file.flush()
        os.fsync(file.fileno())
        if file.tell() != 8 + len(said) + at:
            raise AssertionError(f"{file.tell()} bytes were written to {path}, {8 + len(said) + at} belong there")


def _shards(layout: Layout, most: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    filled = 0
    for name, spec in layout.items():
        if filled and filled + spec.nbytes > most:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += spec.nbytes
    return shards


def _shard_name(number: int, count: int) -> str:
    return SINGLE if count == 1 else f"model-{number:05}-of-{count:05}.safetensors"


def _index(folder: Path, named: Mapping[str, Sequence[str]], layout: Layout) -> None:
    if len(named) == 1:
        return
    total = sum(spec.nbytes for spec in layout.values())
    places = {name: file for file, names in named.items() for name in names}
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2)
    (folder / INDEX).write_text(text, encoding="utf-8")


def _require_room(folder: Path, layout: Layout, reclaimed: int = 0) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    needed, free = sum(spec.nbytes for spec in layout.values()), shutil.disk_usage(there).free + reclaimed
    if needed > free:
        raise WeightsError(f"{needed:,} bytes are to be written to {folder}, where {free:,} are free; free some space")


@contextmanager
def sentences(target: Path) -> Generator[None]:
    """What the system says against writing to ``target``, as a :class:`WeightsError`."""
    try:
        yield
    except OSError as error:
        full = error.errno == errno.ENOSPC
        why = "the disk is full; free some space" if full else f"{error.strerror or error}; choose another place"
        raise WeightsError(f"{target} cannot be written: {why}, and run again") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
