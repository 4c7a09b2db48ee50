"""One table at one version: what is read of it stays the same, whoever writes."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.atlas.engines.lance._errors import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


@final
class Snapshot:
    """Reads; ``where`` is an expression of :mod:`taskspace.atlas.engines.lance._filters`."""

    def __init__(self, handle: Any, place: object) -> None:
        self._handle = handle
        self._place = place
        self.version = int(handle.version)

    @cached_property
    def generation(self) -> str:
        """Another one after every write, in a copied or restored folder too, whose versions count on like ours."""
        written = np.sort(self.columns("written")["written"].to_numpy())
        return f"{self.version}_{hashlib.sha256(written.tobytes()).hexdigest()[:16]}"

    @cached_property
    def count(self) -> int:
        with sentences(self._place):
            return int(self._handle.count_rows())

    def columns(self, *names: str, where: Any = None) -> Any:
        """An Arrow table of these columns, and each row's id in ``_rowid``."""
        with sentences(self._place):
            return self._scan(names, where).to_arrow()

    def batches(self, *names: str, size: int) -> Iterator[Any]:
        """The same in parts of at most ``size`` rows."""
        with sentences(self._place):
            yield from self._scan(names, None).to_batches(size)

    def take(self, ids: NDArray[np.uint64], *names: str) -> Any:
        """An Arrow table of these columns for these rows, in their order."""
        with sentences(self._place):
            found = self._handle.take_row_ids(ids.tolist()).select(list(names)).with_row_id().to_arrow()
        there = found["_rowid"].to_numpy()
        places = np.argsort(there)[np.searchsorted(np.sort(there), ids)]
        return found.take(places)

    def nearest(self, vector: NDArray[np.float32], count: int, where: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """The ids uint64[m] of the ``count`` rows of highest cosine, and their cosines as LanceDB sums them."""
        with sentences(self._place):
            search = self._handle.search(vector, vector_column_name="vector").distance_type("cosine")
            search = search.bypass_vector_index().where(where, prefilter=True).select(["_distance"])
            found = search.with_row_id(True).limit(count).to_arrow()
        return found["_rowid"].to_numpy(), 1.0 - found["_distance"].to_numpy()

    def _scan(self, names: Sequence[str], where: Any) -> Any:
        search = self._handle.search().select(list(names)).with_row_id(True)
        return search if where is None else search.where(where)


def vectors_of(found: Any) -> NDArray[np.float32]:
    """float32[n, d] of the column ``vector`` of an Arrow table or batch."""
    column = found.column("vector")
    flat = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return flat.flatten().to_numpy().reshape(found.num_rows, column.type.list_size)
