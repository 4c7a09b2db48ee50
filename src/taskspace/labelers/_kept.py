"""Labelers worth remembering: those whose answers come in batches and are kept in the answer store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, final

from taskspace.errors import LabelerError, TaskspaceError
from taskspace.labelers._labeler import first_line
from taskspace.labelers._progress import bar
from taskspace.labelers.store import AnswerStore, default_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.labelers._labeler import LabelerKind, Reads
    from taskspace.labelers.store import Item
    from taskspace.labels import Answers
    from taskspace.task import Inputs, Pool


class Answerer(Protocol):
    """Something that answers rows in whatever order is fastest, in items that JSON can hold.

    ``key`` covers all that decides an item; ``fingerprint`` also what is made of the items (a choice of
    normalisation, say), so that such a choice costs no further answer.
    """

    @property
    def name(self) -> str: ...
    @property
    def reads(self) -> Reads: ...
    @property
    def kind(self) -> LabelerKind: ...
    @property
    def key(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    def batches(self, inputs: Inputs) -> Iterator[Mapping[int, Item]]:
        """Sound items by row number, batch by batch; each row once.  A batch is the most that a kill can lose."""
        ...

    def answers(self, items: Sequence[Item]) -> Answers:
        """What the items of all rows say together."""
        ...


@dataclass(frozen=True)
class Collected:
    """One item per row, and how many distinct rows had to be asked now."""

    items: tuple[Item, ...]
    asked: int


@final
@dataclass(frozen=True, eq=False)
class KeptLabeler:
    """An :class:`Answerer` behind an answer store; a :class:`~taskspace.labelers.Labeler`."""

    answerer: Answerer
    store: AnswerStore = field(default_factory=default_store)
    progress: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        return self.answerer.name

    @property
    def reads(self) -> Reads:
        return self.answerer.reads

    @property
    def kind(self) -> LabelerKind:
        return self.answerer.kind

    @property
    def fingerprint(self) -> str:
        return self.answerer.fingerprint

    @property
    def provenance(self) -> Mapping[str, Any]:
        return self.answerer.provenance

    def for_pool(self, pool: Pool, *, progress: bool) -> KeptLabeler:
        """The same labeler, showing how far it is; the pool changes nothing."""
        return replace(self, progress=progress)

    def answer(self, inputs: Inputs) -> Answers:
        return self.answerer.answers(self.collect(inputs).items)

    def collect(self, inputs: Inputs) -> Collected:
        """The item of each row: those in the store, and the others asked for and kept as they come.

        Equal rows are asked once, and what is kept is what is given: a second run gives the same.
        Raises :class:`LabelerError` when asking fails, or when an answer is missing; what came before is kept.
        """
        digests = inputs.digests
        known = self.store.get(self.answerer.key, list(dict.fromkeys(digests)))
        first = {digest: row for row, digest in reversed(list(enumerate(digests))) if digest not in known}
        rows = sorted(first.values())
        if rows:
            known |= self._ask(inputs.take(rows))
        return Collected(tuple(known[digest] for digest in digests), len(rows))

    def _ask(self, missing: Inputs) -> dict[bytes, Item]:
        """Put distinct rows to the answerer, and keep batch by batch."""
        key, digests = self.answerer.key, missing.digests
        got: dict[bytes, Item] = {}
        with self.store.ready(), bar(len(missing), self.name, progress=self.progress) as shown:
            try:
                for batch in self.answerer.batches(missing):
                    self._require_new(batch, digests, got)
                    new = {digests[row]: item for row, item in batch.items()}
                    self.store.put(key, self.name, new)
                    got |= self.store.get(key, list(new))
                    shown.update(len(new))
            except LabelerError as error:
                raise _cut_short(error, len(got), len(missing)) from error
            except TaskspaceError:
                raise
            except Exception as error:  # code that is not ours
                failed = LabelerError(f"labeler {self.name!r} failed with {first_line(error)}; mend it, then run again")
                raise _cut_short(failed, len(got), len(missing)) from error
        if len(got) < len(missing):
            raise LabelerError(
                f"labeler {self.name!r} answered {len(got)} of {len(missing)} rows; it must answer each, and those that"
                " it did are kept"
            )
        return got

    def _require_new(self, batch: Mapping[int, Item], digests: Sequence[bytes], got: Mapping[bytes, Item]) -> None:
        for row in batch:
            if not 0 <= row < len(digests) or digests[row] in got:
                raise LabelerError(
                    f"labeler {self.name!r} answered row {row}, which is not among the {len(digests)} asked or was"
                    " answered before; it must answer each once"
                )


def _cut_short(error: LabelerError, done: int, asked: int) -> LabelerError:
    if not done:
        return error
    return LabelerError(f"{error} ({done} of {asked} answers came before and are kept: the next run asks for the rest)")
