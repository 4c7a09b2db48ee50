"""The LanceDB connection of one atlas: its tables as snapshots, and the newest of each to write to."""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.parse import unquote, urlparse

from taskspace._extras import require
from taskspace.atlas.engines.lance._errors import is_conflict, is_missing_table, is_there_already, sentences
from taskspace.atlas.engines.lance._lock import LOCK
from taskspace.atlas.engines.lance._snapshot import Snapshot
from taskspace.atlas.engines.lance._tables import ABOUT, FORMAT, schema_of
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Mapping

WHY = "an atlas in LanceDB"


@final
class Connection:
    """``place`` is what the user said; ``folder`` where that is on this machine, else ``None``."""

    def __init__(self, place: Path | str, *, create: bool) -> None:
        self.place = place
        self.folder = _folder(place)
        self._lock = threading.Lock()
        self._require_place(create)
        os.environ.setdefault("LANCEDB_LOG", "error")  # it would report on stderr what is told or retried here
        self.pa = require("pyarrow", extra="lance", why=WHY)
        self._lancedb = require("lancedb", extra="lance", why=WHY)
        self._open()
        self._uuid = self._identify(create)

    @property
    def uuid(self) -> str:
        return self._uuid

    def version(self, table: str) -> int | None:
        """The number of a table's newest version; ``None`` while nothing was written to it."""
        with self._lock, sentences(self.place):
            self._require_own_process()
            handle = self._handle(table)
            if handle is None:
                return None
            handle.checkout_latest()
            return int(handle.version)

    def snapshot(self, table: str, version: int | None) -> Snapshot | None:
        """A table at a version that :meth:`version` told; the last one asked for is kept."""
        if version is None:
            return None
        with self._lock, sentences(self.place):
            self._require_own_process()
            held = self._snapshots.get(table)
            if held is None or held.version != version:
                held = self._snapshots[table] = Snapshot(self._at(table, version), self.place)
            return held

    def newest_snapshot(self, table: str) -> Snapshot | None:
        """A table at its newest version."""
        return self.snapshot(table, self.version(table))

    def newest(self, table: str) -> Any:
        """The table to write to, as it stands now; made if it is new."""
        with self._lock, sentences(self.place):
            self._require_own_process()
            handle = self._handle(table)
            if handle is None:
                handle = self._handles[table] = self._make(table, None)
            handle.checkout_latest()
            return handle

    def _open(self) -> None:
        with sentences(self.place):
            self._db: Any = self._lancedb.connect(str(self.folder or self.place))
        self._process = os.getpid()
        self._handles: dict[str, Any] = {}
        self._snapshots: dict[str, Snapshot] = {}

    def _require_own_process(self) -> None:
        """After a fork the child has to connect for itself."""
        if self._process != os.getpid():
            self._open()

    def _handle(self, table: str) -> Any:
        if table not in self._handles:
            try:
                self._handles[table] = self._db.open_table(table)
            except ValueError as error:
                if not is_missing_table(error):
                    raise
                return None
        return self._handles[table]

    def _at(self, table: str, version: int) -> Any:
        handle = self._db.open_table(table)
        handle.checkout(version)
        return handle

    def _make(self, table: str, row: Mapping[str, Any] | None) -> Any:
        """A new table, with its first row if there is one; that of another process where that was first."""
        schema = schema_of(self.pa, table)
        data = None if row is None else self.pa.Table.from_pylist([dict(row)], schema=schema)
        try:
            return self._db.create_table(table, data=data, schema=schema)
        except (ValueError, RuntimeError, OSError) as error:
            if not is_there_already(error) and not is_conflict(error):
                raise
            return self._db.open_table(table)

    def _require_place(self, create: bool) -> None:
        """Before LanceDB makes a folder of whatever it is given."""
        if self.folder is None:
            if str(self.place).startswith("db://"):
                raise AtlasError(
                    f"{self.place} is in LanceDB Cloud, which has other tables; give an object store's URI"
                )
            return
        if self.folder.is_file():
            raise AtlasError(f"{self.place} is a file, where an atlas in LanceDB is a folder; choose another path")
        if not self.folder.parent.is_dir():
            raise AtlasError(f"the folder {self.folder.parent} does not exist; make it first")
        if not create and not self.folder.exists():
            raise AtlasError(f"there is no atlas at {self.place}; check the path, or embed something into it first")

    def _identify(self, create: bool) -> str:
        """The atlas's id, of a new atlas too; raises :class:`AtlasError` for what is no atlas, or a newer one."""
        with sentences(self.place):
            others = self._others()  # looked for first, as another process may be making the atlas
            handle = self._handle(ABOUT)
            if handle is None:
                self._require_own(others, create)
                handle = self._make(ABOUT, {"uuid": uuid.uuid4().hex, "format": FORMAT})
            about = handle.search().to_arrow().to_pylist()[0]
        if about["format"] > FORMAT:
            raise AtlasError(
                f"{self.place} was written by a newer taskspace (format {about['format']}, this one reads {FORMAT});"
                " upgrade taskspace"
            )
        return about["uuid"]

    def _others(self) -> set[str]:
        """What is there besides the mark of an atlas."""
        if self.folder is None:
            return set(self._db.list_tables().tables) - {ABOUT}
        return {child.name for child in self.folder.iterdir()} - {LOCK, f"{ABOUT}.lance"}

    def _require_own(self, others: set[str], create: bool) -> None:
        """An atlas is made in an empty place, or where making one was broken off."""
        if others:
            raise AtlasError(f"{self.place} holds something else ({min(others)}), not an atlas; choose another path")
        if not create:
            raise AtlasError(f"there is no atlas at {self.place}; check the path, or embed something into it first")


def _folder(place: Path | str) -> Path | None:
    if isinstance(place, Path):
        return place.absolute()
    parts = urlparse(place)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
