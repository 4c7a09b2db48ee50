"""The files of a pushed atlas, in the Hub's cache and known to be whole."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import AtlasError
from taskspace.hub._client import explained, hub_errors, info_of, patiently, unreachable
from taskspace.hub._manifest import SPACES, File
from taskspace.hub._manifest_reading import read_manifest
from taskspace.hub._space_table import read_space
from taskspace.hub._tables import read_pool, read_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from taskspace.atlas import Transfer
    from taskspace.atlas._stored import Record
    from taskspace.hub._manifest import Manifest, SpacePart
    from taskspace.task import Pool


@final
@dataclass(frozen=True, eq=False)
class Fetched:
    """An atlas as it was pushed: ``places`` says where each file of ``manifest`` lies on this machine."""

    repo: str
    commit: str
    from_cache: bool
    manifest: Manifest
    places: Mapping[str, Path]

    def records(self, part: SpacePart) -> Iterator[Record]:
        """The embeddings of a space as an atlas stores them; raises :class:`AtlasError` for what is damaged."""
        return read_space(self.places[part.file.path], part, f"{part.file.path} of {self.repo}")

    def transfers(self) -> list[Transfer]:
        part = self.manifest.transfers
        return read_transfers(self.places[part.file.path], part.rows, f"{part.file.path} of {self.repo}")

    def pools(self) -> dict[str, Pool]:
        """By fingerprint, which is that of the texts found."""
        return {
            part.fingerprint: read_pool(self.places[part.file.path], part, f"{part.file.path} of {self.repo}")
            for part in self.manifest.pools
        }


def fetch(api: Any, repo: str, revision: str | None) -> Fetched:
    """Bring all files of an atlas here; from the cache alone when the Hub cannot be reached.

    Raises :class:`AtlasError` when there is none, it is of a newer format, or a file is not what its hash says.
    """
    with explained(repo, "pulled"):
        head, from_cache = _head(api, repo, revision)
    commit = head.parent.name  # the cache has a folder for each commit
    manifest = read_manifest(head.read_text(encoding="utf-8", errors="replace"), repo)
    places = {file.path: _whole(api, repo, commit, file) for file in manifest.tables}
    return Fetched(repo, commit, from_cache, manifest, places)


def _head(api: Any, repo: str, revision: str | None) -> tuple[Path, bool]:
    """Where ``spaces.json`` lies, and whether that is all that could be asked."""
    errors = hub_errors()
    try:
        info_of(api, repo, revision)
        return _file(api, repo, revision, SPACES), False
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
        if not unreachable(error):
            raise
        with suppress(errors.LocalEntryNotFoundError):
            return _file(api, repo, revision, SPACES, local_files_only=True), True
        raise


def _whole(api: Any, repo: str, commit: str, file: File) -> Path:
    """The file on this machine; one that was damaged here is fetched once more."""
    with explained(repo, "pulled"):
        place = _file(api, repo, commit, file.path)
        if not file.is_in(place):
            place = _file(api, repo, commit, file.path, force_download=True)
    if not file.is_in(place):
        raise AtlasError(
            f"{file.path} of {repo} is not the file whose hash {SPACES} states; pull another revision, or have it"
            " pushed again"
        )
    return place


def _file(api: Any, repo: str, revision: str | None, path: str, **options: Any) -> Path:
    errors = hub_errors()
    try:
        return Path(
            patiently(lambda: api.hf_hub_download(repo, path, repo_type="dataset", revision=revision, **options))
        )
    except errors.LocalEntryNotFoundError:
        raise
    except errors.EntryNotFoundError as error:
        what = "is no atlas, as it has no" if path == SPACES else "is not whole, as it has no"
        raise AtlasError(f"{repo} {what} {path}; check the name and the revision") from error
