"""Tensors in a file, decoded a stretch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from taskspace.merging.checkpoint import digest, named
from taskspace.merging.codecs.low_rank import LowRank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.carriers import Pair
    from taskspace.merging.checkpoint import Checkpoint, Layout
    from taskspace.merging.codecs._codec import Bound, Decoder
    from taskspace.merging.numbers import Spec
    from taskspace.merging.window import Window


def part_name(at: str, part: str) -> str:
    """What a part is called in the file."""
    return f"{at}:{part}" if part else at


@dataclass(frozen=True)
class Entry:
    """One tensor of a saved vector: the name that its parts begin with, how they are read, and what it is."""

    at: str
    codec: Decoder
    spec: Spec


@final
class InFile:
    """The parts of one entry."""

    def __init__(self, file: Checkpoint, at: str) -> None:
        self._file, self._at = file, at

    def size(self, part: str) -> int:
        return self._file.layout[part_name(self._at, part)].size

    def read(self, part: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        return self._file.stored(part_name(self._at, part), start, self.size(part) if stop is None else stop)


@dataclass(frozen=True, eq=False)
class Stored:
    """A carrier over a file."""

    file: Checkpoint
    entries: Mapping[str, Entry]
    layout: Layout

    whole = False

    @classmethod
    def of(cls, file: Checkpoint, entries: Mapping[str, Entry]) -> Stored:
        return cls(file, entries, {name: entry.spec for name, entry in entries.items()})

    def block(self, window: Window) -> NDArray[Any]:
        entry = self.entries[window.name]
        return entry.codec.decode(InFile(self.file, entry.at), entry.spec, window.start, window.stop)

    def identity(self) -> str:
        parts = [part_name(entry.at, part) for entry in self.entries.values() for part in entry.codec.sizes(entry.spec)]
        return named(*(digest(self.file, part) for part in dict.fromkeys(parts)))

    def bounds(self) -> dict[str, Bound]:
        """How far each tensor may be from what was saved."""
        return {n: entry.codec.bound(InFile(self.file, entry.at), entry.spec) for n, entry in self.entries.items()}


@final
class StoredPairs(Mapping[str, "Pair"]):
    """Factor pairs of a file; the one that was read last stays in memory."""

    def __init__(self, file: Checkpoint, entries: Mapping[str, Entry]) -> None:
        self._file, self._entries = file, entries
        self._last: tuple[str, Pair] | None = None

    def __getitem__(self, name: str) -> Pair:
        last = self._last
        if last is None or last[0] != name:
            entry = self._entries[name]
            assert isinstance(entry.codec, LowRank)
            last = self._last = (name, entry.codec.pair(InFile(self._file, entry.at), entry.spec))
        return last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
