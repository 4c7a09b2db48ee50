"""An atlas from a data set repository of the Hub: a new one, or into one that is there."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from taskspace.atlas import Atlas
from taskspace.atlas._stored import pack_pool
from taskspace.atlas.engines import open_store
from taskspace.atlas.sharing import PULLED_FROM
from taskspace.errors import AtlasError, SettingError, TaskspaceWarning
from taskspace.hub._client import hub_client, named
from taskspace.hub._fetching import Fetched, fetch
from taskspace.hub._joining import Plan, keep_spaces, note_missing, plan_for, require_no_clash, store_batch
from taskspace.hub._manifest import SPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from taskspace.atlas import Transfer
    from taskspace.atlas._store import Change
    from taskspace.atlas._stored import Record
    from taskspace.embedding import Kind
    from taskspace.hub._manifest import SpacePart

_AT_ONCE = 256
"""Embeddings committed together: what a kill in between loses at most, and the next pull brings."""


@dataclass(frozen=True)
class Pulled:
    """What came: of the repository's embeddings ``added`` are new here, ``held`` were here before.

    ``commit`` is the state that was pulled; ``from_cache`` that the Hub could not be asked for a newer one.
    """

    repo: str
    commit: str
    from_cache: bool
    spaces: int
    added: int
    replaced: int
    held: int
    transfers: int
    pools: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def pull(
    repo: str,
    atlas: Atlas | str | Path,
    *,
    revision: str | None = None,
    replace: bool = False,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> Pulled:
    """Bring what ``repo`` (``owner/name``, or ``owner/name@revision``) holds into ``atlas``, which is made if need be.

    What the atlas lacks is added, with the times at which it was embedded and measured; what it has stays.  In its
    provenance each new embedding says from which commit it was pulled.  Everything is fetched and checked first, so
    nothing is written when something is wrong; a pull that is stopped while writing leaves whole embeddings, and the
    next one goes on.  One that replaces is stored as a whole or not at all (in LanceDB: space by space).

    Raises :class:`AtlasError` when the repository cannot be had, is no atlas, is damaged or of a newer format, and,
    unless ``replace``, when a name here stands for something else there.
    """
    name, at = named(repo)
    if at is not None and revision not in (None, at):
        raise SettingError(f"{repo} and the revision {revision} say two different things; leave one out")
    api = hub_client().HfApi(token=token, endpoint=endpoint, library_name="taskspace")
    fetched = fetch(api, name, revision or at)
    if fetched.from_cache:
        warnings.warn(
            f"the Hub could not be asked; this is commit {fetched.commit[:12]} of {name}, from this machine's cache",
            TaskspaceWarning,
            stacklevel=2,
        )
    parts = fetched.manifest.spaces
    offers = [_offered(fetched, part) for part in parts]
    pools = {fingerprint: pack_pool(pool) for fingerprint, pool in fetched.pools().items()}
    transfers = fetched.transfers()
    path = atlas.path if isinstance(atlas, Atlas) else atlas
    store = open_store(path, create=True)
    try:
        with store.reading() as view:
            plans = [plan_for(view, part, offered, path) for part, offered in zip(parts, offers, strict=True)]
        if not replace:
            require_no_clash(plans, path, name)
        if any(plan.changed for plan in plans):
            with store.writing() as change:
                new_pools, noted = _take(lambda: nullcontext(change), fetched, plans, pools, transfers, path)
        else:
            new_pools, noted = _take(store.writing, fetched, plans, pools, transfers, path)
    finally:
        store.close()
    return Pulled(
        name, fetched.commit, fetched.from_cache, len(plans), sum(len(plan.new) for plan in plans),
        sum(len(plan.changed) for plan in plans), sum(plan.held for plan in plans), noted, new_pools,
    )  # fmt: skip


def _offered(fetched: Fetched, part: SpacePart) -> dict[str, tuple[Kind, str]]:
    """Kind and content of everything in a space; reads all of it once, so that nothing damaged is written later."""
    offered: dict[str, tuple[Kind, str]] = {each.name: (each.kind, each.content) for each in fetched.records(part)}
    counts = Counter(kind for kind, _ in offered.values())
    if counts != Counter(dict(part.kinds)):
        raise AtlasError(
            f"{part.file.path} of {fetched.repo} holds other kinds than {SPACES} says; pull another revision, or have"
            " it pushed again"
        )
    return offered


def _take(
    writing: Callable[[], AbstractContextManager[Change]],
    fetched: Fetched,
    plans: Sequence[Plan],
    pools: Mapping[str, bytes],
    transfers: Sequence[Transfer],
    path: Path | str,
) -> tuple[int, int]:
    """Store what the plans take, some embeddings at a time; how many pools and transfers are new."""
    with writing() as change:
        new_pools = keep_spaces(change, [plan.part for plan in plans], pools)
    source = f"{fetched.repo}@{fetched.commit}"
    for plan in plans:
        taken = plan.taken
        wanted = (_from(source, each) for each in fetched.records(plan.part) if each.name in taken)
        while batch := list(islice(wanted, _AT_ONCE)):
            with writing() as change:
                store_batch(change, plan, batch, path)
    with writing() as change:
        return new_pools, note_missing(change, transfers)


def _from(source: str, record: Record) -> Record:
    """The embedding, saying where it was pulled from unless it came there from elsewhere."""
    return record._replace(provenance=json.dumps({PULLED_FROM: source, **json.loads(record.provenance)}))
