"""What a client posts: bytes taken in no further than they may go, and the task that they spell."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NoReturn, cast

from starlette.requests import ClientDisconnect

from taskspace.data.cells import as_text
from taskspace.data.columns import choose
from taskspace.data.folder import Card
from taskspace.data.reading import build_task
from taskspace.data.rows import MemoryTable
from taskspace.errors import DataError
from taskspace.serve.problems import Problem

if TYPE_CHECKING:
    from fastapi import Request

    from taskspace.serve.limits import Limits
    from taskspace.task import Task

_WHAT = "the body"


async def received(request: Request, limits: Limits) -> bytes:
    """The body, refused as soon as it is announced or found to be too long, or too slow."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body:
        _refuse_size(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.upload_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body:
                    _refuse_size(limits)
    except TimeoutError:
        sentence = f"the rows did not arrive within {limits.upload_seconds:g} seconds; send fewer, or send them faster"
        raise Problem(408, "TooSlow", sentence) from None
    except ClientDisconnect:
        raise Problem(400, "Gone", "the connection ended before the body did; send it again") from None
    return bytes(body)


def task_of(body: bytes, name: str, limits: Limits) -> Task:
    """The labelled rows in JSON lines: an object with a text (or two) and a label on each.

    Raises :class:`DataError` for what is no task, and a :class:`Problem` for more than may be sent.
    """
    rows = _rows(body, limits)
    table = MemoryTable(_WHAT, rows)
    _require_texts(rows, choose(_WHAT, table.columns()).text)
    said: dict[str, str | None] = {"text": None, "text_pair": None, "label": None}
    task = build_task(table, Card(name), said=said, kind=None, name=name, limit=None, seed=0)
    longest = max(len(text) for text in (*task.inputs.texts, *task.inputs.pairs) if text is not None)
    if longest > limits.text:
        sentence = f"a text has {longest:,} characters, more than the {limits.text:,} that may be sent; shorten it"
        raise Problem(413, "TooLong", sentence)
    return task


def _rows(body: bytes, limits: Limits) -> list[dict[str, Any]]:
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > limits.rows:
        raise Problem(
            413, "TooLong", f"{len(lines):,} rows are more than the {limits.rows:,} that may be sent; send fewer"
        )
    return [_row(number, line) for number, line in lines]


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise DataError(f"{_WHAT}, line {number}: not valid JSON in UTF-8; mend or remove the line") from None
    if not isinstance(row, dict):
        raise DataError(f'{_WHAT}, line {number}: not a JSON object; write rows as {{"text": …, "label": …}}')
    return cast("dict[str, Any]", row)


def _require_texts(rows: list[dict[str, Any]], column: str) -> None:
    """Whoever posts rows can mend them, so that none is passed over in silence as in a file."""
    for number, row in enumerate(rows, 1):
        try:
            blank = as_text(row.get(column)) is None
        except ValueError:  # told by the door itself
            blank = False
        if blank:
            raise DataError(f"{_WHAT}, row {number}: there is no text in {column!r}; every row needs one")


def _refuse_size(limits: Limits) -> NoReturn:
    raise Problem(413, "TooLong", f"more than the {limits.body:,} bytes that may be sent; send fewer or shorter rows")
