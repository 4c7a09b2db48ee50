"""pandas, polars and Arrow frames, through narwhals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.data.folder import Card
from taskspace.data.reading import build_task
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.labels import LabelKind
    from taskspace.task import Task

_BATCH = 1024


def task_from_frame(
    frame: Any,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    kind: LabelKind | None = None,
    name: str = "frame",
    limit: int | None = None,
    seed: int = 0,
) -> Task:
    """Read a pandas, polars (also lazy) or Arrow frame, with the options of :func:`taskspace.data.read_task`.

    Null and NaN count as missing.  Row numbers in errors start at 1.

    Raises :class:`DataError` for another object, or whatever cannot be read as a task.
    """
    said = {"text": text, "text_pair": text_pair, "label": label}
    return build_task(FrameTable(_wrapped(frame)), Card(name), said=said, kind=kind, name=name, limit=limit, seed=seed)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """A narwhals frame as a table."""

    frame: Any
    what: str = "the frame"
    unit: str = "row"

    def columns(self) -> Sequence[str]:
        return tuple(self.frame.columns)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for start in range(0, len(self.frame), _BATCH):
            part = self.frame[start : start + _BATCH]
            cells = [_cells(part[name]) for name in columns]
            for number, row in enumerate(zip(*cells, strict=True), start + 1):
                yield number, dict(zip(columns, row, strict=True))


def _cells(series: Any) -> list[Any]:
    """Plain values; each library's own missing value becomes ``None``."""
    nulls = series.is_null().to_list()
    return [None if null else value for value, null in zip(series.to_list(), nulls, strict=True)]


def _wrapped(frame: Any) -> Any:
    import narwhals.stable.v2 as nw

    try:
        wrapped: Any = nw.from_native(frame)
    except TypeError as error:
        raise DataError(f"{type(frame).__name__} is not a data frame; give a pandas, polars or Arrow frame") from error
    except ValueError as error:
        raise DataError(
            f"the frame cannot be read ({str(error).splitlines()[0]}); give each column its own name"
        ) from error
    return wrapped.collect() if isinstance(wrapped, nw.LazyFrame) else wrapped
