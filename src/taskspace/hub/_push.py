"""An atlas to a data set repository of the Hub, in one commit."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError
from taskspace.hub._card import Contents, card_of
from taskspace.hub._client import explained, hub_client, named, patiently
from taskspace.hub._manifest import CARD, SPACES, File
from taskspace.hub._packing import Packed, pack
from taskspace.hub._remote import Remote, look

if TYPE_CHECKING:
    from taskspace.atlas import Atlas


@dataclass(frozen=True)
class Pushed:
    """What went up, or with ``dry_run`` would have: ``commit`` is ``None`` then.

    ``left_out`` says in words what of the atlas stayed here, ``deleted`` which files of an older push are gone.
    ``changed`` is False when the repository held all of it already.
    """

    repo: str
    commit: str | None
    url: str | None
    private: bool | None
    changed: bool
    files: tuple[File, ...]
    deleted: tuple[str, ...]
    left_out: tuple[str, ...]
    card: str = field(repr=False)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"bytes": self.bytes}


def push(
    atlas: Atlas,
    repo: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    license: str | None = None,
    with_pool: bool = False,
    dry_run: bool = False,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> Pushed:
    """Push ``atlas`` to ``repo`` (``owner/name``), which is made, private, if it is not there; the atlas is only read.

    Vectors go up as float32 to the bit, with names, kinds, times, provenance and measured transfers.  Of paths in the
    provenance the last name goes, of the base model's folder its own; the pool's texts go only ``with_pool``.
    ``revision`` is a branch, made if it is not there.  A license that is not said stays what the repository states.
    With ``dry_run`` nothing is sent and the Hub is not asked.

    What an older push left and this one does not hold is deleted, in the same commit; other files stay.

    Raises :class:`AtlasError` when the repository holds something else than an atlas or one of a newer format, and for
    whatever the Hub refuses; :class:`SettingError` for a name that is none or a visibility that it does not have.
    """
    repo, at = named(repo)
    if at is not None:
        raise SettingError(f"{repo}@{at} names a state of a repository; push to a branch of it with --revision {at}")
    api = hub_client().HfApi(token=token, endpoint=endpoint, library_name="taskspace")
    said = _command(atlas, repo, private=private, revision=revision, license=license, with_pool=with_pool)
    with tempfile.TemporaryDirectory(prefix="taskspace-push-") as place:
        folder = Path(place)
        remote = None if dry_run else _ready(api, repo, revision, private)
        packed = pack(atlas, folder, repo, with_pool=with_pool)
        stated = license or (remote.license if remote else None)
        card = _write_head(packed, folder, Contents(repo, packed, said, stated))
        files = (*packed.manifest.files, *(File.of(folder / path, path) for path in (SPACES, CARD)))
        if remote is None:
            return Pushed(repo, None, None, private, True, files, (), packed.left_out, card)
        stale = tuple(sorted(remote.ours - {file.path for file in files}))
        done = _commit(api, repo, remote, revision, message or "Push an atlas with taskspace", folder, files, stale)
    return Pushed(
        repo, done.oid, done.commit_url, remote.private, done.oid != remote.commit, files, stale, packed.left_out, card
    )


def _ready(api: Any, repo: str, revision: str | None, private: bool | None) -> Remote:
    """The repository and its branch, made if need be, once it is sure that an atlas may go there."""
    with explained(repo, "pushed"):
        remote = look(api, repo, revision)
        if remote is None:
            options = {"repo_type": "dataset", "private": private is not False, "exist_ok": True}
            patiently(lambda: api.create_repo(repo, **options))
            remote = look(api, repo, revision)
    if remote is None:
        raise AssertionError("a repository that was just made is there")
    if private is not None and remote.private != private:
        is_now, wanted = ("private", "public") if remote.private else ("public", "private")
        raise SettingError(
            f"{repo} is {is_now} and --{wanted} was said; change that in its settings on the Hub, or leave it out"
        )
    if revision is not None and not remote.has_revision:
        with explained(repo, "pushed"):
            patiently(lambda: api.create_branch(repo, repo_type="dataset", branch=revision, exist_ok=True))
    return remote


def _commit(
    api: Any,
    repo: str,
    remote: Remote,
    revision: str | None,
    message: str,
    folder: Path,
    files: tuple[File, ...],
    stale: tuple[str, ...],
) -> Any:
    hub = hub_client()
    with explained(repo, "pushed"):
        operations = [hub.CommitOperationAdd(file.path, folder / file.path) for file in files]
        operations += [hub.CommitOperationDelete(path) for path in stale]
        return api.create_commit(
            repo, operations, commit_message=message, repo_type="dataset", revision=revision,
            parent_commit=remote.commit,
        )  # fmt: skip


def _write_head(packed: Packed, folder: Path, contents: Contents) -> str:
    """Write ``spaces.json`` and the card; gives back the card."""
    card = card_of(contents)
    (folder / SPACES).write_text(packed.manifest.to_json(), encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return card


def _command(
    atlas: Atlas, repo: str, *, private: bool | None, revision: str | None, license: str | None, with_pool: bool
) -> str:
    """What would be typed to push it so, without the folder of the atlas."""
    words = ["taskspace", "push", repo, "--atlas", atlas.name]
    words += [] if private is None else ["--private" if private else "--public"]
    words += [] if revision is None else ["--revision", revision]
    words += [] if license is None else ["--license", license]
    words += ["--with-pool"] if with_pool else []
    return shlex.join(words)
