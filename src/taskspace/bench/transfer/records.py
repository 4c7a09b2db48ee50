"""The runs of a ground truth: one row each in a SQLite file that several processes write to."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, final

from taskspace.bench.transfer.plan import Cell
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

Contents: TypeAlias = "Mapping[tuple[str, str], str]"
"""A fingerprint for each (task, part): ``train``, ``test``, or the ``answers`` of a labeler."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (said TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    source TEXT NOT NULL, target TEXT NOT NULL, seed INTEGER NOT NULL,
    metric TEXT NOT NULL, score REAL NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (source, target, seed)
);
CREATE TABLE IF NOT EXISTS tunings (source TEXT PRIMARY KEY, rows INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS contents (
    task TEXT NOT NULL, part TEXT NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (task, part)
);
"""


@dataclass(frozen=True)
class Run:
    """A finished run: the ``score`` on the target's test rows, higher is better, and the seconds it took.

    The seconds are those of tuning on the target and of testing; the source was tuned before.
    """

    cell: Cell
    metric: str
    score: float
    seconds: float


@final
class Records:
    """The file of one ground truth, all of it made under the same settings and from the same rows.

    What a file says nothing about, as one made before ``contents`` were kept, is unknown and agrees with everything.
    Raises :class:`DataError` where the file was made under other settings or from other rows, naming the first that
    differs, and where there is no such file and no settings to begin one with.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any] | None = None, contents: Contents | None = None) -> None:
        self.path = path
        if settings is None and not path.is_file():
            raise DataError(f"there are no runs in {path}; make them with 'taskspace bench transfer'")
        with self._open() as connection:
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            self._settle(connection, settings)
            self._settle_contents(connection, contents or {})

    def add(self, run: Run) -> None:
        """Keep a run; one that stands there already stays as it is."""
        cell = run.cell
        row = (cell.source, cell.target, cell.seed, run.metric, run.score, run.seconds)
        with self._open() as connection:
            connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)

    def runs(self) -> list[Run]:
        """All runs, by seed, source and target."""
        with self._open() as connection:
            found = connection.execute(
                "SELECT source, target, seed, metric, score, seconds FROM runs ORDER BY seed, source, target"
            ).fetchall()
        return [Run(Cell(source, target, seed), *rest) for source, target, seed, *rest in found]

    def add_tuning(self, source: str, rows: int, seconds: float) -> None:
        """Keep how long it took to tune a source on so many rows."""
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO tunings VALUES (?, ?, ?)", (source, rows, seconds))

    def tunings(self) -> dict[str, float]:
        """Seconds by source, as far as they were kept."""
        with self._open() as connection:
            return dict(connection.execute("SELECT source, seconds FROM tunings ORDER BY source").fetchall())

    @property
    def settings(self) -> dict[str, Any]:
        """What the runs were made with; empty where nobody has begun."""
        with self._open() as connection:
            said = connection.execute("SELECT said FROM settings").fetchone()
        return {} if said is None else json.loads(said[0])

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        """What happens inside is kept as a whole."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as connection:
                with contextlib.suppress(sqlite3.OperationalError):  # another process may be switching it over just now
                    connection.execute("PRAGMA journal_mode = WAL")
                with connection:
                    yield connection
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"{self.path} cannot be used for runs ({error}); free some space or choose another folder, "
                "what was kept is safe"
            ) from error

    def _settle(self, connection: sqlite3.Connection, settings: Mapping[str, Any] | None) -> None:
        found = connection.execute("SELECT said FROM settings").fetchone()
        if settings is None:
            return
        if found is None:
            connection.execute("INSERT INTO settings VALUES (?)", (json.dumps(settings, sort_keys=True),))
            return
        there, mine = _flat(json.loads(found[0])), _flat(settings)
        odd = next((key for key in mine if there.get(key) != mine[key]), None)
        if odd == "model":
            raise DataError(
                f"the runs in {self.path} were made with another model, or with texts cut elsewhere; choose another "
                "folder, or the same model and length"
            )
        if odd is not None:
            raise DataError(
                f"the runs in {self.path} were made with {odd}={there.get(odd)!r}, not {mine[odd]!r}; "
                "choose another folder, or the same settings"
            )

    def _settle_contents(self, connection: sqlite3.Connection, contents: Contents) -> None:
        found = connection.execute("SELECT task, part, fingerprint FROM contents").fetchall()
        there = {(task, part): fingerprint for task, part, fingerprint in found}
        for (task, part), fingerprint in contents.items():
            if there.get((task, part), fingerprint) != fingerprint:
                what = "answers" if part == "answers" else f"{part} rows"
                raise DataError(
                    f"the {what} of {task!r} are others than those from which runs in {self.path} were made; "
                    "choose another folder, or bring them back"
                )
        new = [(*key, fingerprint) for key, fingerprint in contents.items()]
        connection.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?)", new)


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings of settings by dotted names."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return found
