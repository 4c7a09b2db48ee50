"""What must be equal before two tuned parts may be compared or added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

BackboneKind: TypeAlias = Literal["encoder", "encoder-decoder", "decoder"]


@dataclass(frozen=True)
class BackboneId:
    """A frozen base model as a tuned part sees it.

    ``name`` and ``revision`` say where it came from; ``table`` is SHA-256 over shape, dtype and bytes of its
    input embeddings as stored, ``width`` their columns.  ``table`` is empty where only the name is known
    (prompts that others published).
    """

    name: str
    revision: str
    kind: BackboneKind
    width: int
    vocabulary: int
    table: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> BackboneId:
        return cls(**said)
