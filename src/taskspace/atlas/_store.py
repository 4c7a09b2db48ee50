"""The seam: what the Atlas asks of a store.  Selectors, sentences and search are above it, files and tables below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.atlas._stored import Record, Row, SpaceRow
    from taskspace.atlas._values import Entry, Transfer
    from taskspace.embedding import Blocks, Kind, SpaceId, TaskEmbedding

PATIENCE = 60.0
"""Seconds to wait for another writer."""


class Found(NamedTuple):
    """What a store found by itself: rows, and their vectors float32[n, d]."""

    rows: Sequence[Row]
    vectors: NDArray[np.float32]


class View(Protocol):
    """One state of the store, that of its first question or before: what others write meanwhile does not show.

    A ``space`` is a row of :meth:`spaces` of the same view.
    """

    @property
    def uuid(self) -> str:
        """Tells this atlas from any other."""
        ...

    def spaces(self) -> list[SpaceRow]:
        """All spaces, oldest first."""
        ...

    def count(self) -> int:
        """How many embeddings there are, in all spaces."""
        ...

    def holding(self, names: Sequence[str]) -> dict[str, set[str]]:
        """For each name the fingerprints of the spaces with an embedding of that name."""
        ...

    def kinds(self, space: SpaceRow, names: Sequence[str]) -> dict[str, Kind]:
        """The kind of each of these names that is there."""
        ...

    def names(self, space: SpaceRow) -> list[str]:
        """All names of a space, in any order."""
        ...

    def names_of(self, space: SpaceRow, content: str, kind: Kind) -> list[str]:
        """The names of what has this content and kind, in any order."""
        ...

    def entries(self, space: SpaceRow, kind: Kind | None = None) -> list[Entry]:
        """Everything but vectors, in any order."""
        ...

    def record(self, space: SpaceRow, name: str) -> Record:
        """The embedding of that name, which must be there."""
        ...

    def records(self, space: SpaceRow, size: int) -> Iterator[list[Record]]:
        """Everything, oldest first, ``size`` at a time."""
        ...

    def rows(self, space: SpaceRow) -> list[Row]:
        """A row per embedding, oldest first."""
        ...

    def fill(self, space: SpaceRow, out: NDArray[np.float32]) -> None:
        """Put all vectors into ``out`` float32[n, d], in the order of :meth:`rows`."""
        ...

    def closest(self, space: SpaceRow, target: TaskEmbedding, k: int, kind: Kind | None) -> Found | None:
        """Candidates enough for the ``k`` of highest cosine, where the store can search by itself.

        Among them is everything that ties with the last of the ``k``, says nothing, or is the target itself.
        """
        ...

    def packed_pool(self, fingerprint: str) -> bytes | None:
        """A pool as it was put, if it is there."""
        ...

    def transfers(self) -> list[Transfer]:
        """All measurements, in the order in which they were noted."""
        ...

    def check(self) -> Iterable[str]:
        """What is wrong with the store, one line each."""
        ...


class Change(View, Protocol):
    """A view, and changes to it that are stored when it ends well.

    Its questions are about what was there before; what was changed since may show (SQLite) or not (LanceDB).  What was
    removed can be put again, as another kind too.

    SQLite stores all of them or none.  LanceDB stores those of one space, of the transfers, of the pools and of the
    list of spaces together, one after the other: pools, spaces, transfers, then each space's embeddings.
    """

    def put_pool(self, fingerprint: str, packed: bytes) -> None:
        """Keep a pool, unless it is there."""
        ...

    def put_space(self, space: SpaceId) -> SpaceRow:
        """The space as stored, added if it is new."""
        ...

    def set_options(self, space: SpaceRow, options: Mapping[str, Any]) -> None:
        """Keep the options with which a space can be opened again."""
        ...

    def put(self, space: SpaceRow, blocks: Blocks, records: Sequence[Record]) -> None:
        """Store records of different names, over what has these names and their kind.

        ``blocks`` are those of all vectors there; they change only in an empty space.
        """
        ...

    def remove(self, space: SpaceRow, names: Sequence[str]) -> None:
        """Take out what has these names, which must be there."""
        ...

    def rename(self, space: SpaceRow, old: str, new: str) -> None:
        """Give what is named ``old`` the name ``new``, which must be free."""
        ...

    def note(self, transfers: Sequence[Transfer]) -> None:
        """Add measurements."""
        ...

    def rename_in_transfers(self, old: str, new: str) -> None:
        """Follow a renaming, on both sides of every measurement."""
        ...


class Store(Protocol):
    """An open atlas, for several threads and processes at once."""

    @property
    def path(self) -> Path | str:
        """Where it is, as the user said."""
        ...

    def reading(self) -> AbstractContextManager[View]:
        """A view, which no writer waits for."""
        ...

    def writing(self) -> AbstractContextManager[Change]:
        """A change; other writers wait, so keep it short."""
        ...

    def close(self) -> None:
        """Tidy up and let go."""
        ...
