"""Embedding-space maps: what fine-tuning on a source did to the features, kept as one small linear map.

Schulte, Hamborg and Akbik, "Less is More: Parameter-Efficient Selection of Intermediate Tasks for Transfer Learning"
(ESM; EMNLP 2024; code read in davidschulte/hf-dataset-selector).  Texts of the source are embedded once with the base
model and once with the tuned one, and a linear map is fitted from the first to the second.  A target is then embedded
by the base model alone, its features go through each source's map, and LogME scores them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._files import replacing
from taskspace.errors import DataError, EmbeddingError, SettingError
from taskspace.ranking.estimators._inputs import centred, feature_table
from taskspace.ranking.estimators._ridge import LeaveOneOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class SpaceMap:
    """x ↦ x + x A + b.  ``factors`` hold A: one float32[d, d], or float32[d, r] and float32[r, d]; ``bias`` float32[d].

    ``provenance`` holds plain JSON values.  Raises :class:`EmbeddingError` for parts that do not fit or are not finite.
    """

    factors: tuple[NDArray[np.float32], ...]
    bias: NDArray[np.float32]
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        parts = [np.array(part, dtype="<f4", order="C") for part in (*self.factors, self.bias)]
        shapes = [part.shape for part in parts]
        width = shapes[-1][0] if len(shapes[-1]) == 1 else 0
        inner = parts[0].shape[-1] if parts[0].ndim == 2 else 0
        if shapes not in ([(width, width), (width,)], [(width, inner), (inner, width), (width,)]):
            raise EmbeddingError(f"parts of shapes {shapes} make no map of a space to itself; fit the map again")
        if not all(np.isfinite(part).all() for part in parts):
            raise EmbeddingError("the map holds NaN or infinity; fit it again")
        for part in parts:
            part.flags.writeable = False
        object.__setattr__(self, "factors", tuple(parts[:-1]))
        object.__setattr__(self, "bias", parts[-1])

    def __repr__(self) -> str:
        rank = min(part.shape[0] for part in self.factors)
        return f"SpaceMap({len(self.bias)} numbers, rank {rank}, {self.nbytes} bytes)"

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers kept."""
        return sum(part.nbytes for part in (*self.factors, self.bias))

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """I + A as float32[d, d], so that the map is ``x @ weight + bias``."""
        identity = np.eye(len(self.bias))
        return (identity + _through(identity, self.factors)).astype(np.float32)

    def apply(self, features: ArrayLike) -> NDArray[np.float32]:
        """Mapped ``features`` [n, d] as float32[n, d]; sums run in float64."""
        table = feature_table(features).astype(np.float64)
        if table.shape[1] != len(self.bias):
            raise DataError(
                f"features {table.shape[1]} wide do not fit a map of {len(self.bias)}; embed with the map's base model"
            )
        return (table + _through(table, self.factors) + self.bias).astype(np.float32)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; an older one is replaced whole.  Raises :class:`EmbeddingError`."""
        from safetensors.numpy import save

        tensors = {f"factor{place}": np.array(part) for place, part in enumerate(self.factors)}
        header = {"format": _FORMAT, "provenance": dict(self.provenance)}
        target = Path(path)
        try:
            with replacing(target) as partial:
                content = save(tensors | {"bias": np.array(self.bias)}, {"taskspace-map": json.dumps(header)})
                partial.write_bytes(content)
        except OSError as error:
            raise EmbeddingError(f"cannot write {target}: {error.strerror}; choose another place") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> SpaceMap:
        """Read what :meth:`save` wrote.  Raises :class:`EmbeddingError` for anything else."""
        tensors, stored = _read(path)
        try:
            header = json.loads(stored)
            if header["format"] != _FORMAT:
                raise EmbeddingError(
                    f"{path} has format {header['format']}, this version reads {_FORMAT}; upgrade taskspace"
                )
            bias = tensors.pop("bias")
            return cls(tuple(tensors[name] for name in sorted(tensors)), bias, header["provenance"])
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingError(
                f"the header of {path} is not that of a map ({type(error).__name__}: {error}); save it again"
            ) from error


def fit_map(
    base: ArrayLike,
    tuned: ArrayLike,
    *,
    ridge: float | None = None,
    rank: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> SpaceMap:
    """The map from ``base`` [n, d] to ``tuned`` [n, d] features of the same texts, in closed form.

    Minimises ‖tuned - base - base A - b‖² + λ‖A‖²: with λ large the map leaves features where they are.  ``ridge`` is
    λ as a share of the sum of squares of ``base`` about its mean; by default the one of :data:`RIDGES` with the least
    leave-one-out error.  ``rank`` bounds the rank of A; the minimum under that bound is A V Vᵀ with V the leading
    right singular vectors of what A does to these features, the penalty's rows included.

    The authors train the same linear layer, from random weights and without the identity, by mean squared error:
    AdamW at 1e-3 with weight decay 0.01, linear decay, 10 epochs of batches of 32, gradients clipped to 1.  The
    closed form, the pull to the identity and the low rank are ours.

    Raises :class:`DataError` for features that do not match, :class:`SettingError` for ``ridge`` or ``rank`` out of
    range.
    """
    before, after = feature_table(base), feature_table(tuned)
    _require_fit(before, after, ridge, rank)
    residual = after.astype(np.float64) - before
    features, changes = centred(before), residual - residual.mean(axis=0)
    if not features.any():
        chosen, slope = ridge, np.zeros((before.shape[1],) * 2)
    else:
        chosen = LeaveOneOut(features, changes).best()[0] if ridge is None else ridge
        slope = _solved(features, changes, chosen)
    factors = (slope,) if rank is None else _truncated(slope, features.T @ changes, rank)
    bias = residual.mean(axis=0) - _through(before.mean(axis=0, dtype=np.float64), factors)
    made = {"rows": len(before), "ridge": chosen, "rank": rank}
    narrow = [part.astype(np.float32) for part in (*factors, bias)]
    return SpaceMap(tuple(narrow[:-1]), narrow[-1], made | dict(provenance or {}))


def _solved(features: NDArray[np.float64], changes: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """A = (FᵀF + λI)⁻¹ FᵀR, on the shorter side of F."""
    penalty = ridge * float(np.einsum("ij,ij->", features, features))
    rows, width = features.shape
    if rows <= width:
        slope = features.T @ np.linalg.solve(features @ features.T + penalty * np.eye(rows), changes)
    else:
        slope = np.linalg.solve(features.T @ features + penalty * np.eye(width), features.T @ changes)
    return np.asarray(slope, dtype=np.float64)


def _truncated(
    slope: NDArray[np.float64], cross: NDArray[np.float64], rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A V and Vᵀ: Aᵀ(FᵀF + λI)A is Aᵀ FᵀR, whose leading eigenvectors are V."""
    done = slope.T @ cross
    leading = np.asarray(np.linalg.eigh((done + done.T) / 2)[1][:, -rank:], dtype=np.float64)
    return slope @ leading, leading.T


