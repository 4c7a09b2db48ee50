"""Text features on disk, keyed by content: computed once, shared by everything in a space.

One SQLite file per (surrogate, way of reading).  Each batch is committed as it is computed, so a killed
process loses one batch, and several processes may write at once.  It is a cache: a damaged file is
started afresh and a folder that cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

Vector = NDArray[np.float32]

_CHUNK = 500  # SQLite's oldest limit on bound values is 999


def text_key(text: str) -> bytes:
    """The 16-byte name of a text in the cache."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class FeatureCache:
    """float32[width] per text key; ``path=None`` keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: dict[bytes, Vector] = {}

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """What is known of ``keys``."""
        found = {key: self._memory[key] for key in keys if key in self._memory}
        missing = [key for key in keys if key not in found]
        if not missing:
            return found
        with self._open() as db:
            if db is None:
                return found
            for start in range(0, len(missing), _CHUNK):
                part = missing[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                rows = db.execute(f"SELECT text, vector FROM features WHERE text IN ({marks})", part)
                found.update({bytes(key): np.frombuffer(vector, dtype="<f4") for key, vector in rows})
        return found

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors; what is there stays, so that every reader sees the same bytes."""
        with self._open() as db:
            if db is None:
                self._memory.update({k: v for k, v in vectors.items() if k not in self._memory})
                return
            rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
            with contextlib.suppress(sqlite3.OperationalError), db:
                db.executemany("INSERT OR IGNORE INTO features VALUES (?, ?)", rows)

    def hold(self, vectors: Mapping[bytes, Vector]) -> None:
        """Answer with these from now on, in this process and from memory; they are not copied."""
        self._memory.update(vectors)

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection | None]:
        db = self._connect()
        try:
            yield db
        except sqlite3.OperationalError:
            pass  # locked for a minute, or a full disk: done without
        except sqlite3.DatabaseError as error:
            if self._path is None or type(error) is not sqlite3.DatabaseError:
                raise
            self._path.unlink(missing_ok=True)  # damaged inside
        finally:
            if db is not None:
                db.close()

    def _connect(self) -> sqlite3.Connection | None:
        if self._path is None:
            return None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _prepare(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._path.unlink()  # not a database: only a cache, so start afresh
                return _prepare(self._path)
        except (OSError, sqlite3.Error):
            self._path = None
            return None


def _prepare(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60)
    try:
        with contextlib.suppress(sqlite3.OperationalError):  # another process may be switching it over just now
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS features (text BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
    except sqlite3.Error:
        db.close()
        raise
    return db
