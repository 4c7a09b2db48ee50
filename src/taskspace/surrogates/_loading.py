"""A base model in memory: its tokenizer and its frozen module, or a sentence saying why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SurrogateError
from taskspace.surrogates._modules import gist, load_tokenizer, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.surrogates._locate import Located
    from taskspace.surrogates._shape import ModelKind

_LOADERS: dict[ModelKind, str] = {
    "encoder": "AutoModel",
    "encoder-decoder": "AutoModelForSeq2SeqLM",
    "decoder": "AutoModelForCausalLM",
}


@dataclass(frozen=True, eq=False)
class Weights:
    """A module in evaluation mode, weights frozen; ``unwritten`` names the tensors that only writing needs and that
    its files lack (random numbers stand there).
    """

    module: Any
    unwritten: tuple[str, ...] = ()


def read_tokenizer(located: Located) -> Any:
    transformers = _transformers(located)
    try:
        return load_tokenizer(transformers, located.folder)
    except Exception as error:  # foreign files fail in many ways
        raise _unloadable(located, error) from error


def read_weights(located: Located, kind: ModelKind, device: str) -> Weights:
    """From safetensors, without code of their own, in float32; raises :class:`SurrogateError`."""
    transformers = _transformers(located)
    torch = require("torch", extra="embed", why="a surrogate")
    loader = getattr(transformers, _LOADERS[kind])
    options = {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    try:
        # Half-precision files are read as float32; weights made in inference mode would refuse gradients.
        with quiet(transformers), torch.inference_mode(mode=False):
            module, loading = loader.from_pretrained(located.folder, dtype=torch.float32, **options)
    except Exception as error:  # foreign files fail in many ways
        raise _unloadable(located, error) from error
    absent = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
    needed = [name for name in absent if name in _reads(module, kind)]
    if needed:  # they would be random numbers
        raise _unloadable(located, ValueError(f"its weights lack {len(needed)} tensors such as {needed[0]}"))
    return Weights(module.eval().requires_grad_(requires_grad=False).to(device), tuple(absent))


def reader(module: Any, kind: ModelKind) -> Any:
    """The part of the module that reads a text, and gives its hidden states."""
    if kind == "encoder":
        return module
    return module.get_encoder() if kind == "encoder-decoder" else module.base_model


def _reads(module: Any, kind: ModelKind) -> set[str]:
    """Names of the tensors that reading a text needs; tied ones have several."""
    tensors = [*_named(module, "named_parameters"), *_named(module, "named_buffers")]
    part = reader(module, kind)
    own = {id(tensor) for which in ("named_parameters", "named_buffers") for _, tensor in _named(part, which)}
    return {name for name, tensor in tensors if id(tensor) in own}


def _named(module: Any, which: str) -> Sequence[tuple[str, Any]]:
    return list(getattr(module, which)(remove_duplicate=False))


def _transformers(located: Located) -> Any:
    require("torch", extra="embed", why=f"surrogate {located.name!r}")
    return require("transformers", extra="embed", why=f"surrogate {located.name!r}")


def _unloadable(located: Located, error: Exception) -> SurrogateError:
    return SurrogateError(
        f"{located.name} in {located.folder} cannot be loaded ({gist(error)}); save or download it again"
    )
