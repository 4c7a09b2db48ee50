"""The seam between a tensor of a vector and the parts that stand for it in a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

import numpy as np

from taskspace.errors import WeightsError
from taskspace.merging.numbers import FLOATING, Spec
from taskspace.merging.window import STRETCH, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Bound:
    """How far the numbers read back may be from those that were saved: any one of them, and all of a tensor together.

    ``each`` bounds the absolute error of a number, ``norm`` the Euclidean length of a tensor's error.
    """

    each: float
    norm: float


@final
class Tensor:
    """One tensor of a vector, read as often as a codec asks; float32, or float64 where that is stored.

    ``read`` gives the numbers of a window; ``stretch`` is how many to ask for at once.
    """

    def __init__(self, name: str, spec: Spec, read: Callable[[Window], NDArray[Any]], stretch: int = STRETCH) -> None:
        self.name, self.stretch = name, stretch
        self.spec = Spec("F64" if spec.dtype == "F64" else "F32", spec.shape)
        self._read = read
        self._held: NDArray[Any] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of its numbers in memory."""
        return np.dtype(FLOATING[self.spec.dtype])

    def pieces(self, unit: int = 1) -> Iterator[tuple[int, NDArray[Any]]]:
        """Where each begins, and its numbers in a row; all but the last hold a multiple of ``unit``."""
        size, step = self.spec.size, max(self.stretch // unit * unit, unit)
        if 0 < size <= step:
            yield 0, self.flat()
            return
        for start in range(0, size, step):
            yield start, self.numbers(Window(self.name, start, min(start + step, size)))

    def flat(self) -> NDArray[Any]:
        """All of it in a row, which is read once."""
        if self._held is None:
            self._held = self.numbers(Window(self.name, 0, self.spec.size))
        return self._held

    def numbers(self, window: Window) -> NDArray[Any]:
        """Those of a window; raises :class:`WeightsError` for NaN and infinity."""
        values = self._read(window).astype(self.dtype, copy=False)
        if not np.isfinite(values).all():
            raise WeightsError(f"{self.name!r} of the vector holds NaN or infinity; look at the models it came from")
        return values


Part: TypeAlias = "tuple[str, Iterable[NDArray[Any]]]"
"""The name of a part, and its numbers in pieces."""


class Parts(Protocol):
    """What a file holds of one tensor."""

    def size(self, part: str) -> int: ...
    def read(self, part: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Numbers ``start`` to ``stop`` of a part in a row, as they are stored."""
        ...


class Encoder(Protocol):
    """Takes a tensor apart."""

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        """What will be stored, before it is."""
        ...

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        """The parts in that order, made as they are taken."""
        ...


class Decoder(Protocol):
    """Puts a tensor together; a frozen dataclass, whose fields go into the file's header."""

    def sizes(self, spec: Spec) -> Mapping[str, int | None]:
        """The parts that there must be, and how many numbers each has, where the shape alone says that.

        The empty name is a part that is called like the tensor itself.
        """
        ...

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        """Numbers ``start`` to ``stop`` of the tensor in a row: the same bits however it is cut."""
        ...

    def bound(self, parts: Parts, spec: Spec) -> Bound: ...


class Codec(Encoder, Decoder, Protocol):
    """Both."""


class Plan(Protocol):
    """What was asked for, from which each tensor gets its codec by its shape."""

    def fitted(self, spec: Spec) -> Codec: ...


@final
class Within:
    """The parts of one codec among those of another, which it prefixes."""

    def __init__(self, parts: Parts, prefix: str) -> None:
        self._parts, self._prefix = parts, prefix

    def size(self, part: str) -> int:
        return self._parts.size(f"{self._prefix}:{part}")

    def read(self, part: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        return self._parts.read(f"{self._prefix}:{part}", start, stop)


@final
class Held:
    """Parts that were just encoded."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = {part: _joined(list(pieces)) for part, pieces in parts}

    def size(self, part: str) -> int:
        return len(self._parts[part])

    def read(self, part: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        return self._parts[part][start:stop]


def _joined(pieces: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One row; of an empty tensor there is none, and its dtype says nothing."""
    return np.concatenate([piece.reshape(-1) for piece in pieces]) if pieces else np.zeros(0, np.uint8)


def rounding(dtype: str, largest: float) -> float:
    """How far a number up to ``largest`` may be moved by the few roundings of reading it back."""
    info = np.finfo(FLOATING[dtype])
    return math.ldexp(float(info.eps), 1) * largest + float(info.smallest_subnormal)
