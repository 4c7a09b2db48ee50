"""Parquet by record batches, so that a file larger than memory streams."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.data.lines import opened
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

_BATCH = 1024
_BUFFER = 1 << 20  # bytes; without it the columns of a row group are read whole


@dataclass(frozen=True)
class Parquet:
    """A Parquet file; a gzipped one is unpacked into a temporary file first, as its footer stands at the end."""

    path: Path
    unit: str = "row"

    @property
    def what(self) -> str:
        return str(self.path)

    def columns(self) -> Sequence[str]:
        with self._file() as file:
            return tuple(file.schema_arrow.names)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        start = 1
        with self._file() as file:
            for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns)):
                yield from enumerate(batch.to_pylist(), start)
                start += batch.num_rows

    @contextmanager
    def _file(self) -> Generator[Any, None, None]:
        parquet = require("pyarrow.parquet", extra="parquet", why=f"reading {self.path}")
        arrow = require("pyarrow", extra="parquet", why=f"reading {self.path}")
        with opened(self.path) as packed, tempfile.TemporaryFile() as unpacked:
            zipped = self.path.suffix.casefold() == ".gz"
            if zipped:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
            try:
                with parquet.ParquetFile(unpacked if zipped else packed, buffer_size=_BUFFER, pre_buffer=False) as file:
                    yield file
            except (arrow.ArrowException, OSError) as error:
                seen = f"{self.path} is not a readable Parquet file ({' '.join(str(error).split())})"
                raise DataError(f"{seen}; write it again") from error
