"""Vectors taken apart for a file, one tensor at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import WeightsError
from taskspace.merging.carriers.combined import factors
from taskspace.merging.carriers.factors import concatenated
from taskspace.merging.codecs._codec import Part, Tensor
from taskspace.merging.codecs.low_rank import LowRank
from taskspace.merging.codecs.residual import Residual, Residuals, mean
from taskspace.merging.codecs.stored import Entry, part_name
from taskspace.merging.measures import stretch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.carriers import Carrier, Pair
    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.codecs._codec import Plan
    from taskspace.merging.codecs.affine import Affine
    from taskspace.merging.numbers import Spec


@dataclass(frozen=True, eq=False)
class Job:
    """Parts to be written under one name, and how they are made when their turn comes."""

    at: str
    parts: Mapping[str, Spec]
    encode: Callable[[], Iterator[Part]]


@final
class Encoded:
    """All jobs as tensors of a file; each is begun when its first part is asked for, so they must be asked in order."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._of = {part_name(job.at, part): (job, part) for job in jobs for part in job.parts}
        self.layout: Layout = {name: job.parts[part] for name, (job, part) in self._of.items()}
        self._job: Job | None = None
        self._parts: Iterator[Part] = iter(())

    def stored(self, name: str) -> Iterator[NDArray[Any]]:
        job, part = self._of[name]
        if job is not self._job:
            self._job, self._parts = job, job.encode()
        made, pieces = next(self._parts)
        assert made == part
        return iter(pieces)


def tensor_of(carrier: Carrier, name: str) -> Tensor:
    """One tensor of a vector, for a codec to read."""
    return Tensor(name, carrier.layout[name], carrier.block, stretch_of(carrier, name=name, layout=carrier.layout))


def plan_tensor(carrier: Carrier, name: str, plan: Plan, *, keep_factors: bool) -> tuple[Entry, Job]:
    """How one tensor is stored: factor pairs as they are, unless told not to, and else by the plan."""
    tensor = tensor_of(carrier, name)
    if keep_factors and factors(carrier, name):
        return plan_pair(carrier, name, name)
    codec = plan.fitted(tensor.spec)
    encode = partial(_encoded, codec, carrier, name)
    return Entry(name, codec, tensor.spec), Job(name, codec.parts(tensor), encode)


def plan_pair(carrier: Carrier, name: str, at: str) -> tuple[Entry, Job]:
    """A tensor that is the sum of factor pairs, as one pair."""
    codec = LowRank.of(_pair(carrier, name))
    tensor = tensor_of(carrier, name)
    return Entry(at, codec, tensor.spec), Job(at, codec.parts(tensor), lambda: codec.keep(_pair(carrier, name)))


def plan_shared(
    carriers: Mapping[int, Carrier], name: str, base: Affine, offset: Affine
) -> tuple[dict[int, Entry], Job]:
    """One tensor of several vectors, by the vector's number: a base that they share, and their offsets to it."""

    def residuals() -> tuple[Residuals, Tensor]:
        tensors = {i: tensor_of(carrier, name) for i, carrier in carriers.items()}
        return Residuals(tensors, base, offset), mean(list(tensors.values()))

    encoder, average = residuals()
    entries = {
        i: Entry(name, Residual(i, base.bits, offset.bits, offset.group), tensor.spec)
        for i, tensor in encoder.tensors.items()
    }

    def encode() -> Iterator[Part]:
        begun, tensor = residuals()
        return begun.encode(tensor)

    return entries, Job(name, encoder.parts(average), encode)


def require_apart(jobs: Sequence[Job]) -> None:
    """Raise :class:`WeightsError` where a tensor bears the name of another one's part."""
    names = [part_name(job.at, part) for job in jobs for part in job.parts]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise WeightsError(f"{twice!r} would be written twice; rename the tensors whose names hold a colon")


def _encoded(codec: Any, carrier: Carrier, name: str) -> Iterator[Part]:
    return codec.encode(tensor_of(carrier, name))


def _pair(carrier: Carrier, name: str) -> Pair:
    return concatenated(factors(carrier, name))
