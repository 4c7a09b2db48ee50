"""Connections, transactions, and SQLite's errors as sentences."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, final

from taskspace.atlas import _store
from taskspace.atlas.engines.sqlite._change import SqliteChange
from taskspace.atlas.engines.sqlite._view import SqliteView
from taskspace.atlas.schema import prepare
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_SAFE = "what was stored before is safe"
_SENTENCES = {
    sqlite3.SQLITE_NOTADB: "is not an atlas, not even a SQLite file; choose another file",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the path and that you may write to it and its folder",
    sqlite3.SQLITE_READONLY_DBMOVED: "was moved or deleted while it was open; open it again",
    sqlite3.SQLITE_READONLY: "is read-only, or its folder is; copy it to a place you may write to",
    sqlite3.SQLITE_FULL: f"cannot be written, as the disk is full; free some space and run again, {_SAFE}",
    sqlite3.SQLITE_IOERR: f"cannot be read or written ({{error}}); if the disk is full free some space, {_SAFE}",
    sqlite3.SQLITE_BUSY: "was locked by another process for {patience:.0f} seconds; wait for it and run again",
    sqlite3.SQLITE_CORRUPT: "is damaged ({error}); restore it from a copy",
}  # fmt: skip


@final
class SqliteStore:
    """One SQLite file, used from any number of threads: each gets its own connection.

    A connection made before a fork is left alone in the child, which opens its own.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._uri = path.resolve().as_uri()  # once: the working folder may change before another thread connects
        self._mode = "rwc" if create else "rw"
        self._local = threading.local()
        self._opened: list[tuple[int, sqlite3.Connection]] = []
        self._finalizer = weakref.finalize(self, _close_all, self._opened)
        self._require_place(create)
        try:
            with self._sentences():
                prepare(self._connection(), path)
        except BaseException:
            self.close()
            raise
        self._mode = "rw"

    @contextmanager
    def reading(self) -> Generator[SqliteView]:
        """A consistent view of the file, which no writer waits for."""
        with self._transaction("BEGIN") as connection:
            yield SqliteView(connection)

    @contextmanager
    def writing(self) -> Generator[SqliteChange]:
        """All or nothing; other writers wait, so keep it short."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield SqliteChange(connection)

    def close(self) -> None:
        """Move what is in the write-ahead log into the file, so that the file alone can be copied."""
        self._finalizer()

    @contextmanager
    def _transaction(self, begin: str) -> Generator[sqlite3.Connection]:
        if not self._finalizer.alive:
            raise AtlasError(f"the atlas {self.path} is closed; open it again")
        with self._sentences():
            connection = self._connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connection(self) -> sqlite3.Connection:
        mine: tuple[int, sqlite3.Connection] | None = getattr(self._local, "mine", None)
        if mine is None or mine[0] != os.getpid():
            # Other threads never use it; the check is off so that `close` may close it.
            uri = f"{self._uri}?mode={self._mode}"
            connection = sqlite3.connect(
                uri, uri=True, timeout=_store.PATIENCE, isolation_level=None, check_same_thread=False
            )
            mine = self._local.mine = (os.getpid(), connection)
            self._opened.append(mine)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        return mine[1]

    def _require_place(self, create: bool) -> None:
        if self.path.is_dir():
            raise AtlasError(
                f"{self.path} is a folder; give the path of a file in it, such as {self.path / 'atlas.db'}"
            )
        if not self.path.parent.is_dir():
            raise AtlasError(f"the folder {self.path.parent} does not exist; make it first")
        if not create and not self.path.exists():
            raise AtlasError(f"there is no atlas at {self.path}; check the path, or embed something into it first")

    @contextmanager
    def _sentences(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None) or 0
            what = _SENTENCES.get(code) or _SENTENCES.get(code & 0xFF) or f"cannot be used ({{error}}); {_SAFE}"
            raise AtlasError(f"{self.path} {what.format(error=error, patience=_store.PATIENCE)}") from error
        except UnicodeEncodeError as error:
            raise AtlasError(f"{error.object!r} cannot be written as UTF-8; choose another name") from error


def _close_all(opened: list[tuple[int, sqlite3.Connection]]) -> None:
    mine = [connection for pid, connection in opened if pid == os.getpid()]
    # A full disk or a reader at work elsewhere: the log then stays beside the file, and nothing is lost.
    with suppress(sqlite3.Error):
        for connection in mine[:1]:
            connection.execute("PRAGMA busy_timeout = 1000")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for connection in mine:
        connection.close()
