"""What a base model is, as its ``config.json`` tells it: known before anything that computes is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from taskspace.errors import SurrogateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.surrogates._locate import Located

ModelKind: TypeAlias = Literal["encoder", "encoder-decoder", "decoder"]

_DECODERS = {
    "bloom", "codegen", "cohere", "cohere2", "deepseek_v2", "deepseek_v3", "exaone4", "falcon", "gemma", "gemma2",
    "gemma3", "gemma3_text", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_oss", "gptj", "granite",
    "llama", "mistral", "mixtral", "mpt", "olmo", "olmo2", "olmo3", "openai-gpt", "opt", "persimmon", "phi", "phi3",
    "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "stablelm", "starcoder2", "xglm",
}  # fmt: skip
"""Values of ``model_type`` that read from left to right, whichever head a checkpoint was saved with."""

_DEPTH = ("num_hidden_layers", "n_layers", "num_layers", "n_layer", "encoder_layers")
_WIDTH = ("hidden_size", "dim", "d_model", "n_embd", "n_embed")


@dataclass(frozen=True)
class Shape:
    """``depth`` layers ``width`` wide, of the part that reads texts (of an encoder-decoder: its encoder).

    ``positions`` is how many tokens it has places for; 0 where places have no end, as with relative ones.
    """

    kind: ModelKind
    depth: int
    width: int
    positions: int


def shape_of(located: Located) -> Shape:
    """Raises :class:`SurrogateError` where the config does not say how deep or wide the model is."""
    config = located.config | cast("dict[str, Any]", located.config.get("text_config") or {})
    kind = kind_of(located.config)
    depth, width = (_first(located, config, names) for names in (_DEPTH, _WIDTH))
    return Shape(kind, depth, width, _positions(config, kind))


def kind_of(config: Mapping[str, Any]) -> ModelKind:
    """Encoder-decoders say so; decoders are known by their type, or else by the head they were saved with."""
    if config.get("is_encoder_decoder"):
        return "encoder-decoder"
    heads = [str(name) for name in config.get("architectures") or ()]
    writes = any(name.endswith(("ForCausalLM", "LMHeadModel")) and "WithLMHead" not in name for name in heads)
    return "decoder" if writes or config.get("is_decoder") or config.get("model_type") in _DECODERS else "encoder"


def _positions(config: Mapping[str, Any], kind: ModelKind) -> int:
    """T5 states ``n_positions`` and has none; ALiBi needs none."""
    if config.get("alibi"):
        return 0
    names = ("max_position_embeddings", "n_positions") if kind == "decoder" else ("max_position_embeddings",)
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def _first(located: Located, config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise SurrogateError(f"config.json of {located.name} has no {names[0]}; give a model that reads text")
