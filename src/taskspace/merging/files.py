"""Task vectors in one file: safetensors, with what they are in its header, read again a stretch at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, WeightsError
from taskspace.merging._vector import TaskVector, joined_base
from taskspace.merging.base import Base
from taskspace.merging.carriers import Carrier, Factors, combine
from taskspace.merging.carriers.combined import factors
from taskspace.merging.checkpoint import SAVED, Checkpoint, metadata
from taskspace.merging.codecs import plan_named, restored, told
from taskspace.merging.codecs.affine import Affine
from taskspace.merging.codecs.low_rank import LowRank
from taskspace.merging.codecs.stored import Entry, Stored, StoredPairs, part_name
from taskspace.merging.codecs.storing import Encoded, plan_pair, plan_shared, plan_tensor, require_apart
from taskspace.merging.methods._table import require_kind
from taskspace.merging.numbers import Spec
from taskspace.merging.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.merging.codecs import Bound
    from taskspace.merging.codecs.storing import Job

_VERSION = 1


@dataclass(frozen=True)
class Saved:
    """A vector in a file: ``index`` is its number there."""

    path: Path
    index: int = 0

    @property
    def nbytes(self) -> int:
        """Of the whole file."""
        return self.path.stat().st_size

    @cached_property
    def bounds(self) -> Mapping[str, Bound]:
        """By tensor, how far what is read back may be from what was saved."""
        file, vectors = _read(self.path)
        return Stored.of(file, vectors[self.index][1]).bounds()


def save(
    vector: TaskVector, path: str | Path, codec: str = "raw", *, keep_factors: bool = True, **options: Any
) -> Saved:
    """Write a vector, a tensor at a time.

    ``codec`` is ``raw`` (dtype), ``svd`` (rank or share), ``int8``, ``int4``, ``int2`` (group) or ``sparse``
    (density), each with a bound of its error: see :mod:`taskspace.merging.codecs`.  Factor pairs are kept as they are,
    whatever the codec, unless ``keep_factors`` is false.

    Raises :class:`SettingError` for another codec or option, and :class:`WeightsError` for NaN and a full disk.
    """
    plan = plan_named(codec, **options)
    carrier = vector.carrier
    planned = {name: plan_tensor(carrier, name, plan, keep_factors=keep_factors) for name in carrier.layout}
    entries = {name: entry for name, (entry, _) in planned.items()}
    _write(Path(path), [(vector, entries)], [job for _, job in planned.values()])
    return Saved(Path(path))


def save_many(
    vectors: Sequence[TaskVector],
    path: str | Path,
    *,
    base_bits: int = 3,
    offset_bits: int = 2,
    group: int | None = None,
    keep_factors: bool = True,
) -> list[Saved]:
    """Write several vectors of one base as what they share and what each adds (RTVQ): the codec ``residual``.

    Of n vectors a number takes ``base_bits / n + offset_bits`` bits.  ``group`` numbers in a row share a range, by
    default all of a tensor.
    """
    if not vectors:
        raise SettingError("no vector was given to save; give at least one")
    for option, value in {"base_bits": base_bits, "offset_bits": offset_bits}.items():
        require_kind("residual", option, value, "int")
    require_kind("residual", "group", group, "int | None")
    joined_base(vectors)
    combine([(1.0, vector.carrier) for vector in vectors]).layout  # noqa: B018  # raises where shapes differ
    base, offset = Affine(base_bits, group), Affine(offset_bits, group)
    told_of: list[dict[str, Entry]] = [{} for _ in vectors]
    jobs: list[Job] = []
    for name in dict.fromkeys(name for vector in vectors for name in vector.layout):
        holders = {i: vector.carrier for i, vector in enumerate(vectors) if name in vector.layout}
        kept = [i for i, carrier in holders.items() if keep_factors and factors(carrier, name)]
        for i in kept:
            told_of[i][name], job = plan_pair(holders.pop(i), name, f"{name}:{i}")
            jobs.append(job)
        if holders:
            shared, job = plan_shared(holders, name, base, offset)
            jobs.append(job)
            for i, entry in shared.items():
                told_of[i][name] = entry
    _write(Path(path), list(zip(vectors, told_of, strict=True)), jobs)
    return [Saved(Path(path), i) for i in range(len(vectors))]


def load(path: str | Path) -> TaskVector:
    """The vector of a file, of which nothing is read yet but the header.

    Raises :class:`WeightsError` for a file that is not one saved here, not whole, or of several vectors.
    """
    vectors = load_many(path)
    if len(vectors) != 1:
        raise WeightsError(f"{path} holds {len(vectors)} vectors; read them with load_many")
    return vectors[0]


def load_many(path: str | Path) -> list[TaskVector]:
    """All vectors of a file, in the order in which they were saved."""
    file, vectors = _read(Path(path))
    return [
        TaskVector(_carrier(file, entries), said["weights"], _base(said["base"]), said["provenance"])
        for said, entries in vectors
    ]


def _write(path: Path, vectors: Sequence[tuple[TaskVector, Mapping[str, Entry]]], jobs: Sequence[Job]) -> None:
    require_apart(jobs)
    said = {"version": _VERSION, "vectors": [_said(vector, entries) for vector, entries in vectors]}
    write_file(Encoded(jobs), path, {SAVED: json.dumps(said, default=str)})


def _said(vector: TaskVector, entries: Mapping[str, Entry]) -> dict[str, Any]:
    tensors = {
        name: {"at": entry.at, "dtype": entry.spec.dtype, "shape": list(entry.spec.shape), "by": told(entry.codec)}
        for name, entry in entries.items()
    }
    base = None if vector.base is None else vector.base.to_dict()
    return {
        "weights": dict(vector.weights), "base": base, "provenance": dict(vector.provenance), "tensors": tensors,
    }  # fmt: skip


def _read(path: Path) -> tuple[Checkpoint, list[tuple[dict[str, Any], dict[str, Entry]]]]:
    if not path.is_file():
        raise WeightsError(f"there is no file at {path}; give one that TaskVector.save wrote")
    file, header = Checkpoint(path), metadata(path)
    if SAVED not in header:
        raise WeightsError(f"{path} holds weights and no task vector; take TaskVector.diff of it and its base")
    try:
        said = json.loads(header[SAVED])
        if said["version"] > _VERSION:
            raise WeightsError(f"{path} was written by a newer taskspace; update yours to read it")
        return file, [(vector, _entries(file, vector["tensors"])) for vector in said["vectors"]]
    except (LookupError, TypeError, ValueError, SettingError) as error:
        raise WeightsError(f"the header of {path} is damaged ({error!r}); save the vector again") from error


def _entries(file: Checkpoint, tensors: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name, about in tensors.items():
        entry = Entry(about["at"], restored(about["by"]), Spec(about["dtype"], tuple(about["shape"])))
        for part, size in entry.codec.sizes(entry.spec).items():
            found = file.layout[part_name(entry.at, part)].size
            if size not in (None, found) or not entry.spec.floating:
                raise ValueError(f"{name!r} is {entry.spec} and has {found} {part}")
        entries[name] = entry
    return entries


def _carrier(file: Checkpoint, entries: Mapping[str, Entry]) -> Carrier:
    paired = {name: entry for name, entry in entries.items() if isinstance(entry.codec, LowRank)}
    others = {name: entry for name, entry in entries.items() if name not in paired}
    pairs = Factors(StoredPairs(file, paired), {name: entry.spec for name, entry in paired.items()})
    parts: list[Carrier] = [pairs] if paired else []
    if others or not paired:
        parts.append(Stored.of(file, others))
    return parts[0] if len(parts) == 1 else combine([(1.0, part) for part in parts])


def _base(said: Mapping[str, Any] | None) -> Base | None:
    return None if said is None else Base(said["name"], said["digests"], said.get("whole", ""))
