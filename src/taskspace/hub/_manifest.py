"""``spaces.json``: what a repository holds of an atlas, and by which hashes it is known."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from taskspace._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from taskspace.embedding import Blocks, Kind, SpaceId

FORMAT = 1
"""Goes up when an older taskspace could no longer read what is pushed."""

WHAT = "taskspace atlas"
SPACES, TRANSFERS, PICTURE, CARD = "spaces.json", "transfers.parquet", "map.png", "README.md"


@dataclass(frozen=True)
class File:
    """A file of the repository: ``bytes`` long, with this SHA-256."""

    path: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, place: Path, path: str) -> File:
        with place.open("rb") as file:
            return cls(path, place.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())

    def is_in(self, place: Path) -> bool:
        """Whether the file at ``place`` is this one, byte for byte."""
        return File.of(place, self.path) == self


@dataclass(frozen=True)
class SpacePart:
    """A space, how many embeddings of each kind it holds, and the file of their vectors."""

    identity: SpaceId
    blocks: Blocks
    options: Mapping[str, Any]
    kinds: Mapping[Kind, int]
    file: File

    @property
    def name(self) -> str:
        """The learner's name and the start of the fingerprint: fit for a file and for a viewer's configuration."""
        return space_name(self.identity)

    @property
    def count(self) -> int:
        return sum(self.kinds.values())

    @property
    def dims(self) -> int:
        return sum(size for _, size in self.blocks)

    def to_dict(self) -> dict[str, Any]:
        return {
            "fingerprint": self.identity.fingerprint, "identity": self.identity.to_dict(), "blocks": self.blocks,
            "options": dict(self.options), "kinds": dict(self.kinds), "file": asdict(self.file),
        }  # fmt: skip


@dataclass(frozen=True)
class PoolPart:
    """The texts of a pool, a row each."""

    fingerprint: str
    rows: int
    file: File


@dataclass(frozen=True)
class TransferPart:
    """The measured transfers, a row each."""

    rows: int
    file: File


@dataclass(frozen=True)
class Manifest:
    """All parts of a pushed atlas, and the version of taskspace that wrote them."""

    spaces: tuple[SpacePart, ...]
    pools: tuple[PoolPart, ...]
    transfers: TransferPart
    pictures: tuple[File, ...] = ()
    version: str = __version__

    @property
    def tables(self) -> tuple[File, ...]:
        """All that an atlas is made of again."""
        return tuple(part.file for part in (*self.spaces, *self.pools, self.transfers))

    @property
    def files(self) -> tuple[File, ...]:
        return (*self.tables, *self.pictures)

    def to_json(self) -> str:
        document = {
            "what": WHAT, "format": FORMAT, "taskspace": self.version,
            "spaces": [part.to_dict() for part in self.spaces],
            "pools": [asdict(part) for part in self.pools],
            "transfers": asdict(self.transfers),
            "pictures": [asdict(file) for file in self.pictures],
        }  # fmt: skip
        return json.dumps(document, indent=2) + "\n"


def space_name(identity: SpaceId) -> str:
    """Fit for a file and for a viewer's configuration: ``response-8689159c601c``."""
    return f"{re.sub(r'[^0-9A-Za-z]+', '-', identity.learner)}-{identity.fingerprint[:12]}"
