"""The answer store: what was asked once is not asked again.

One SQLite file for all labelers.  An item is kept by (key of the labeler, digest of the row) as JSON, so
that the file can be read without this package.  Items cost money and hours: a batch is committed as it
comes, nothing is ever overwritten, and a damaged file is set aside, never deleted.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias, final

from taskspace._home import home
from taskspace.errors import LabelerError, TaskspaceWarning

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

Item: TypeAlias = Any
"""What a labeler said of one row, in its own form: any JSON value."""

_CHUNK = 500  # SQLite's oldest limit on bound values is 999

_SCHEMA = """
CREATE TABLE IF NOT EXISTS labelers (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    labeler INTEGER NOT NULL REFERENCES labelers (id), row BLOB NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (labeler, row)
) WITHOUT ROWID;
"""


@final
class AnswerStore:
    """Items by labeler and row; ``path=None`` keeps them in memory.

    Several processes may write at once.  Raises :class:`LabelerError` when the file cannot be opened
    or written: what was kept before is safe.
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
        if not self.path.exists():
            return {}
        found: dict[bytes, Item] = {}
        with self._open() as db:
            for start in range(0, len(rows), _CHUNK):
                part = rows[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                sql = (
                    "SELECT row, item FROM answers"
                    f" WHERE labeler = (SELECT id FROM labelers WHERE key = ?) AND row IN ({marks})"
                )
                found.update({bytes(row): json.loads(item) for row, item in db.execute(sql, (key, *part))})
        return found

    def put(self, key: str, name: str, items: Mapping[bytes, Item]) -> None:
        """Keep a batch, all of it or nothing; ``name`` is for people who look into the file."""
        written = {row: json.dumps(item, ensure_ascii=False) for row, item in items.items()}
        if self.path is None:
            self._memory.update({(key, row): item for row, item in written.items() if (key, row) not in self._memory})
            return
        with self._open() as db, db:
            db.execute("INSERT OR IGNORE INTO labelers (key, name) VALUES (?, ?)", (key, name))
            (labeler,) = db.execute("SELECT id FROM labelers WHERE key = ?", (key,)).fetchone()
            rows = [(labeler, row, item) for row, item in written.items()]
            db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", rows)

    def __len__(self) -> int:
        """How many items there are."""
        if self.path is None:
            return len(self._memory)
        if not self.path.exists():
            return 0
        with self._open() as db:
            return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        assert self.path is not None  # noqa: S101  # callers look first
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = _prepared(self.path)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(self.path, error) from error
        try:
            yield db
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        finally:
            db.close()


def default_store() -> AnswerStore:
    """The store under ``TASKSPACE_HOME``, shared by all runs of this user."""
    return AnswerStore(home() / "answers.db")


def _prepared(path: Path) -> sqlite3.Connection:
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, or a full disk: the file itself is sound
            raise
    aside = _set_aside(path)
    warnings.warn(
        f"the answer store {path} is damaged and was set aside as {aside.name}; what it held is asked again",
        TaskspaceWarning,
        stacklevel=6,
    )
    return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60)
    try:
        with contextlib.suppress(sqlite3.OperationalError):  # another process may be switching it over just now
            db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _set_aside(path: Path) -> Path:
    number = next(n for n in range(1, 1_000_000) if not path.with_name(f"{path.name}.damaged-{n}").exists())
    for ending in ("-wal", "-shm"):  # they belong to the damaged file and would spoil the new one
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(path.with_name(f"{path.name}.damaged-{number}{ending}"))
    return path.rename(path.with_name(f"{path.name}.damaged-{number}"))


def _unusable(path: Path, error: Exception) -> LabelerError:
    return LabelerError(
        f"the answer store {path} cannot be used ({error}); free some space or set TASKSPACE_HOME to a folder that can"
        " be written, what was kept is safe"
    )
