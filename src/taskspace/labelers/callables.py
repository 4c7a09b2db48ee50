"""Functions as labelers: anything that takes a list of texts and gives one answer per text."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.labelers._answers import to_answers
from taskspace.labelers._content import content_hash, qualified_name
from taskspace.labelers._kept import KeptLabeler
from taskspace.labelers._labeler import LabelerKind, Reads, require_name, require_reads, running
from taskspace.labelers._origin import Origin, labeler_origin
from taskspace.labelers._progress import in_batches
from taskspace.labelers._rows import rows_of
from taskspace.labelers.store import AnswerStore, Item, default_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from taskspace.labels import Answers
    from taskspace.task import Inputs, Pool


@dataclass(frozen=True, eq=False)
class CallableLabeler:
    """A function that answers in batches; made by :func:`from_callable`.

    A labeler by itself, and an :class:`~taskspace.labelers._kept.Answerer` where its answers are kept.
    """

    name: str
    function: Callable[[list[Any]], Any] = field(repr=False)
    reads: Reads
    batch_size: int
    fingerprint: str
    provenance: Mapping[str, Any]
    kind: LabelerKind = "model"
    progress: bool = field(default=False, repr=False)

    def for_pool(self, pool: Pool, *, progress: bool) -> CallableLabeler:
        """The same labeler, showing how far it is; the pool changes nothing."""
        return replace(self, progress=progress)

    def answer(self, inputs: Inputs) -> Answers:
        """Ask batch by batch, and read the answers of all batches together: one batch may lack a class."""
        given = _as_given(inputs, self.reads)
        rows: list[Any] = []
        for batch in in_batches(len(given), self.batch_size, self.name, progress=self.progress):
            rows += self._answer_batch(given[batch.start : batch.stop], batch)
        return to_answers(rows, labeler_origin(self.name))

    @property
    def key(self) -> str:
        """With the name: functions that hold different models look alike otherwise."""
        return self.fingerprint

    def batches(self, inputs: Inputs) -> Iterator[Mapping[int, Item]]:
        """Rows as JSON has them; a batch that is unsound is refused, so that it is not kept."""
        given = _as_given(inputs, self.reads)
        for batch in in_batches(len(given), self.batch_size, self.name, progress=False):
            rows = self._answer_batch(given[batch.start : batch.stop], batch)
            if any(row is not None and not _names_the_best(row) for row in rows):
                to_answers(rows, Origin(f"labeler {self.name!r}", numbers=batch))
            yield dict(zip(batch, map(_item, rows), strict=True))

    def answers(self, items: Sequence[Item]) -> Answers:
        return to_answers(items, labeler_origin(self.name))

    def _answer_batch(self, given: list[Any], batch: range) -> list[Any]:
        who = labeler_origin(self.name)
        where = f"rows {batch.start} to {batch.stop - 1}"
        return running(
            lambda: rows_of(self.function(given), len(given), f"{who} ({where})"), f"{who} failed on {where}"
        )


def from_callable(
    function: Callable[[list[Any]], Any],
    *,
    name: str,
    reads: Reads = "texts",
    batch_size: int = 256,
    version: str = "",
    store: AnswerStore | None = None,
) -> CallableLabeler | KeptLabeler:
    """Make a labeler of ``function(texts)``, or of ``function([(text, second), …])`` if it reads pairs or both.

    It gives one answer per text, in one form throughout; ``None``, ``""`` and NaN abstain:

    * class probabilities: an array, tensor or frame of shape [n, classes], or lists, or one dict
      ``{label: probability}`` per text; a single column is the probability of one of two classes;
    * labels: words, whole numbers or booleans; numbers of which any has a fraction are real numbers;
    * ``{"label": …, "score": …}`` per text, or a list of them, as text-classification pipelines give.

    With ``reads="both"`` the second text of a single text is ``None``.

    The fingerprint covers ``name``, ``reads``, ``version``, the function's qualified name, its code and
    the plain values it holds (defaults, closure, attributes of a callable object).  It cannot see what a
    function reads elsewhere: globals, files, the weights of a model.  Pass ``version`` (a commit, a
    date) where answers depend on such state, and change it when they change.

    With a ``version`` answers are kept in ``store`` (default: that of this user) and asked
    for once; without one the function is called each time, since nobody has said that it still answers so.

    Raises :class:`SettingError` for settings that make no sense, and while answering
    :class:`LabelerError`, with the function's own error as its cause.
    """
    made = callable_labeler(function, name=name, reads=reads, batch_size=batch_size, version=version)
    if not made.provenance["version"]:
        return made
    return KeptLabeler(made, default_store() if store is None else store)


def callable_labeler(
    function: Callable[[list[Any]], Any], *, name: str, reads: Reads = "texts", batch_size: int = 256, version: str = ""
) -> CallableLabeler:
    """As :func:`from_callable`, but its answers are not kept."""
    if not callable(function):
        raise SettingError(f"labeler {name!r} is a {type(function).__name__}, which cannot be called; give a function")
    if batch_size < 1:
        raise SettingError(f"batch_size is {batch_size}; it must be at least 1")
    content = content_hash("callable", require_name(name), require_reads(reads), str(version), _content(function))
    provenance = {"source": "callable", "function": _described(function), "version": str(version)}
    return CallableLabeler(name, function, reads, batch_size, content, provenance)


def _content(function: Any) -> list[Any]:
    """What is known of a callable: itself, and the attributes of the object that it is or belongs to."""
    if isinstance(function, types.MethodType):
        return [function.__func__, qualified_name(type(function.__self__)), getattr(function.__self__, "__dict__", {})]
    if isinstance(function, functools.partial):
        return [_content(function.func), function.args, function.keywords]
    if isinstance(function, types.FunctionType | types.BuiltinFunctionType | type):
        return [function]
    return [qualified_name(type(function)), type(function).__call__, getattr(function, "__dict__", {})]


def _names_the_best(row: Any) -> bool:
    """``{"label": …, "score": …}``, or a list of them: sound or not only beside the labels of all other batches."""
    first = row[0] if isinstance(row, list | tuple) and row else row
    return isinstance(first, Mapping) and set(first) == {"label", "score"}


def _item(row: Any) -> Item:
    """A sound row as JSON has it; NaN, which JSON has not, becomes null: both abstain."""
    if isinstance(row, Mapping):
        return {str(key): value if key == "label" and "score" in row else _number(value) for key, value in row.items()}
    if isinstance(row, np.ndarray | list | tuple):
        return [_item(part) if isinstance(part, Mapping) else _number(part) for part in row]
    return row


def _number(value: Any) -> float | None:
    number = float("nan") if value is None else float(value)
    return None if np.isnan(number) else number


def _described(function: Any) -> str:
    return _described(function.func) if isinstance(function, functools.partial) else qualified_name(function)


def _as_given(inputs: Inputs, reads: Reads) -> list[Any]:
    return list(inputs.texts) if reads == "texts" else list(zip(inputs.texts, inputs.pairs, strict=True))
