"""The base that a vector was taken from, so that it is added to no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taskspace.errors import WeightsError
from taskspace.merging.checkpoint import digest, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from taskspace.merging.checkpoint import Weights


@dataclass(frozen=True)
class Base:
    """A base by its ``name`` and a digest of each tensor that matters; an adapter may know the name only.

    ``whole`` is a digest of all of its tensors, whichever a vector changes; empty where that is not known.
    """

    name: str
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    whole: str = ""

    @classmethod
    def of(cls, weights: Weights, names: Iterable[str]) -> Base:
        """Names are those of the tensors that a vector changes."""
        every = {name: digest(weights, name) for name in sorted(weights.layout)}
        whole = named(*(part for pair in every.items() for part in pair))
        return cls(weights.name, {name: every[name] for name in names}, whole)

    def joined(self, other: Base | None) -> Base:
        """The base of a sum; raises :class:`WeightsError` where these are two."""
        if other is None:
            return self
        both = self.digests.keys() & other.digests.keys()
        differing = sorted(name for name in both if self.digests[name] != other.digests[name])
        if differing:
            more = f" and {len(differing) - 1} others" if len(differing) > 1 else ""
            raise WeightsError(
                f"these vectors were taken from different bases ({self.name} and {other.name} differ in"
                f" {differing[0]!r}{more}); combine differences from one base"
            )
        if not both and self._differs(other):
            raise WeightsError(
                f"these vectors were taken from {self.name} and {other.name}, which are not the same; combine"
                " differences from one base"
            )
        whole = {base.whole for base in (self, other) if base.whole}
        return Base(self.name, {**other.digests, **self.digests}, whole.pop() if len(whole) == 1 else "")

    def _differs(self, other: Base) -> bool:
        """By all tensors where those are known of both; a folder's name says less."""
        return self.whole != other.whole if self.whole and other.whole else self.name != other.name

    def require(self, weights: Weights) -> None:
        """Raise :class:`WeightsError` where ``weights`` are not those that the vector was taken from."""
        for name, known in self.digests.items():
            if name in weights.layout and digest(weights, name) != known:
                raise WeightsError(
                    f"{name!r} of {weights.name} is not that of {self.name}, which the vector was taken from; give the"
                    " same base"
                )

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "digests": dict(self.digests), "whole": self.whole}
