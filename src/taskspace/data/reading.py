"""From a table to a task: choose columns, sample if asked, read the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.data.cells import ClassNames
from taskspace.data.columns import choose
from taskspace.data.files import existing, open_table, stem
from taskspace.data.folder import Card, read_card, split_file
from taskspace.data.rows import Example, Examples, Source
from taskspace.data.sampling import sample
from taskspace.errors import SettingError
from taskspace.labels import Classes, LabelKind, Labels, RawLabel, parse_labels
from taskspace.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_task(
    path: str | Path,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    kind: LabelKind | None = None,
    name: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    split: str = "train",
) -> Task:
    """Read a JSONL, JSON, CSV, TSV or Parquet file (each also ``.gz``), or a folder with ``task.json``.

    Columns that are not said are guessed from the usual names; names of classes go before their
    codes.  ``text`` said alone means one text per row.  Rows without a text are left out with a
    warning; a missing label stays missing.  ``split`` counts for folders only.

    ``limit`` draws a seeded sample, stratified by class, in memory that grows with ``limit`` and not
    with the file (``.json`` lists aside, which are read whole).  Each class keeps its share and at
    least one row; with more classes than ``limit``, or without classes, every row has the same chance.

    Raises :class:`DataError` with file and line for whatever cannot be read.
    """
    path = existing(path)
    folder = path.is_dir()
    card = read_card(path) if folder else Card(stem(path))
    source = open_table(split_file(path, split) if folder else path)
    said = {"text": text, "text_pair": text_pair, "label": label}
    return build_task(source, card, said=said, kind=kind, name=name, limit=limit, seed=seed)


def build_task(
    source: Source,
    card: Card,
    *,
    said: dict[str, str | None],
    kind: LabelKind | None,
    name: str | None,
    limit: int | None,
    seed: int,
) -> Task:
    """The task in a table; ``said`` holds the column names that the caller gave."""
    check_limit(limit)
    parse_labels((), kind)  # refuses an unknown kind before a long read
    columns = choose(source.what, source.columns(), **said, kind=kind)
    class_names = ClassNames(card.label_names) if card.label_names and kind in (None, "classes") else None
    examples = Examples(source, columns, class_names)
    rows, kind = read_examples(examples, limit, seed, "classes" if class_names else kind)
    labels = _labels([row.label for row in rows], class_names, kind)
    return Task(
        [row.text for row in rows], labels, [row.pair for row in rows], name or card.name, description=card.description
    )


def read_examples(
    examples: Examples, limit: int | None, seed: int, kind: LabelKind | None
) -> tuple[list[Example], LabelKind | None]:
    """All rows, or a sample and the kind of labels that the whole table shows."""
    return (list(examples), kind) if limit is None else sample(examples, limit, seed, kind)


def check_limit(limit: int | None) -> None:
    """Raise :class:`SettingError` for a limit that leaves no row."""
    if limit is not None and limit < 1:
        raise SettingError(f"limit is {limit}; give at least 1, or leave it out to read all rows")


def _labels(raw: Sequence[RawLabel], class_names: ClassNames | None, kind: LabelKind | None) -> Labels:
    """Known class names keep their order and stay even where no row has them."""
    if class_names is None:
        return parse_labels(raw, kind)
    codes = [-1 if value is None else class_names.code_of[str(value)] for value in raw]
    return Classes(np.array(codes, dtype=np.int64), class_names.names)