def _through(values: NDArray[np.float64], factors: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """``values`` times each factor in turn."""
    for factor in factors:
        values = values @ factor.astype(np.float64)
    return values


def _require_fit(before: NDArray[Any], after: NDArray[Any], ridge: float | None, rank: int | None) -> None:
    if before.shape != after.shape or len(before) < 2:
        raise DataError(
            f"base features of shape {before.shape} and tuned ones of {after.shape} do not match; "
            "embed the same texts, two at least, with both models"
        )
    if ridge is not None and not 0 < ridge < np.inf:
        raise SettingError(f"ridge is {ridge}; give a number above 0")
    if rank is not None and not 1 <= rank <= before.shape[1]:
        raise SettingError(f"rank is {rank}; give one from 1 to the width of the features, {before.shape[1]}")


def _read(path: str | Path) -> tuple[dict[str, NDArray[np.float32]], str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            names: list[str] = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise EmbeddingError(f"there is no file {path}; check the path") from error
    except (OSError, SafetensorError) as error:
        raise EmbeddingError(f"{path} is not a readable safetensors file ({error}); save the map again") from error
    if "taskspace-map" not in metadata:
        raise EmbeddingError(f"{path} is a safetensors file but not a map; it has no taskspace-map header")
    return tensors, metadata["taskspace-map"]
