"""Keys and values in front of the backbone's own, in every self-attention, each text with those of its owner.

The attention of transformers' models goes through a function looked up by name in the model's config.  While a
prefix is in place that name is ours; our function puts the prefix in front of what a layer made itself and hands
over to the usual one (scaled dot product, for all models).  A cache of keys and values stands before that, and so
never holds the prefix: each step of a generation sees it once.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.tuning.parts._layers import one_each
from taskspace.tuning.parts._rows import torch_module

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from taskspace.tuning.parts._part import Tensor

_NAME = "taskspace_prefix"
_CROSS = re.compile(r"crossattention|EncDecAttention|encoder_attn|cross_attn")


def self_attentions(module: Any) -> dict[str, int]:
    """Width of the keys (and of the values) of each self-attention by name, in the model's order.

    In an encoder-decoder the encoder's come first.  :class:`SettingError` if the model attends in its own way.
    """
    if any(getattr(layer, "attn_logit_softcapping", None) for layer in module.modules()):
        raise SettingError(
            f"{type(module).__name__} caps its attention, which prefixes here cannot do; tune a prompt or LoRA on it"
        )
    found = {
        name: _key_width(layer.config)
        for name, layer in module.named_modules()
        if hasattr(layer, "is_causal") and hasattr(layer, "scaling") and not _CROSS.search(name)
    }
    if not found:
        raise SettingError(
            f"the attention of {type(module).__name__} has no place for a prefix; tune a prompt or LoRA on it"
        )
    return found


def _key_width(config: Any) -> int:
    """d_kv: with grouped heads there are fewer keys than queries."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


@contextmanager
def prefixed(module: Any, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> Generator[None]:
    """While open, each named self-attention sees these keys and values [n, m, d_kv] in front of its own."""
    _register()
    configs = {id(layer.config): layer.config for layer in module.modules() if hasattr(layer, "config")}
    with ExitStack() as stack:
        for name, pair in pairs.items():
            layer = module.get_submodule(name)
            setattr(layer, _NAME, pair)
            stack.callback(delattr, layer, _NAME)
        for config in configs.values():
            # A mapping sets this config alone: a plain name would also set those inside it.
            stack.callback(setattr, config, "_attn_implementation", {"": config._attn_implementation})
            config._attn_implementation = {"": _NAME}
        yield


def _register() -> None:
    transformers = require("transformers", extra="embed", why="tuning")
    transformers.AttentionInterface.register(_NAME, _attend)
    transformers.AttentionMaskInterface.register(_NAME, _mask)


def _mask(**asked: Any) -> Tensor:
    """bool[n, 1, q, k], or None where all see all.

    A causal one is always made: left out as plain, it would be drawn anew over keys that have moved on.
    """
    masking = require("transformers.masking_utils", extra="embed", why="tuning")
    return masking.sdpa_mask(**asked | {"allow_is_causal_skip": False})


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    position_bias: Tensor | None = None,
    is_causal: bool | None = None,
    **asked: Any,
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention on [n, heads, tokens, d_head], the prefix in front where the layer has one."""
    attend = require("transformers.integrations.sdpa_attention", extra="embed", why="tuning").sdpa_attention_forward
    if (pair := getattr(module, _NAME, None)) is not None:
        one_each(key, pair[0], type(module).__name__)
        key, value = (_in_front(own, prefix) for own, prefix in zip((key, value), pair, strict=True))
        attention_mask, position_bias = (_seen_by_all(x, pair[0].shape[1]) for x in (attention_mask, position_bias))
        is_causal = False
    return attend(module, query, key, value, attention_mask, position_bias=position_bias, is_causal=is_causal, **asked)


def _in_front(own: Tensor, prefix: Tensor) -> Tensor:
    heads = prefix.to(own.dtype).unflatten(2, (own.shape[1], own.shape[3])).transpose(1, 2)
    return torch_module().cat([heads, own], 2)


def _seen_by_all(scores: Tensor | None, length: int) -> Tensor | None:
    """A mask or a bias [.., q, k] with m more keys that every query sees, at bias 0."""
    if scores is None:
        return None
    torch = torch_module()
    seen = torch.full(
        (*scores.shape[:-1], length), scores.dtype == torch.bool, dtype=scores.dtype, device=scores.device
    )
    return torch.cat([seen, scores], -1)
