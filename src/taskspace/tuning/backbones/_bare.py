"""The part that changes nothing: the backbone as it came."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, final

from taskspace.tuning.backbones._backbone import Tuned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from taskspace.tuning.parts._part import Frozen, Tensor


@final
class _Nothing:
    @property
    def rows(self) -> int:
        return 1

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        return {}

    @property
    def shared(self) -> Mapping[str, Tensor]:
        return {}

    @property
    def rates(self) -> Mapping[str, float]:
        return {}

    @property
    def settings(self) -> Mapping[str, object]:
        return {}

    def enter(self, embeds: Tensor, mask: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        return embeds[:, :0], embeds

    def inside(self, backbone: Frozen, owners: Tensor) -> AbstractContextManager[None]:
        return nullcontext()


BARE = Tuned(_Nothing())
"""Nothing tuned: every row belongs to row 0 of it."""
