"""Frozen layers that a part listens to: which there are, and changing what comes out of them for a while."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.tuning.parts._rows import torch_module

if TYPE_CHECKING:
    from taskspace.tuning.parts._part import Frozen, Tensor

Change = Callable[["Tensor", "Tensor"], "Tensor"]
"""From a layer's input and output to what should come out instead."""


def sizes(layer: Any) -> tuple[int, int] | None:
    """Inputs and outputs of a layer that multiplies by a matrix (also GPT-2's transposed kind); None for others."""
    torch = torch_module()
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, require("transformers.pytorch_utils", extra="embed", why="tuning").Conv1D):
        return layer.nx, layer.nf
    return None


@contextmanager
def changed(backbone: Frozen, changes: Mapping[str, Change]) -> Generator[None]:
    """While open, the named layers answer with what their change makes of it; then they are as they were."""
    forget_nothing(backbone)
    with ExitStack() as stack:
        for name, change in changes.items():
            layer = backbone.module.get_submodule(name)
            stack.enter_context(layer.register_forward_hook(lambda _, x, y, change=change: change(x[0], y)))
        yield


def forget_nothing(backbone: Frozen) -> None:
    """:class:`SettingError` if layers would be run again during the backward pass, when the part has left them."""
    if torch_module().is_grad_enabled() and any(
        getattr(layer, "gradient_checkpointing", False) for layer in backbone.module.modules()
    ):
        raise SettingError(
            "gradient checkpointing runs layers again after what is tuned inside them has left; "
            "tune prompts, or load the backbone without checkpointing"
        )


def one_each(tensor: Tensor, owners: Tensor, name: str) -> None:
    """:class:`SettingError` unless a layer sees one row for each row of the batch."""
    if len(tensor) != len(owners):
        raise SettingError(
            f"layer {name!r} sees {len(tensor)} rows where the batch has {len(owners)}; tune layers that see each text"
        )
