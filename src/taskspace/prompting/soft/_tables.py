"""Tables of soft tokens: checked, frozen, and known by what they hold."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from taskspace.errors import PromptError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.tuning.identity import BackboneId

Layout: TypeAlias = Literal["input", "prefix"]
"""Where the rows go: before the embedded text [m, d], or as keys and values of every layer [m, L * 2 * d]."""

LAYOUTS: tuple[Layout, ...] = ("input", "prefix")


class Tabled(Protocol):
    """A prompt or a vector, as far as fitting together goes."""

    @property
    def backbone(self) -> BackboneId | None: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def length(self) -> int: ...

    @property
    def width(self) -> int: ...


def frozen_table(values: Any, what: str) -> NDArray[np.float32]:
    """A read-only float32[m, d] copy; :class:`PromptError` for another shape, NaN, infinity or no number at all."""
    try:
        with np.errstate(over="ignore"):
            table = np.array(values, dtype="<f4", order="C")
    except (TypeError, ValueError) as error:
        raise PromptError(
            f"{what} holds no numbers, or rows of unequal length; give a table of tokens by width"
        ) from error
    if table.ndim != 2 or not table.size:
        raise PromptError(f"{what} has shape {table.shape}; give a table of tokens by width")
    if not np.isfinite(table).all():
        raise PromptError(f"{what} holds NaN, infinity or a number too large for float32; tune or scale it anew")
    table.flags.writeable = False
    return table


def fingerprint_of(table: NDArray[np.float32]) -> str:
    """SHA-256 over shape and little-endian bytes."""
    little = np.ascontiguousarray(table, dtype="<f4")
    return hashlib.sha256(f"{little.shape}".encode() + little.tobytes()).hexdigest()


def require_fit(one: Tabled, other: Tabled) -> None:
    """Raise :class:`PromptError` unless the rows of both mean the same places of the same backbone."""
    if one.layout != other.layout:
        raise PromptError(f"one is for the {one.layout} and one for the {other.layout} of a model; put like with like")
    if not same_backbone(one.backbone, other.backbone):
        names = [backbone.name for backbone in (one.backbone, other.backbone) if backbone is not None]
        raise PromptError(
            f"these were tuned on {names[0]} and on {names[-1]}, whose input embeddings are not known to be the same; "
            "put together what one backbone made, or give backbone= when reading"
        )
    if one.width != other.width:
        raise PromptError(f"one is {one.width} wide and one {other.width}; put together what one backbone made")
    if one.length != other.length:
        raise PromptError(f"one has {one.length} tokens and one {other.length}; tune both with the same length")


def same_backbone(one: BackboneId | None, other: BackboneId | None) -> bool:
    """Whether nothing speaks against it: by the embedding tables if both are known, else by name.

    Of the names the last part counts, since ``t5-base`` and ``google-t5/t5-base`` are one model.  An unknown backbone
    fits any: width and length are then all there is to check.
    """
    if one is None or other is None:
        return True
    if one.table and other.table:
        return one.table == other.table
    return short_name(one.name) == short_name(other.name)


def better_known(one: BackboneId | None, other: BackboneId | None) -> BackboneId | None:
    """Of two names for one backbone the one that says more."""
    if one is None or (other is not None and other.table and not one.table):
        return other
    return one


def short_name(name: str) -> str:
    """The last part of a model's name or path, in lower case."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1].lower()
