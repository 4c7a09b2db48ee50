"""Per-example squared gradients of every linear layer, taken on one backward pass of activations.

With the weights frozen, autograd computes activation gradients only; what a layer's weight gradient
would have been follows from its input A [tokens, in] and output gradient D [tokens, out]: for one
example it is DᵀA, summed over the tokens *before* squaring.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from taskspace._extras import require

Square = Callable[[Any, Any], Any]


def row_pooled(inputs: Any, grads: Any) -> Any:
    """Σ over examples and over the inputs of each output unit of (DᵀA)²: [b, t, in], [b, t, out] -> [out].

    Exact without forming DᵀA: Σ_in (DᵀA)²[o, in] is the diagonal of Dᵀ(AAᵀ)D, at t²(in + out)
    operations a row instead of t·in·out (ours; pooling per output unit as in Task2Vec).
    """
    gram = inputs @ inputs.transpose(1, 2)
    return (grads * (gram @ grads)).sum(dim=(0, 1)).clamp(min=0)


def full_diagonal(inputs: Any, grads: Any) -> Any:
    """Σ over examples of (DᵀA)²: [b, t, in], [b, t, out] -> [out, in]."""
    return (grads.transpose(1, 2) @ inputs).square().sum(0)


@contextmanager
def squared_gradients(module: Any, square: Square) -> Generator[dict[str, Any]]:
    """While open, each backward pass adds every linear layer's ``square`` to the dict, by layer name.

    Layers that no gradient reaches do not appear.
    """
    torch = require("torch", extra="embed", why="learner 'fisher'")
    sums: dict[str, Any] = {}

    def tap(name: str) -> Callable[[Any, Any, Any], None]:
        def forward(_: Any, args: Any, output: Any) -> None:
            seen = args[0].detach()

            def backward(grad: Any) -> None:
                a, d = (x if x.dim() == 3 else x.unsqueeze(1) for x in (seen, grad))
                part = square(a, d)
                sums[name] = sums[name] + part if name in sums else part

            if output.requires_grad:
                output.register_hook(backward)

        return forward

    def open_graph(_: Any, __: Any, output: Any) -> None:
        output.requires_grad_()

    handles = [module.get_input_embeddings().register_forward_hook(open_graph)]
    handles += [
        layer.register_forward_hook(tap(name))
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    try:
        yield sums
    finally:
        for handle in handles:
            handle.remove()
