"""TaskEmbedding: a vector, the space it lives in, and where it came from; and its file format."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from taskspace._files import replacing
from taskspace.errors import EmbeddingError, SettingError, SpaceMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.task import Pool

Kind: TypeAlias = Literal["dataset", "model", "prompt", "adapter"]
KINDS: tuple[Kind, ...] = ("dataset", "model", "prompt", "adapter")
Blocks: TypeAlias = tuple[tuple[str, int], ...]
"""Name and length of each consecutive part of a vector."""

RECIPE = 1
"""Goes up when the same settings would give other numbers, so that old vectors are not mixed with new ones."""

_READ_ONLY_FIELDS = {"surrogate", "revision", "pool_size"}


@dataclass(frozen=True, eq=False)
class SpaceId:
    """All that must be equal before two vectors may be compared.

    ``weights`` is the SHA-256 of the surrogate's weight and tokenizer files, ``encoding`` how it reads
    texts, ``settings`` the learner's, ``pool`` the fingerprint of the unlabelled texts.  ``surrogate``,
    ``revision`` and ``pool_size`` are for the reader: they follow from the rest and are not compared.
    """

    surrogate: str
    revision: str
    weights: str
    encoding: Mapping[str, Any]
    learner: str
    settings: Mapping[str, Any]
    pool: str
    pool_size: int
    seed: int
    recipe: int = RECIPE

    @cached_property
    def compared(self) -> dict[str, Any]:
        return {key: value for key, value in self.to_dict().items() if key not in _READ_ONLY_FIELDS}

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.compared, sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpaceId) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __str__(self) -> str:
        over = f" over {self.pool_size} pool texts" if self.reads_texts else ""
        return f"{self.learner} on {self.surrogate}{over}, seed {self.seed}"

    @property
    def reads_texts(self) -> bool:
        """Whether data sets and models lie there, by answers to a pool of texts; else weights are compared."""
        return bool(self.pool)

    def require_same(self, other: SpaceId) -> None:
        """Raise :class:`SpaceMismatch` naming each field that differs."""
        differing = [
            f"{key} ({_short(mine)} and {_short(other.compared[key])})"
            for key, mine in self.compared.items()
            if mine != other.compared[key]
        ]
        if differing:
            raise SpaceMismatch(
                f"these embeddings live in different spaces, which differ in {', '.join(differing)}; embed both in one"
            )

    def to_dict(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SpaceId:
        try:
            return cls(**data)
        except TypeError as error:
            raise EmbeddingError(
                f"a stored space has unexpected fields ({error}); it needs a newer taskspace"
            ) from error


@dataclass(frozen=True, eq=False)
class TaskEmbedding:
    """A task as a point: ``vector`` float32[d] in ``space``.

    ``blocks`` names the consecutive parts of the vector (one per model component for ``fisher``, else
    a single one).  ``content`` is the fingerprint of what was embedded; ``provenance`` holds plain JSON
    values: rows, classes, coverage, skill, model calls, version.  ``pool`` rides along in
    memory so that a store can keep it beside the vectors; it is neither compared nor saved.
    """

    name: str
    kind: Kind
    space: SpaceId
    vector: NDArray[np.float32]
    blocks: Blocks
    content: str
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pool: Pool | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingError(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        vector = np.array(self.vector, dtype="<f4", order="C")  # a copy, since it is frozen below
        if vector.ndim != 1 or sum(size for _, size in self.blocks) != len(vector):
            raise EmbeddingError(
                f"{self.name!r}: a vector of shape {vector.shape} does not fit its blocks {self.blocks}"
            )
        if not np.isfinite(vector).all():
            raise EmbeddingError(f"{self.name!r}: the vector holds NaN or infinity; embed it again")
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)

    def __repr__(self) -> str:
        return f"TaskEmbedding({self.name!r}, {self.kind}, {len(self.vector)} numbers, {self.space})"

    @property
    def informative(self) -> bool:
        """False when what was embedded says nothing (a constant predictor, labels that cannot be learned)."""
        return bool(self.provenance.get("informative", True)) and bool(np.any(self.vector))

    def similarity(self, other: TaskEmbedding) -> float:
        """Cosine in [-1, 1], averaged over blocks; for ``response`` it is the linear CKA of the answer functions.

        Raises :class:`SpaceMismatch` across spaces.  A vector that says nothing is similar to none (0).
        """
        self.space.require_same(other.space)
        cosines: list[float] = []
        start = 0
        for _, size in self.blocks:
            a, b = (e.vector[start : start + size].astype(np.float64) for e in (self, other))
            scale = float(np.linalg.norm(a) * np.linalg.norm(b))
            cosines.append(float(a @ b) / scale if scale else 0.0)
            start += size
        return float(np.clip(np.mean(cosines), -1.0, 1.0))

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; the JSON header holds all but the numbers.  An old file is replaced whole."""
        from safetensors.numpy import save

        header = {
            "format": 1, "name": self.name, "kind": self.kind, "space": self.space.to_dict(),
            "blocks": self.blocks, "content": self.content, "provenance": dict(self.provenance),
        }  # fmt: skip
        target = Path(path)
        try:
            with replacing(target) as partial:
                partial.write_bytes(save({"vector": np.array(self.vector)}, {"taskspace": json.dumps(header)}))
        except OSError as error:
            raise EmbeddingError(f"cannot write {target}: {error.strerror}; choose another place") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> TaskEmbedding:
        """Read what :meth:`save` wrote."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata: dict[str, str] = file.metadata() or {}
                vector = file.get_tensor("vector") if "taskspace" in metadata else None
        except FileNotFoundError as error:
            raise EmbeddingError(f"there is no file {path}; check the path") from error
        except (OSError, SafetensorError) as error:
            raise EmbeddingError(
                f"{path} is not a readable safetensors file ({error}); save the embedding again"
            ) from error
        if vector is None:
            raise EmbeddingError(f"{path} is a safetensors file but not a task embedding; it has no taskspace header")
        try:
            header = json.loads(metadata["taskspace"])
            if header["format"] != 1:
                raise EmbeddingError(f"{path} has format {header['format']}, this version reads 1; upgrade taskspace")
            blocks = tuple((str(name), int(size)) for name, size in header["blocks"])
            return cls(
                header["name"], header["kind"], SpaceId.from_dict(header["space"]), vector, blocks,
                header["content"], header["provenance"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingError(
                f"the header of {path} is not that of an embedding ({type(error).__name__}: {error}); save it again"
            ) from error


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:24]}…{text[-8:]}"
