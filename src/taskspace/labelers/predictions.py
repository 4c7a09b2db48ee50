"""Files of predictions as labelers: one row per pool text, made wherever the model lives."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from zipfile import BadZipFile

import numpy as np

from taskspace.data.files import existing, open_table, stem
from taskspace.data.frames import FrameTable
from taskspace.data.lines import opened
from taskspace.errors import LabelerError
from taskspace.labelers._answers import to_answers
from taskspace.labelers._content import content_hash
from taskspace.labelers._labeler import LabelerKind, Reads, first_line, part_of, require_name
from taskspace.labelers._origin import Origin
from taskspace.labelers._rows import rows_of
from taskspace.labelers._table import answers_of_table, shown, texts_of_table

if TYPE_CHECKING:
    from taskspace.data.rows import Source
    from taskspace.labels import Answers
    from taskspace.task import Inputs, Pool

Stated: TypeAlias = tuple[str | None, str | None]
"""The text and second text that a row says it answers; ``None`` where it does not say."""


@dataclass(frozen=True, eq=False)
class PredictionsLabeler:
    """Answers that are already there, row by row; made by :func:`from_predictions`."""

    name: str
    answers: Answers = field(repr=False)
    stated: Sequence[Stated] = field(repr=False)
    origin: Origin = field(repr=False)
    fingerprint: str
    provenance: Mapping[str, Any]
    reads: Reads = "both"
    kind: LabelerKind = "model"

    def for_pool(self, pool: Pool, *, progress: bool) -> PredictionsLabeler:
        """The same predictions, knowing which part of this pool they answer: the part with as many rows."""
        pairs = int(pool.inputs.is_pair.sum())
        counts: dict[Reads, int] = {"both": len(pool), "texts": len(pool) - pairs, "pairs": pairs}
        fitting: list[Reads] = [reads for reads, count in counts.items() if count == len(self.answers)]
        if not fitting:
            raise LabelerError(
                f"{self.origin} has {len(self.answers)} rows, but the pool has {len(pool)} "
                f"({counts['texts']} single texts and {pairs} pairs); give one row for each of them, in pool order"
            )
        if fitting[0] != "both" and len(fitting) > 1:
            fitting = [reads for reads in fitting if self._first_difference(part_of(pool, reads, "")) is None]
            if len(fitting) != 1:
                raise LabelerError(
                    f"{self.origin} has {len(self.answers)} rows, and the pool has as many single texts as pairs; "
                    f"add a text column that says which are answered, or give one row for each of the {len(pool)}"
                )
        return replace(self, reads=fitting[0])

    def answer(self, inputs: Inputs) -> Answers:
        """The stored answers, once it is sure that they speak of these texts."""
        if len(inputs) != len(self.answers):
            raise LabelerError(
                f"{self.origin} has {len(self.answers)} rows but {len(inputs)} texts are asked; give one row per text"
            )
        row = self._first_difference(inputs)
        if row is not None:
            mine, asked = self.stated[row], (inputs.texts[row], inputs.pairs[row])
            part = 0 if not _same(mine[0], asked[0]) else 1
            raise LabelerError(
                f"{self.origin} has the text {shown(mine[part])} in {self.origin.at(row)} where the pool has "
                f"{shown(asked[part])}; give its rows in pool order"
            )
        return self.answers

    def _first_difference(self, inputs: Inputs) -> int | None:
        rows = enumerate(zip(self.stated, inputs.texts, inputs.pairs, strict=True))
        return next((row for row, (mine, *asked) in rows if not all(map(_same, mine, asked))), None)


def from_predictions(path_or_rows: str | Path | Any, *, name: str | None = None) -> PredictionsLabeler:
    """Make a labeler of predictions for a pool, in pool order: a file, or rows in memory.

    A JSONL, CSV, TSV or Parquet file (each also ``.gz``) has, per row, one of

    * ``label``; with ``score`` beside it, the probability of that label;
    * ``probs`` or ``probabilities``: a list, or a dict ``{label: p}``;
    * ``score``: a real number;
    * one column per class, holding its probability;

    and may have ``text`` and ``text_pair``, which must then match the pool.  Empty cells abstain.  A
    ``.npy`` file holds an array of probabilities, labels or numbers.  In memory, a data frame, a list of
    such rows, or whatever a function may give (see :func:`taskspace.labelers.from_callable`) will do.

    It answers the whole pool if it has as many rows, else the single texts or the pairs if it has as
    many rows as these.  The fingerprint is of the answers alone: path, name and format do not count.

    Raises :class:`LabelerError` or :class:`taskspace.errors.DataError` when it cannot be read so.
    """
    if isinstance(path_or_rows, str | Path):
        path = existing(path_or_rows)
        default, provenance = _stem(path), {"source": "predictions", "file": path.name}
        answers, stated, origin = _from_array_file(path) if _is_array(path) else _from_table(open_table(path))
    else:
        default, provenance = "predictions", {"source": "predictions"}
        answers, stated, origin = _from_memory(path_or_rows)
    content = content_hash("predictions", answers.kind, answers.known, answers.values)
    named = require_name(default if name is None else name)
    return PredictionsLabeler(named, answers, stated, origin, content, provenance)


_Parsed: TypeAlias = "tuple[Answers, Sequence[Stated], Origin]"


def _from_table(table: Source) -> _Parsed:
    columns = table.columns()
    numbered = list(table.rows(columns))
    rows = [row for _, row in numbered]
    return _parsed(rows, columns, Origin(table.what, table.unit, [number for number, _ in numbered]))


def _from_memory(given: Any) -> _Parsed:
    import narwhals.stable.v2 as nw

    frame: Any = nw.from_native(given, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return _from_table(FrameTable(frame))
    rows = given if hasattr(given, "__len__") else list(given)
    origin = Origin("the list of predictions")
    if isinstance(rows, Sequence) and rows and all(isinstance(row, Mapping) for row in rows):
        return _parsed(rows, list(dict.fromkeys(key for row in rows for key in row)), origin)
    return _without_texts(rows, origin)


def _parsed(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], origin: Origin) -> _Parsed:
    if not rows:
        raise LabelerError(f"{origin} has no rows; give one per text of the pool")
    return answers_of_table(rows, columns, origin), texts_of_table(rows, origin), origin


def _without_texts(rows: Any, origin: Origin) -> _Parsed:
    if not len(rows):
        raise LabelerError(f"{origin} has no rows; give one per text of the pool")
    return to_answers(rows_of(rows, len(rows), str(origin)), origin), [(None, None)] * len(rows), origin


def _from_array_file(path: Path) -> _Parsed:
    with opened(path) as file:
        content = io.BytesIO(file.read())
    try:
        array: Any = np.load(content, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:
        raise LabelerError(f"{path} cannot be read as a numpy array ({first_line(error)}); save it again") from error
    if not isinstance(array, np.ndarray):
        raise LabelerError(f"{path} holds several arrays; save the one with the predictions by numpy.save")
    if not array.ndim:
        raise LabelerError(f"{path} holds a single value; give one row per text of the pool")
    return _without_texts(array, Origin(str(path)))


def _is_array(path: Path) -> bool:
    return path.name.casefold().removesuffix(".gz").endswith(".npy")


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem if _is_array(path) else stem(path)


def _same(stated: str | None, asked: str | None) -> bool:
    """White space aside, which formats do not all keep; what is not stated agrees."""
    return stated is None or stated == asked or (asked is not None and stated.split() == asked.split())
