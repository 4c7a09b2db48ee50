"""Data sets of the Hub, through ``datasets``."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.data.columns import choose
from taskspace.data.folder import Card
from taskspace.data.reading import build_task
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from taskspace.labels import LabelKind
    from taskspace.task import Task

_BATCH = 1024


def task_from_hub(
    path: str,
    name: str | None = None,
    *,
    split: str = "train",
    revision: str | None = None,
    data_files: Any = None,
    streaming: bool = False,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    kind: LabelKind | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Task:
    """Load a data set with the arguments of ``datasets.load_dataset``, then read it as a file is read.

    ``name`` is the configuration, as in ``load_dataset``; the task is called ``path`` or ``path:name``.
    Class names come from the data set's own ``ClassLabel`` feature, and -1 is a missing label.
    With ``streaming``, ``limit`` reads the stream twice.  No code of a data set is ever run.

    Raises :class:`DataError` when it cannot be had or read, :class:`MissingExtra` without ``datasets``.
    """
    what = f"data set {path}" if name is None else f"data set {path} ({name})"
    datasets = require("datasets", extra="hub", why=f"reading {what}")
    with _explained(what):
        loaded = datasets.load_dataset(
            path, name, split=split, revision=revision, data_files=data_files, streaming=streaming
        )
    source = HubTable(what, loaded)
    said = {"text": text, "text_pair": text_pair, "label": label}
    column = choose(what, source.columns(), **said, kind=kind).label
    card = Card(path if name is None else f"{path}:{name}", label_names=source.class_names(column))
    return build_task(source, card, said=said, kind=kind, name=None, limit=limit, seed=seed)


@dataclass(frozen=True, eq=False)
class HubTable:
    """A loaded ``Dataset`` or a streamed ``IterableDataset`` as a table."""

    what: str
    loaded: Any
    unit: str = "row"

    def columns(self) -> Sequence[str]:
        with _explained(self.what):
            # A stream of raw files may not know its columns before the first row.
            return tuple(self.loaded.column_names or next(iter(self.loaded), {}))

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        with _explained(self.what):
            start = 1
            for batch in self.loaded.select_columns(list(columns)).iter(batch_size=_BATCH):
                cells = [batch[column] for column in columns]
                for number, row in enumerate(zip(*cells, strict=True), start):
                    yield number, dict(zip(columns, row, strict=True))
                start += len(cells[0])

    def class_names(self, column: str | None) -> tuple[str, ...]:
        """Names of a ``ClassLabel`` column in code order; empty for any other."""
        names = getattr((self.loaded.features or {}).get(column), "names", None)
        # An unquoted `no` in a card arrives as False.
        return tuple(map(str, names)) if isinstance(names, list) else ()


@contextmanager
def _explained(what: str) -> Generator[None, None, None]:
    """What ``datasets`` raises, as one sentence with a remedy; its own words stand in brackets."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (DatasetsError, OSError, ValueError, LookupError, RuntimeError, ImportError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{what} cannot be read ({words[:200]}); {_remedy(error, words)}") from error


def _remedy(error: Exception, words: str) -> str:
    if "scripts are no longer supported" in words:
        return "it needs a script, which is never run: use its Parquet copy with revision='refs/convert/parquet'"
    if "Config" in words:
        return "give one of its configurations as name"
    if "split" in words.casefold():
        return "give one of its splits as split"
    if isinstance(error, ConnectionError) or "offline" in words.casefold():
        return "go online once to fetch it, or give a local folder or file"
    if isinstance(error, FileNotFoundError):
        return "check its id and data_files, and log in if it is private or gated"
    return "check the arguments, which are those of datasets.load_dataset"
