"""A checkpoint on disk or in memory, read a stretch at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

import numpy as np

from taskspace.errors import WeightsError
from taskspace.merging.located import located
from taskspace.merging.numbers import FLOATING, OTHER, Spec, decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Layout: TypeAlias = "Mapping[str, Spec]"

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
SAVED = "taskspace"
"""Of the strings in a header, the one that a saved task vector has."""

_SAMPLES, _SAMPLE = 16, 64
"""Stretches of a tensor that its digest sees, and the bytes of each."""


class Weights(Protocol):
    """Named tensors that are read when they are asked for."""

    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> Layout: ...

    def stored(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Numbers ``start`` to ``stop`` of the flattened tensor, as they are stored."""
        ...


@dataclass(frozen=True)
class _Place:
    spec: Spec
    file: Path
    offset: int
    state: tuple[int, int]


@final
class Checkpoint:
    """Safetensors files: one, or a folder of one or several with an index.  Nothing is kept open or in memory.

    ``name`` is by default that of the file or folder.  Raises :class:`WeightsError` where there is none, or what is
    there is not whole.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or (self.path.stem if self.path.suffix == ".safetensors" else self.path.name)
        self._places = {name: place for file in _files(self.path) for name, place in _header(file).items()}
        self.layout: Layout = {name: place.spec for name, place in self._places.items()}
        self._files = frozenset((place.file.resolve(), place.state) for place in self._places.values())

    def __eq__(self, other: object) -> bool:
        """The same files in the same state, so that what is opened for several vectors is read once."""
        return isinstance(other, Checkpoint) and self._files == other._files

    def __hash__(self) -> int:
        return hash(self._files)

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, {len(self.layout)} tensors)"

    @property
    def files(self) -> list[tuple[str, int, int]]:
        """Path, time of writing and bytes of each."""
        return sorted((str(file), *state) for file, state in self._files)

    def require_model(self) -> None:
        """Raise :class:`WeightsError` where the file holds a saved vector, whose tensors are no weights."""
        if self.path.is_file() and SAVED in metadata(self.path):
            raise WeightsError(f"{self.path} is a saved vector; read it with TaskVector.load")

    def stored(self, name: str, start: int, stop: int) -> NDArray[Any]:
        place = self._places[name]
        dtype = place.spec.stored
        try:
            found = np.fromfile(place.file, dtype, stop - start, offset=place.offset + start * dtype.itemsize)
            state = _state(place.file)
        except OSError as error:
            raise WeightsError(f"{place.file} cannot be read ({error.strerror}); check it, and run again") from error
        if state != place.state:
            raise WeightsError(f"{place.file} has changed since it was opened; open it again")
        return found


@final
class InMemory:
    """Arrays by name; float16, float32, float64, integers and booleans."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str = "in memory") -> None:
        self.name = name
        self._tensors = {key: np.asarray(values, order="C") for key, values in tensors.items()}
        self.layout: Layout = {key: Spec(_named(key, v.dtype), v.shape) for key, v in self._tensors.items()}

    def stored(self, name: str, start: int, stop: int) -> NDArray[Any]:
        return self._tensors[name].reshape(-1)[start:stop]


def opened(weights: str | Path | Mapping[str, NDArray[Any]] | Weights) -> Weights:
    """A path, the id of a model on the Hub, arrays by name, or what is opened already."""
    if isinstance(weights, (str, Path)):
        place = located(weights)
        weights = Checkpoint(place, None if place.name == Path(weights).name else Path(weights).name.partition("@")[0])
    if isinstance(weights, Checkpoint):
        weights.require_model()
    return weights if isinstance(weights, (Checkpoint, InMemory)) or hasattr(weights, "layout") else InMemory(weights)  # pyright: ignore[reportArgumentType, reportReturnType]  # what has no layout is a mapping


def whole(weights: Weights, name: str) -> NDArray[Any]:
    """One tensor in its shape, decoded where it is a floating one."""
    spec = weights.layout[name]
    stored = weights.stored(name, 0, spec.size)
    return (decode(stored, spec.dtype) if spec.floating else stored).reshape(spec.shape)


