"""TaskVector: what training added to a model, as a vector that can be added, negated, scaled and applied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError, WeightsError
from taskspace.merging._agreement import shared_layout
from taskspace.merging.base import Base
from taskspace.merging.carriers import Arrays, Carrier, Difference, combine
from taskspace.merging.checkpoint import InMemory, Weights, opened
from taskspace.merging.measures import inner_products
from taskspace.merging.models import require_differences
from taskspace.merging.window import floating

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.embedding import TaskEmbedding
    from taskspace.merging.adapters import Adapter
    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.files import Saved
    from taskspace.merging.result import Result
    from taskspace.prompting.soft import PromptVector

Source = str | Path | Mapping[str, "NDArray[Any]"] | Weights
"""A safetensors file or folder, arrays by name, or an opened checkpoint."""


@dataclass(frozen=True, eq=False)
class TaskVector:
    """tau = theta - theta_0, read when it is needed (Editing Models with Task Arithmetic, arXiv 2212.04089).

    ``weights`` are signed: ``a - b`` has 1 and -1, ``a - a`` none.  Where what was done is no weighted sum they say how
    much each task was let count (:func:`~taskspace.merging.merge`).  ``base`` is what it may be added to; ``carrier``
    where its numbers come from.  Vectors add when they come from one base; a tensor that one does not name is zero.
    Sums are taken in float32 (float64 where that is stored), norms and inner products in float64.
    """

    carrier: Carrier
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    base: Base | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])

    __array_ufunc__ = None  # numpy numbers to the left leave the product to us

    @classmethod
    def diff(
        cls, finetuned: Source, base: Source | None, *, name: str | None = None, ignore: Sequence[str] = ()
    ) -> TaskVector:
        """Fine-tuned minus base, tensor by tensor; nothing is read yet but headers, buffers and samples.

        ``ignore`` holds shell patterns (``classifier.*``) of tensors that are left out: there the vector is zero and
        the base's own stand.  Without a base the vector is the model itself, as methods that need none take it, and
        nothing can be left to the base; it does not add up with differences to one.

        Raises :class:`WeightsError` for missing or extra names, other shapes, buffers that differ, and files that
        are not whole, and :class:`SettingError` for ``ignore`` without a base, or where a pattern matches nothing.
        """
        tuned = opened(finetuned)
        if base is None and ignore:
            raise SettingError(f"{ignore[0]!r} is to be left to the base, and none was given; give the base too")
        if base is None:
            return cls(Difference(tuned, None, floating(tuned.layout)), {name or tuned.name: 1.0})
        under = opened(base)
        layout = shared_layout(tuned, under, ignore)
        about = {"finetuned": tuned.name, "base": under.name, "ignore": list(ignore)}
        return cls(Difference(tuned, under, layout), {name or tuned.name: 1.0}, Base.of(under, layout), about)

    @classmethod
    def from_peft(
        cls, adapter: str | Path, *, base: Source | None = None, name: str | None = None, ignore: Sequence[str] = ()
    ) -> TaskVector:
        """A LoRA, rsLoRA or DoRA adapter folder, its factors kept (:func:`taskspace.merging.adapters.read_adapter`).

        A ``base`` is needed where the adapter alone does not say the difference; ``ignore`` holds shell patterns
        (``classifier.*``) of tensors that are left out, by the adapter's names or the base's.
        """
        from taskspace.merging.adapters import read_adapter

        return read_adapter(Path(adapter), base=None if base is None else opened(base), name=name, ignore=ignore)

    @classmethod
    def from_prompt(cls, vector: PromptVector) -> TaskVector:
        """A prompt vector as one tensor named ``prompt``; it stands for the weights and backbone it came with."""
        where = None if vector.backbone is None else Base(vector.backbone.name)
        return cls(Arrays(InMemory({"prompt": vector.values})), dict(vector.weights), where, dict(vector.provenance))

    @classmethod
    def from_arrays(cls, tensors: Mapping[str, NDArray[Any]], *, name: str = "in memory") -> TaskVector:
        """Differences that are in memory, by tensor."""
        return cls(Arrays(InMemory(tensors, name)), {name: 1.0})

    def __repr__(self) -> str:
        on = f", on {self.base.name}" if self.base else ""
        return f"TaskVector({_spelled(self.weights)}, {len(self.layout)} tensors{on})"

    @property
    def layout(self) -> Layout:
        """Name and shape of each tensor that it may change."""
        return self.carrier.layout

    @property
    def norm(self) -> float:
        """Euclidean length over all tensors."""
        return math.sqrt(max(self @ self, 0.0))

    def __add__(self, other: object) -> TaskVector:
        return summed([self, other], [1.0, 1.0]) if isinstance(other, TaskVector) else NotImplemented

    def __radd__(self, other: object) -> TaskVector:
        """So that the built-in ``sum``, which begins at 0, adds vectors too."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __sub__(self, other: object) -> TaskVector:
        return summed([self, other], [1.0, -1.0]) if isinstance(other, TaskVector) else NotImplemented

    def __neg__(self) -> TaskVector:
        return summed([self], [-1.0])

    def __mul__(self, factor: object) -> TaskVector:
        return summed([self], [float(factor)]) if isinstance(factor, Real) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> TaskVector:
        if not isinstance(divisor, Real):
            return NotImplemented
        if not divisor:
            raise WeightsError("a vector cannot be divided by 0; divide by another number")
        return summed([self], [1.0 / float(divisor)])

    def __matmul__(self, other: object) -> float:
        """Inner product over all tensors that both name; factor pairs are not multiplied out for it."""
        if not isinstance(other, TaskVector):
            return NotImplemented
        joined_base([self, other])
        return float(sum(inner_products(self.carrier, other.carrier).values()))

    def cosine(self, other: TaskVector) -> float:
        """Cosine over all tensors, in [-1, 1]; 0 with a vector of zeros, which is similar to none."""
        scale = self.norm * other.norm
        return float(np.clip(self @ other / scale, -1.0, 1.0)) if scale else 0.0

    def apply(
        self, base: Source | None, out: str | Path | None = None, *, scale: float = 1.0, **writing: Any
    ) -> Result:
        """``theta_0 + scale * tau``, streamed to ``out``, or in memory without it.

        See :func:`taskspace.merging.result.write` for what else can be said.
        """
        from taskspace.merging.result import write

        return write(self, None if base is None else opened(base), out, scale=scale, **writing)

    def save(self, path: str | Path, codec: str = "raw", **options: Any) -> Saved:
        """Write it in one file, in few bits if you like; see :func:`taskspace.merging.files.save`."""
        from taskspace.merging.files import save

        return save(self, path, codec, **options)

    @classmethod
    def load(cls, path: str | Path) -> TaskVector:
        """One that was saved; nothing is read yet but the header (:func:`taskspace.merging.files.load`)."""
        from taskspace.merging.files import load

        return load(path)

    def embed(self, name: str | None = None, *, dims: int = 4096, seed: int = 0) -> TaskEmbedding:
        """A point that an :class:`~taskspace.Atlas` holds: ``dims`` numbers, in a space of the base's own.

        Inner products of such points estimate those of the vectors (:mod:`taskspace.merging.sketch`).  Read adapters
        with their ``base``, so that they meet checkpoint differences there.
        """
        from taskspace.merging.sketch import embedding

        return embedding(self, _spelled(self.weights) if name is None else name, dims=dims, seed=seed)

    def to_peft(self, folder: str | Path, *, rank: int | None = None, base_model: str | None = None) -> Adapter:
        """A sum of adapters as one, exact without ``rank``; see :func:`taskspace.merging.adapters.write_adapter`."""
        from taskspace.merging.adapters import write_adapter

        return write_adapter(self, folder, rank=rank, base_model=base_model)


