"""PromptVector: what tuning added to a prompt, as a vector that can be added, negated, scaled and applied."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._files import replacing
from taskspace._version import __version__
from taskspace.errors import PromptError
from taskspace.prompting.soft._header import backbone_from, object_from, sources_from, text_from
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.prompting.soft._stored import open_tensors, parsed
from taskspace.prompting.soft._tables import LAYOUTS, Layout, better_known, fingerprint_of, frozen_table, require_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.tuning.identity import BackboneId

_CANCELLED = 1e-12
"""A weight this much smaller than the two it is the sum of is rounding, and the task is gone."""


@dataclass(frozen=True, eq=False)
class PromptVector:
    """tau = P - P0, float32[m, d], and what it is made of.

    ``weights`` are signed: ``a - b`` has 1 and -1, ``a - a`` none.  ``init_id`` is the fingerprint of the one init
    it was made from, "" when there were several.  ``provenance["sources"]`` keeps every prompt that went in, with
    its own weight and init.

    Vectors add when layout, backbone, width and length agree, whatever their inits: that they may differ is what
    Task Prompt Vectors found.  Sums are taken in float64 and kept in float32; where that overflows,
    :class:`PromptError`.
    """

    values: NDArray[np.float32]
    backbone: BackboneId | None = None
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    init_id: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    layout: Layout = "input"

    __array_ufunc__ = None  # numpy numbers to the left leave the product to us

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise PromptError(f"layout {self.layout!r} is not known; say one of {', '.join(LAYOUTS)}")
        object.__setattr__(self, "values", frozen_table(self.values, "the vector"))
        object.__setattr__(self, "weights", {task: float(weight) for task, weight in self.weights.items() if weight})
        object.__setattr__(self, "provenance", dict(self.provenance))

    def __repr__(self) -> str:
        where = self.backbone.name if self.backbone else "an unknown backbone"
        return f"PromptVector({_spelled(self.weights)}, {self.length} x {self.width} {self.layout}, on {where})"

    @property
    def length(self) -> int:
        return self.values.shape[0]

    @property
    def width(self) -> int:
        return self.values.shape[1]

    @property
    def norm(self) -> float:
        """Frobenius norm."""
        return float(np.linalg.norm(self.values.astype(np.float64)))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the values."""
        return fingerprint_of(self.values)

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Each prompt that went in: ``weight``, ``name``, ``tasks``, ``init`` and ``provenance``.

        Its key is made of the fingerprints of its tokens and of its init.
        """
        if "sources" in self.provenance:
            return dict(self.provenance["sources"])
        return {
            f"{self.fingerprint}-{self.init_id}": {"weight": 1.0, "tasks": dict(self.weights), "init": self.init_id}
        }

    @property
    def inits(self) -> tuple[str, ...]:
        """Fingerprints of all inits that it was made from."""
        return tuple(sorted({source["init"] for source in self.sources.values()}))

    def __add__(self, other: object) -> PromptVector:
        return combined([self, other], [1.0, 1.0]) if isinstance(other, PromptVector) else NotImplemented

    def __radd__(self, other: object) -> PromptVector:
        """So that the built-in ``sum``, which begins at 0, adds vectors too."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __sub__(self, other: object) -> PromptVector:
        return combined([self, other], [1.0, -1.0]) if isinstance(other, PromptVector) else NotImplemented

    def __neg__(self) -> PromptVector:
        return combined([self], [-1.0])

    def __mul__(self, factor: object) -> PromptVector:
        return combined([self], [float(factor)]) if isinstance(factor, Real) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> PromptVector:
        if not isinstance(divisor, Real):
            return NotImplemented
        if not divisor:
            raise PromptError("a vector cannot be divided by 0; divide by another number")
        return combined([self], [1.0 / float(divisor)])

    def cosine(self, other: PromptVector) -> float:
        """Cosine of the flattened vectors, in [-1, 1]; 0 with a vector of zeros, which is similar to none.

        Rows are compared in their places, and token order is arbitrary: for likeness of tasks pool over tokens first.
        """
        require_fit(self, other)
        one, two = (vector.values.astype(np.float64).ravel() for vector in (self, other))
        one, two = (flat / (float(np.linalg.norm(flat)) or 1.0) for flat in (one, two))
        return float(np.clip(one @ two, -1.0, 1.0))

    def apply(self, init: SoftPrompt | NDArray[Any], scale: float = 1.0) -> SoftPrompt:
        """``P = init + scale * tau``: a prompt to start from or to use as it is (Task Prompt Vectors, section 3).

        Any init that fits will do.  The vector's own, at scale 1, gives the tuned prompt back: bit for bit where
        the difference of the two had room in float32 (always, where they are within a factor of 2 of each other),
        else to one unit in the last place of the larger of P and P0.
        """
        scale = _finite(scale)
        start = init if isinstance(init, SoftPrompt) else SoftPrompt(init, layout=self.layout)
        require_fit(self, start)
        weights = {task: weight * scale for task, weight in self.weights.items() if weight * scale}
        said = {"applied": dict(self.provenance), "scale": scale, "init": start.name or start.fingerprint}
        with np.errstate(over="ignore"):  # told of in one sentence by frozen_table
            tokens = start.tokens + scale * self.values.astype(np.float64)
        return SoftPrompt(
            frozen_table(tokens, "the prompt made of the vector"),
            better_known(self.backbone, start.backbone), _spelled(weights), start.tokens,
            tuple(weights), said, self.layout, weights,
        )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; the JSON header holds all but the numbers.  An old file is replaced whole."""
        from safetensors.numpy import save

        header = {
            "format": 1, "kind": "prompt vector", "backbone": self.backbone.to_dict() if self.backbone else None,
            "weights": dict(self.weights), "init_id": self.init_id, "layout": self.layout,
            "provenance": dict(self.provenance),
        }  # fmt: skip
        target = Path(path)
        try:
            data = save({"vector": np.array(self.values)}, {"taskspace": json.dumps(header)})
            with replacing(target) as partial:
                partial.write_bytes(data)
        except TypeError as error:
            raise PromptError(f"the provenance does not fit into JSON ({error}); keep plain values in it") from error
        except OSError as error:
            raise PromptError(f"cannot write {target}: {error.strerror}; choose another place") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> PromptVector:
        """Read what :meth:`save` wrote."""
        stored = open_tensors(Path(path))
        header = stored.header
        if header.get("kind") != "prompt vector" or "vector" not in stored.tensors:
            raise PromptError(f"{path} is not a prompt vector; read a prompt with read_prompt and take its .vector")
        with parsed(path):
            about = object_from(header["provenance"], "provenance", path)
            sources_from(about, path)
            return cls(
                stored.tensors["vector"], backbone_from(header["backbone"], path), dict(header["weights"]),
                text_from(header["init_id"], "init_id", path), about, header["layout"],
            )  # fmt: skip


def vector_of(prompt: SoftPrompt) -> PromptVector:
    """Tokens minus init, with the prompt as its only source."""
    if prompt.init is None:
        raise PromptError(
            f"prompt {prompt.name!r} has no init, so what tuning added is unknown; give init= when reading it"
        )
    init_id = fingerprint_of(prompt.init)
    weights = dict(prompt.weights or {})
    source = {
        "weight": 1.0, "name": prompt.name, "tasks": weights, "init": init_id, "provenance": dict(prompt.provenance),
    }  # fmt: skip
    said = {"sources": {f"{prompt.fingerprint}-{init_id}": source}, "version": __version__}
    values = frozen_table(prompt.tokens.astype(np.float64) - prompt.init, f"the vector of prompt {prompt.name!r}")
    return PromptVector(values, prompt.backbone, weights, init_id, said, prompt.layout)


def combined(vectors: Sequence[PromptVector], factors: Sequence[float]) -> PromptVector:
    """``sum_i factors[i] * vectors[i]``, rounded once; :class:`PromptError` for none, or for what does not fit."""
    with np.errstate(over="ignore", invalid="ignore"):  # told of in one sentence by frozen_table
        terms = [factor * table for factor, table in zip(map(_finite, factors), tables_of(vectors), strict=True)]
        return made_of(vectors, factors, np.asarray(sum(terms)))


def made_of(
    vectors: Sequence[PromptVector], factors: Sequence[float], values: NDArray[np.float64], note: str = ""
) -> PromptVector:
    """A vector with these ``values`` that counts its makers by ``factors`` (for show, where they are not linear)."""
    weights: dict[str, float] = {}
    sources: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for vector, factor in zip(vectors, factors, strict=True):
        _count(weights, vector.weights, float(factor))
        known = vector.sources
        counted = {key: source["weight"] for key, source in sources.items()}
        _count(counted, {key: source["weight"] for key, source in known.items()}, float(factor))
        sources = {key: (known | sources)[key] | {"weight": weight} for key, weight in counted.items()}
        notes += [said for said in vector.provenance.get("notes", ()) if said not in notes]
    said: dict[str, Any] = {"sources": sources, "version": __version__}
    if note or notes:
        said["notes"] = [*notes, note] if note else notes
    inits = {source["init"] for source in sources.values()}
    backbone = None
    for vector in vectors:
        backbone = better_known(backbone, vector.backbone)
    init_id = inits.pop() if len(inits) == 1 else ""
    table = frozen_table(values, "the vector made of these")
    return PromptVector(table, backbone, weights, init_id, said, vectors[0].layout)


def tables_of(vectors: Sequence[PromptVector]) -> list[NDArray[np.float64]]:
    """Their values in float64, once it is sure that there are some and that they fit together."""
    if not vectors:
        raise PromptError("there are no vectors to combine; give at least one")
    for i, vector in enumerate(vectors):
        for other in vectors[:i]:
            require_fit(other, vector)
    return [vector.values.astype(np.float64) for vector in vectors]


def _count(weights: dict[str, float], more: Mapping[str, float], factor: float) -> None:
    """Add ``factor * more`` in place; what cancels is gone."""
    for name, weight in more.items():
        before, after = weights.get(name, 0.0), weights.get(name, 0.0) + factor * weight
        if abs(after) <= _CANCELLED * max(abs(before), abs(factor * weight)):
            weights.pop(name, None)
        else:
            weights[name] = after


def _finite(factor: float) -> float:
    if not math.isfinite(factor):
        raise PromptError(f"a vector cannot be scaled by {factor}; give a finite number")
    return float(factor)


def _spelled(weights: Mapping[str, float]) -> str:
    """``+mnli -0.5 qnli``: for people; "0" where no task is left."""
    return (
        " ".join(
            f"{'-' if weight < 0 else '+'}{'' if abs(weight) == 1 else f'{abs(weight):g} '}{task}"
            for task, weight in weights.items()
        )
        or "0"
    )
