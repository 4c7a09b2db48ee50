"""The answer store: what was asked once is not asked again.

One SQLite file for all labelers.  An item is kept by (key of the labeler, digest of the row) as JSON, so
that the file can be read without this package.  Items cost money and hours: a batch is committed as it
comes, nothing is ever overwritten, and a damaged file is set aside, never deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias, final

from taskspace._home import default_atlas
from taskspace.errors import LabelerError, TaskspaceWarning

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

Item: TypeAlias = Any
"""What a labeler said of one row, in its own form: any JSON value."""

_CHUNK = 500  # SQLite's oldest limit on bound values is 999

_FORMAT = 1

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS labelers (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    labeler INTEGER NOT NULL REFERENCES labelers (id), row BLOB NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (labeler, row)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
"""

_KEEP = """
INSERT INTO answers VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET item = excluded.item WHERE NOT json_valid(answers.item)
"""


@final
class AnswerStore:
    """Items by labeler and row; ``path=None`` keeps them in memory.

    Several processes may write at once.  Raises :class:`LabelerError` when the file cannot be opened
    or written, or an item is no JSON value: what was kept before is safe.  A file that may not be
    written still serves what it holds.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._memory: dict[tuple[str, bytes], str] = {}

    def __repr__(self) -> str:
        return f"AnswerStore({'in memory' if self.path is None else str(self.path)!r})"

    def get(self, key: str, rows: Sequence[bytes]) -> dict[bytes, Item]:
        """What is known of ``rows`` (digests of :attr:`taskspace.task.Inputs.digests`)."""
        if self.path is None:
            return {row: json.loads(self._memory[key, row]) for row in rows if (key, row) in self._memory}
        if not _there(self.path):
            return {}
        found: dict[bytes, Item] = {}
        try:
            with self._open(to_read=True) as db:
                for start in range(0, len(rows), _CHUNK):
                    part = rows[start : start + _CHUNK]
                    marks = ",".join("?" * len(part))
                    sql = (
                        "SELECT row, item FROM answers"
                        f" WHERE labeler = (SELECT id FROM labelers WHERE key = ?) AND row IN ({marks})"
                    )
                    for row, item in db.execute(sql, (key, *part)):
                        with contextlib.suppress(ValueError):  # cut off: asked again
                            found[bytes(row)] = json.loads(item)
        except _Damaged:
            _replace(self.path)
            return {}
        return found

    def put(self, key: str, name: str, items: Mapping[bytes, Item]) -> None:
        """Keep a batch, all of it or nothing; ``name`` is for people who look into the file."""
        written = {row: _as_json(item, name) for row, item in items.items()}
        if self.path is None:
            self._memory.update({(key, row): item for row, item in written.items() if (key, row) not in self._memory})
            return
        try:
            self._insert(key, name, written)
        except _Damaged:
            _replace(self.path)
            self._insert(key, name, written)

    def _insert(self, key: str, name: str, written: Mapping[bytes, str]) -> None:
        with self._open() as db, db:
            shown = name.encode("utf-8", "replace").decode("utf-8")
            db.execute("INSERT OR IGNORE INTO labelers (key, name) VALUES (?, ?)", (key, shown))
            (labeler,) = db.execute("SELECT id FROM labelers WHERE key = ?", (key,)).fetchone()
            rows = [(labeler, row, item) for row, item in written.items()]
            db.executemany(_KEEP, rows)

    def __len__(self) -> int:
        """How many items there are."""
        if self.path is None:
            return len(self._memory)
        if not _there(self.path):
            return 0
        try:
            with self._open(to_read=True) as db:
                return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])
        except _Damaged:
            _replace(self.path)
            return 0

    @contextlib.contextmanager
    def ready(self) -> Generator[None]:
        """Around many writes: says before the first whether there can be any, and makes each cheaper.

        SQLite tidies up whenever nobody holds the file any more, which takes longer than to write a batch.
        """
        if self.path is None:
            yield
            return
        with self._open():
            held = _connected(self.path, to_read=False)
        with contextlib.closing(held):
            yield

    @contextlib.contextmanager
    def _open(self, *, to_read: bool = False) -> Generator[sqlite3.Connection]:
        assert self.path is not None  # noqa: S101  # callers look first
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(_connected(self.path, to_read=to_read)) as db:
                yield db
        except (OSError, sqlite3.Error) as error:
            # Its subclasses speak of a lock, a full disk, a folder without rights: the file itself is sound then.
            damaged = type(error) is sqlite3.DatabaseError
            raise _unusable(self.path, error, _Damaged if damaged else LabelerError) from error


def default_store() -> AnswerStore:
    """The store of this user, beside the default atlas: not among the caches, which may be emptied."""
    return AnswerStore(default_atlas().with_name("answers.db"))


class _Damaged(LabelerError):
    """The file is no database, or a broken one."""


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise _unusable(path, error) from error


def _connected(path: Path, *, to_read: bool) -> sqlite3.Connection:
    try:
        return _prepared(sqlite3.connect(path, timeout=60))
    except sqlite3.OperationalError:
        if not to_read or _may_write(path):
            raise
    # Nobody here may write, so SQLite cannot make the file beside it that readers share with writers.
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    try:
        with contextlib.suppress(sqlite3.OperationalError):  # another process may be switching it over just now
            db.execute("PRAGMA journal_mode = WAL")
        (format_,) = db.execute("PRAGMA user_version").fetchone()
        if format_ > _FORMAT:
            raise LabelerError(
                "the answer store was written by a newer taskspace; upgrade, or set TASKSPACE_HOME to another folder"
            )
        if format_ < _FORMAT:
            db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _replace(path: Path) -> None:
    """Set a damaged file aside, unless another process has done so already."""
    try:
        with contextlib.closing(_connected(path, to_read=False)) as db:
            if db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return
    except sqlite3.Error:
        pass
    aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(3)}")
    try:
        for ending in ("-wal", "-shm", ""):  # what belongs to the damaged file would spoil the new one
            beside = path.with_name(path.name + ending)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + ending))
    except OSError as error:
        raise _unusable(path, error) from error
    warnings.warn(
        f"the answer store {path} is damaged and was set aside as {aside.name}; what it held is asked again",
        TaskspaceWarning,
        stacklevel=4,
    )


def _as_json(item: Item, name: str) -> str:
    try:
        written = json.dumps(item, ensure_ascii=False, allow_nan=False)
        written.encode()
    except UnicodeEncodeError:  # half characters (lone surrogates), which SQLite refuses
        return json.dumps(item, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise LabelerError(
            f"labeler {name!r} gave an answer that cannot be kept ({error}); give plain JSON values, finite numbers"
        ) from error
    return written


def _unusable(path: Path, error: Exception, kind: type[LabelerError] = LabelerError) -> LabelerError:
    return kind(
        f"the answer store {path} cannot be used ({error}); free some space or set TASKSPACE_HOME to a folder that can"
        " be written, what was kept is safe"
    )
