"""Commits: one table each, retried while other writers come first."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, final

from taskspace.atlas import _store
from taskspace.atlas.engines.lance import _filters as f
from taskspace.atlas.engines.lance._errors import is_conflict, sentences
from taskspace.atlas.engines.lance._tables import key_of
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from taskspace.atlas.engines.lance._connection import Connection

KEPT_FOR = timedelta(hours=6)
"""How long a version can still be read after another one took its place."""

_MARGIN = timedelta(minutes=1)
"""Ages are told against a clock that goes on until LanceDB looks at it."""


@final
class Commits:
    """Writes to one table of an atlas; ``alone`` says that nobody else writes meanwhile."""

    def __init__(self, connection: Connection, table: str, *, alone: bool) -> None:
        self._connection = connection
        self.table = table
        self._alone = alone

    def insert(self, rows: Callable[[], Any]) -> int:
        """Add the rows whose key is not there yet; says how many.  ``rows`` gives an Arrow table or reader anew."""
        return self._merge(lambda merge: merge.when_not_matched_insert_all(), rows).num_inserted_rows

    def update(self, rows: Callable[[], Any]) -> None:
        """Change the given columns of rows that are there."""
        self._merge(lambda merge: merge.when_matched_update_all(), rows)

    def append(self, rows: Callable[[], Any]) -> None:
        """Add rows with keys that nobody else has."""
        self._patiently(lambda table: table.add(rows()))

    def put(
        self, rows: Callable[[], Any], count: int, removed: Sequence[str], *, new: bool, anyway: bool = False
    ) -> None:
        """Store ``count`` embeddings over what has their names, and take others out, in one commit.

        ``new`` says that none of the names was there, ``anyway`` that what has them may be of another kind, since it
        was taken out before.
        """
        if not count:
            self._patiently(lambda table: table.delete(f.among("name", removed)))
        elif new and self._alone and not removed:
            self.append(rows)
        else:
            self._put(rows, count, removed, None if anyway else "target.kind = source.kind")

    def _put(self, rows: Callable[[], Any], count: int, removed: Sequence[str], over: str | None) -> None:
        def settings(merge: Any) -> Any:
            merge = merge.when_matched_update_all(where=over).when_not_matched_insert_all()
            return merge.when_not_matched_by_source_delete(f.among("name", removed)) if removed else merge

        done = self._merge(settings, rows)
        stored = done.num_inserted_rows + done.num_updated_rows
        if stored < count:
            raise AtlasError(
                f"{count - stored} of {count} embeddings were not stored in {self._connection.place}, as another writer"
                " just gave their names to another kind; choose other names"
            )

    def settle(self, *, most: int) -> None:
        """Put fragments together where there are too many, and forget versions that nobody reads any more.

        Left for next time where another machine writes: nothing hangs on it.
        """
        with suppress(AtlasError), sentences(self._connection.place):
            table = self._connection.newest(self.table)
            stats = table.stats()
            if stats["fragment_stats"]["num_fragments"] >= max(most, stats["num_rows"] // 50):
                table.optimize(cleanup_older_than=_age_of_the_unread(table.list_versions()))

    def _merge(self, settings: Callable[[Any], Any], rows: Callable[[], Any]) -> Any:
        key = key_of(self.table)
        # Without an index, as only then LanceDB notes which keys are new and sees two writers insert the same.
        return self._patiently(lambda table: settings(table.merge_insert(key)).use_index(False).execute(rows()))

    def _patiently(self, commit: Callable[[Any], Any]) -> Any:
        until = time.monotonic() + _store.PATIENCE
        while True:
            table = self._connection.newest(self.table)
            with sentences(self._connection.place):
                try:
                    return commit(table)
                except (RuntimeError, ValueError, OSError) as error:
                    if not is_conflict(error):
                        raise
                    if time.monotonic() > until:
                        raise AtlasError(
                            f"{self._connection.place} was written by others for {_store.PATIENCE:.0f} seconds on end;"
                            " wait for them and run again"
                        ) from error
            time.sleep(random.uniform(0.05, 0.5))


def _age_of_the_unread(versions: Iterable[Any]) -> timedelta:
    """The age of the version that was current ``KEPT_FOR`` ago: older ones were replaced before, and may go."""
    now = datetime.now()  # noqa: DTZ005  # LanceDB tells local time without a zone
    ages = sorted(now - version["timestamp"] for version in versions)
    return next((age + _MARGIN for age in ages if age > KEPT_FOR), timedelta(days=36500))
