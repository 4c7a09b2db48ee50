"""From a path to a table: suffixes, names, and what to say when there is no such file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taskspace.data.delimited import Delimited
from taskspace.data.jsonl import JsonLines, json_table
from taskspace.data.lines import TextLines
from taskspace.data.parquet import Parquet
from taskspace.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from taskspace.data.rows import Source

FORMATS: dict[str, Callable[[Path], Source]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": json_table,
    ".csv": Delimited,
    ".tsv": lambda path: Delimited(path, "\t"),
    ".parquet": Parquet,
    ".txt": TextLines,
}


def open_table(path: Path) -> Source:
    """The table in a file, chosen by suffix; raises :class:`DataError` if it is empty or of another kind."""
    suffix = format_of(path)
    if suffix is None:
        known = ", ".join(FORMATS)
        raise DataError(
            f"{path} has none of the suffixes that can be read ({known}, each also .gz); convert or rename it"
        )
    if path.is_file() and not path.stat().st_size:
        raise DataError(f"{path} is empty; give a file with at least two rows")
    return FORMATS[suffix](path)


def existing(path: str | Path) -> Path:
    """The path, if there is something; else :class:`DataError` with the nearest name in its folder."""
    path = Path(path)
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)[:200]} cannot be opened ({error}); check the path") from error
    else:
        return path
    if not path.parent.is_dir():
        raise DataError(f"there is no file {path}, nor a folder {path.parent}; check the path")
    names = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    raise DataError(f"there is no file {path}{did_you_mean(path.name, names) or '; its folder is empty'}")


def format_of(path: Path) -> str | None:
    """``.csv`` for ``a.csv`` and ``a.CSV.gz``; ``None`` if the format is not among those read."""
    bare = Path(_without_gz(path.name))
    suffix = bare.suffix.casefold()
    return suffix if suffix in FORMATS else None


def stem(path: Path) -> str:
    """The file's name without the suffixes of its format: ``a.b`` for ``a.b.jsonl.gz``."""
    bare = Path(_without_gz(path.name))
    return bare.stem if bare.suffix.casefold() in FORMATS else bare.name


def _without_gz(name: str) -> str:
    return name[:-3] if name.casefold().endswith(".gz") else name
