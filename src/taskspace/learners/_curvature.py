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

    Layers that no gradient reaches do not appear, nor does the one that gives logits over the vocabulary: most models
    tie it to their embeddings.
    """
    sums: dict[str, Any] = {}
    batch = [0]

    def tap(name: str) -> Callable[[Any, Any, Any], None]:
        def forward(_: Any, args: Any, output: Any) -> None:
            seen = args[0].detach()

            def backward(grad: Any) -> None:
                # One example per row: of a pooled state there is one token, and some layers see all tokens in one row.
                a, d = (x.reshape(batch[0], -1, x.shape[-1]) for x in (seen, grad))
                part = square(a, d)
                sums[name] = sums[name] + part if name in sums else part

            if output.requires_grad:
                output.register_hook(backward)

        return forward

    def open_graph(_: Any, __: Any, output: Any) -> None:
        batch[0] = len(output)
        output.requires_grad_()

    handles = [part.get_input_embeddings().register_forward_hook(open_graph) for part in _stacks(module)]
    handles += [layer.register_forward_hook(tap(name)) for name, layer in linear_layers(module).items()]
    try:
        yield sums
    finally:
        for handle in handles:
            handle.remove()


def linear_layers(module: Any) -> dict[str, Any]:
    """By name, all that multiply by a matrix (GPT-2 has a transposed kind of its own) but the output embeddings."""
    torch = require("torch", extra="embed", why="learner 'fisher'")
    transposed = require("transformers.pytorch_utils", extra="embed", why="learner 'fisher'").Conv1D
    heads = getattr(module, "get_output_embeddings", lambda: None)()
    found = {n: layer for n, layer in module.named_modules() if isinstance(layer, torch.nn.Linear | transposed)}
    return {name: layer for name, layer in found.items() if layer is not heads}


def _stacks(module: Any) -> list[Any]:
    """Where tokens become vectors: in an encoder-decoder on both sides."""
    both = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    return [module.get_encoder(), module.get_decoder()] if both else [module]
