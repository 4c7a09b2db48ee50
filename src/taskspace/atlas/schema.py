"""The tables of an atlas, and how an older file becomes a current one."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from taskspace.atlas import _store
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x74737061
"""Marks a SQLite file as an atlas ("tspa")."""

PAGE_SIZE = 8192
"""A vector of 8,256 numbers then fills four overflow pages almost wholly, and one of 2,080 a single one."""

MIGRATIONS: list[str] = [
    # 1: `spaces.generation` is new with every write in the space.  It is random and not a count, because two
    # copies of one file would both count on.  All vectors of a space share `spaces.blocks`.
    """
    CREATE TABLE about (uuid TEXT NOT NULL);
    INSERT INTO about VALUES (lower(hex(randomblob(16))));
    CREATE TABLE pools (fingerprint TEXT PRIMARY KEY, rows BLOB NOT NULL);
    CREATE TABLE spaces (
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,
        identity TEXT NOT NULL,
        options TEXT NOT NULL DEFAULT '{}',
        blocks TEXT NOT NULL DEFAULT '[]',
        generation TEXT NOT NULL DEFAULT (lower(hex(randomblob(8))))
    );
    CREATE TABLE embeddings (
        id INTEGER PRIMARY KEY,
        space INTEGER NOT NULL REFERENCES spaces (id),
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        content TEXT NOT NULL,
        informative INTEGER NOT NULL,
        added TEXT NOT NULL,
        provenance TEXT NOT NULL,
        vector BLOB NOT NULL,
        UNIQUE (space, name)
    );
    CREATE INDEX embeddings_by_name ON embeddings (name);
    CREATE INDEX embeddings_by_space ON embeddings (space);
    CREATE INDEX embeddings_by_content ON embeddings (content);
    CREATE TABLE transfers (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        score REAL NOT NULL,
        baseline REAL,
        metric TEXT NOT NULL,
        seed INTEGER,
        noted TEXT NOT NULL
    );
    """,
]
"""Script i brings a file from version i to version i + 1; released scripts are never edited."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is an atlas, or empty, and bring it to the newest version in one transaction.

    Raises :class:`AtlasError` for the database of another program or of a newer taskspace.
    """
    connection.execute("BEGIN")  # one view for all that is asked: another process may be making the file
    version = _version(connection, path)
    connection.execute("COMMIT")
    if version == len(MIGRATIONS):
        return
    if version == 0:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    _log_ahead(connection)
    connection.execute("BEGIN IMMEDIATE")
    for script in MIGRATIONS[_version(connection, path) :]:  # asked again: another process may have been first
        for statement in _statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite does not wait by itself for another process that is at the same."""
    until = time.monotonic() + _store.PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID:
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        if application or version or tables:
            raise AtlasError(f"{path} is a SQLite database of another program, not an atlas; choose another file")
    if version > len(MIGRATIONS):
        raise AtlasError(
            f"{path} was written by a newer taskspace (schema {version}, this one reads {len(MIGRATIONS)});"
            " upgrade taskspace"
        )
    return version


def _statements(script: str) -> Iterator[str]:
    """One at a time, since ``executescript`` would commit the transaction around them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
