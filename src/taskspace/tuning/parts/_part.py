"""The seam between a backbone and whatever is tuned on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from taskspace.tuning.identity import BackboneKind

Tensor = Any
"""A torch tensor: torch is not imported for its types."""


class Part(Protocol):
    """K small trainable things of one kind, side by side, on one frozen backbone.

    ``parameters``: float32 leaf tensors [K, ...], row k belonging to bank row k.  ``shared``: leaf tensors [1, ...]
    that all rows train together (empty for most).  ``rates``: factors of the learning rate by parameter name,
    1 where not named.  ``settings``: all else that decides what it learns, as plain JSON.  ``rows`` is K.

    ``owners`` int64[n] says which bank row each row of a batch belongs to.
    """

    @property
    def rows(self) -> int: ...

    @property
    def parameters(self) -> Mapping[str, Tensor]: ...

    @property
    def shared(self) -> Mapping[str, Tensor]: ...

    @property
    def rates(self) -> Mapping[str, float]: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens to put in front [n, m, d] (m = 0 for none), and the texts' own embeddings [n, L, d], maybe changed.

        ``embeds`` float[n, L, d] right-padded, ``mask`` int64[n, L].  What comes back has the backbone's dtype.
        """
        ...

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        """While open, the backbone's layers run with the tuned part of each row in them (prefix, LoRA, biases)."""
        ...


class Frozen(Protocol):
    """What a part may know of the backbone that it sits on."""

    @property
    def kind(self) -> BackboneKind: ...

    @property
    def width(self) -> int: ...

    @property
    def module(self) -> Any:
        """The ``transformers`` model, frozen, in evaluation mode (its own base model, without our head)."""
        ...

    @property
    def device(self) -> str: ...

    @property
    def embeddings(self) -> Tensor:
        """The input embeddings [vocabulary, d] as a tensor of the backbone's dtype."""
        ...