def digest(weights: Weights, name: str) -> str:
    """Names a tensor by its layout and a sample of its bytes: equal for equal tensors, in every file layout."""
    spec = weights.layout[name]
    size = max(_SAMPLE // spec.stored.itemsize, 1)
    starts = sorted({int(at) for at in np.linspace(0, max(spec.size - size, 0), _SAMPLES)})
    seen = b"".join(weights.stored(name, at, min(at + size, spec.size)).tobytes() for at in starts)
    return hashlib.sha256(f"{spec}".encode() + seen).hexdigest()[:16]


def metadata(file: Path) -> Mapping[str, str]:
    """The strings of a safetensors header that are about the whole file."""
    _, said = _said(file)
    found = said.get("__metadata__")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def named(*parts: str | bytes) -> str:
    """One short name of all parts, in their order."""
    seen = hashlib.sha256()
    for part in parts:
        said = part.encode() if isinstance(part, str) else part
        seen.update(len(said).to_bytes(8, "little") + said)
    return seen.hexdigest()[:32]


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    if (path / SINGLE).is_file():
        return [path / SINGLE]
    if (path / INDEX).is_file():
        return _indexed(path / INDEX)
    if not path.exists():
        raise WeightsError(f"there is no checkpoint at {path}; check the path")
    pickled = sorted(file.name for file in path.glob("*.bin"))
    if pickled:
        raise WeightsError(f"{path} holds {pickled[0]}, which is pickled; save the model again as safetensors")
    raise WeightsError(f"{path} holds neither {SINGLE} nor {INDEX}; give the folder of a saved model, or its file")


def _indexed(index: Path) -> list[Path]:
    try:
        names: set[str] = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is no index of shards ({type(error).__name__}); save the model again") from error
    if odd := sorted(name for name in names if Path(name).name != name):
        raise WeightsError(f"{index} names {odd[0]!r}, which is not a file beside it; save the model again")
    if lost := sorted(name for name in names if not (index.parent / name).is_file()):
        raise WeightsError(f"{index} names {lost[0]!r}, which is not there; copy the whole folder")
    return [index.parent / name for name in sorted(names)]


def _header(file: Path) -> dict[str, _Place]:
    """Where each tensor lies."""
    begin, said = _said(file)
    try:
        state = _state(file)
        tensors = {name: about for name, about in said.items() if name != "__metadata__"}
        return {name: _place(file, begin, state, name, about) for name, about in tensors.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"the header of {file} is damaged ({type(error).__name__}); save the model again") from error


def _said(file: Path) -> tuple[int, dict[str, Any]]:
    """Where the numbers begin, and the header: the format is a length, that many bytes of JSON, the numbers."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            size = file.stat().st_size
            said = json.loads(opened.read(length)) if 8 + length <= size else None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} is not a readable safetensors file ({error}); save the model again") from error
    if not isinstance(said, dict):
        raise WeightsError(f"{file} is not a whole safetensors file; copy or save it again")
    return 8 + length, said


def _state(file: Path) -> tuple[int, int]:
    """When it was last written, and its bytes: headers are read once, and hold for no other file of that name."""
    now = file.stat()
    return now.st_mtime_ns, now.st_size


def _place(file: Path, start: int, state: tuple[int, int], name: str, about: Mapping[str, Any]) -> _Place:
    spec = Spec(str(about["dtype"]), tuple(int(n) for n in about["shape"]))
    if spec.dtype not in FLOATING and spec.dtype not in OTHER:
        raise WeightsError(f"{name!r} of {file} is stored as {spec.dtype}; save the model in F32, F16 or BF16")
    begin, end = (int(n) for n in about["data_offsets"])
    if end - begin != spec.nbytes:
        raise WeightsError(f"{name!r} of {file} is {spec}, and has {end - begin} bytes; save the model again")
    if start + end > state[1]:
        raise WeightsError(f"{file} ends after {state[1]:,} bytes, within {name!r}; it was cut short, so copy it again")
    return _Place(spec, file, start + begin, state)


def _named(key: str, dtype: np.dtype[Any]) -> str:
    for name, stored in (FLOATING | OTHER).items():
        if np.dtype(stored) == dtype and name != "BF16":
            return name
    raise WeightsError(f"{key!r} holds {dtype}; give float16, float32, float64, integers or booleans")
