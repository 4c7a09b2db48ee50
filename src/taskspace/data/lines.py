"""Lines of a file, UTF-8 with or without BOM, gzipped or not; the ground of all text formats."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Generator[IO[bytes], None, None]:
    """The bytes of a file, unzipped if it ends in ``.gz``; trouble with reading becomes :class:`DataError`."""
    try:
        with gzip.open(path, "rb") if path.suffix.casefold() == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut short or not gzip at all ({error}); fetch or compress it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the file and its rights") from error


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines with their ends.  Only line feeds end a line, as editors count them."""
    with opened(path) as file:
        for number, raw in enumerate(file, 1):
            raw = raw.removeprefix(_BOM) if number == 1 else raw
            try:
                yield number, raw.decode("utf-8")
            except UnicodeDecodeError as error:
                seen = f"{path}, line {number}: byte {error.start + 1} (0x{raw[error.start]:02x}) is not valid UTF-8"
                raise DataError(f"{seen}; save the file as UTF-8") from error


@dataclass(frozen=True)
class TextLines:
    """One text per line, no labels; blank lines are skipped."""

    path: Path
    unit: str = "line"

    @property
    def what(self) -> str:
        return str(self.path)

    def columns(self) -> Sequence[str]:
        return ("text",)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        return ((number, {"text": line.rstrip("\r\n")}) for number, line in text_lines(self.path) if not line.isspace())
