"""Views and changes of an atlas in LanceDB, and when its tables are tidied."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, final

from taskspace.atlas import _store
from taskspace.atlas.engines.lance._change import LanceChange
from taskspace.atlas.engines.lance._commits import Commits
from taskspace.atlas.engines.lance._connection import Connection
from taskspace.atlas.engines.lance._lock import only_writer
from taskspace.atlas.engines.lance._view import LanceView
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_MANY_FRAGMENTS = 100
"""Every commit leaves a fragment; from so many on they are put together (later in a large table, which is copied)."""

_FEW_FRAGMENTS = 20
"""As many fragments are put together when an atlas that was written to is closed."""

_PATIENCE_AT_CLOSE = 1.0
"""Seconds: whoever writes longer than that tidies up in our place."""


@final
class LanceStore:
    """A folder of LanceDB tables, or a URI of one in an object store."""

    def __init__(self, path: Path | str, *, create: bool) -> None:
        self.path = path
        self._connection: Connection | None = Connection(path, create=create)
        self._written: set[str] = set()

    @contextmanager
    def reading(self) -> Generator[LanceView]:
        """The newest version of every table as it stands now."""
        with self._storable():
            yield LanceView(self._open())

    @contextmanager
    def writing(self) -> Generator[LanceChange]:
        """Alone in a folder of this machine; elsewhere LanceDB finds conflicts when it commits."""
        connection = self._open()
        with self._storable(), _only_writer(connection, _store.PATIENCE) as alone:
            change = LanceChange(connection, alone=alone)
            yield change
            for commits in change.commit():
                commits.settle(most=_MANY_FRAGMENTS)
                self._written.add(commits.table)

    def close(self) -> None:
        """Put what was added one by one together, and let go."""
        connection, self._connection = self._connection, None
        if connection is None or not self._written:
            return
        with suppress(AtlasError), _only_writer(connection, _PATIENCE_AT_CLOSE) as alone:
            for table in sorted(self._written):
                Commits(connection, table, alone=alone).settle(most=_FEW_FRAGMENTS)

    def _open(self) -> Connection:
        if self._connection is None:
            raise AtlasError(f"the atlas {self.path} is closed; open it again")
        return self._connection

    @contextmanager
    def _storable(self) -> Generator[None]:
        try:
            yield
        except UnicodeEncodeError as error:
            raise AtlasError(f"{error.object!r} cannot be written as UTF-8; choose another name") from error


@contextmanager
def _only_writer(connection: Connection, patience: float) -> Generator[bool]:
    if connection.folder is None:
        yield False
        return
    with only_writer(connection.folder, patience) as alone:
        yield alone