def summed(vectors: Sequence[TaskVector], weights: Sequence[float]) -> TaskVector:
    """``sum of w * tau`` with the signed weights of its tasks.

    Raises :class:`WeightsError` for weights that are no finite numbers, other bases and other shapes.
    """
    for weight in weights:
        if not math.isfinite(weight):
            raise WeightsError(f"a vector cannot be weighted by {weight}; give a finite number")
    carrier = combine([(w, v.carrier) for v, w in zip(vectors, weights, strict=True)])
    carrier.layout  # noqa: B018  # raises now where shapes differ
    provenance = vectors[0].provenance if len(vectors) == 1 else {}
    return TaskVector(carrier, joined_weights(vectors, weights), joined_base(vectors), provenance)


def joined_weights(vectors: Sequence[TaskVector], weights: Sequence[float]) -> dict[str, float]:
    """The signed weights of all their tasks, less those that cancel."""
    told: dict[str, float] = {}
    for vector, weight in zip(vectors, weights, strict=True):
        for task, own in vector.weights.items():
            told[task] = told.get(task, 0.0) + weight * own
    return {task: weight for task, weight in told.items() if weight}


def joined_base(vectors: Sequence[TaskVector]) -> Base | None:
    """The one base of them all; raises :class:`WeightsError` where there are several, or a whole model beside one."""
    known = [vector.base for vector in vectors if vector.base is not None]
    found = known[0] if known else None
    for base in known[1:]:
        found = base.joined(found)
    if found is not None:
        require_differences(vectors, found.name)
    return found


def _spelled(weights: Mapping[str, float]) -> str:
    """``mnli - 0.5*qnli``."""
    words = ""
    for task, weight in weights.items():
        sign = " - " if weight < 0 else " + "
        times = "" if abs(weight) == 1 else f"{abs(weight):g}*"
        words += (sign if words or weight < 0 else "") + times + task
    return words.strip() or "0"
