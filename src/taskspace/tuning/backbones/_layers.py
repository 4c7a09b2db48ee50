"""What is done to a model's own layers: reading their states on the way, and running them twice to save memory."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, final

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from taskspace.tuning.parts._part import Tensor


@contextmanager
def passing_on(base: Any, places: Tensor) -> Generator[list[Tensor]]:
    """While open, only the last layer's states at ``places`` int64[n, T] go on from ``base`` to the model's own head.

    All states [n, L, d] are put into the list that is yielded.  A head over a large vocabulary costs as much as
    several layers, and its logits are wanted in few places; its scales, caps and biases stay the model's own.
    """
    seen: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> Any:
        seen.append(output.last_hidden_state)
        output.last_hidden_state = output.last_hidden_state.take_along_dim(places.unsqueeze(2), dim=1)
        return output

    handle = base.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def run_twice(module: Any, around: Callable[[], Callable[[], AbstractContextManager[None]]]) -> bool:
    """Let each layer keep its inputs alone, and be run again in the backward pass (gradient checkpointing).

    ``around()`` is asked at each forward pass for what opens the context that the layer runs in: the backward pass
    comes when that context has long been closed, and the layer must find it open again.  ``transformers`` has such
    a switch too, but only for models in training mode, where dropout is on.  False if there is no such layer.
    """
    torch = require("torch", extra="embed", why="gradient checkpointing")
    checkpoint: Any = require("torch.utils.checkpoint", extra="embed", why="gradient checkpointing").checkpoint
    layers = require("transformers.modeling_layers", extra="embed", why="gradient checkpointing")

    def again(forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if not torch.is_grad_enabled():
                return forward(*args, **kwargs)
            contexts = (nullcontext(), _Reopened(around()))
            options = {"use_reentrant": False, "preserve_rng_state": False, "context_fn": lambda: contexts}
            return checkpoint(forward, *args, **options, **kwargs)

        return run

    found = [layer for layer in module.modules() if isinstance(layer, layers.GradientCheckpointingLayer)]
    for layer in found:
        layer.forward = again(layer.forward)
    return bool(found)


@final
class _Reopened:
    """A context that may be entered any number of times, one after the other.

    Opening it may compute something with gradients, such as picking the rows of a batch.  Only what the layer itself
    keeps for its backward pass is counted by the checkpoint, and so it does not see what the opening keeps.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[None]]) -> None:
        self._opened = opened
        self._current: AbstractContextManager[None] = nullcontext()

    def __enter__(self) -> None:
        graph = require("torch.autograd.graph", extra="embed", why="gradient checkpointing")
        with graph.saved_tensors_hooks(_as_it_is, _as_it_is):
            self._current = self._opened()
            self._current.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._current.__exit__(kind, error, trace)


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
