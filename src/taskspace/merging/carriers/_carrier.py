"""The seam between a task vector and where its numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.window import Window


@runtime_checkable
class Carrier(Protocol):
    """Numbers of a vector by tensor, zero wherever ``layout`` names none.

    ``whole`` says that a stretch costs as much as its whole tensor, so that it should be asked for at once.
    """

    @property
    def layout(self) -> Layout: ...
    @property
    def whole(self) -> bool: ...

    def block(self, window: Window) -> NDArray[Any]:
        """float32[stop - start]: the same bits however a tensor is cut into windows."""
        ...

    def identity(self) -> str:
        """Names its numbers, as far as samples of them tell: what was begun with others is not gone on with."""
        ...
