"""From files to a frozen model in memory."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from taskspace._extras import installed, require
from taskspace.errors import MissingExtra, SettingError, SurrogateError
from taskspace.surrogates._locate import locate
from taskspace.surrogates._modules import gist, load_tokenizer, quiet, usable_device

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.surrogates._locate import Located
    from taskspace.tuning.identity import BackboneKind

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
Quantization: TypeAlias = Literal["int8", "nf4"]

_STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""What safetensors calls them."""

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A frozen ``transformers`` model in evaluation mode, its tokenizer, and where both came from.

    ``masked`` is True for an encoder with the head that fills in masked words.
    """

    located: Located
    kind: BackboneKind
    module: Any
    tokenizer: Any
    device: str
    masked: bool = False


def load(
    name: str | Path, *, revision: str | None, device: str | None, dtype: Precision, quantize: Quantization | None
) -> Loaded:
    """Raises :class:`SurrogateError` when it cannot be found or loaded, :class:`SettingError` for a bad option."""
    if dtype not in ("auto", *_STORED.values()):
        raise SettingError(f"dtype {dtype!r} is not known; say one of auto, {', '.join(_STORED.values())}")
    located = locate(name, revision=revision)
    _require_weights(located)
    require("torch", extra="embed", why=f"backbone {located.name!r}")
    transformers = require("transformers", extra="embed", why=f"backbone {located.name!r}")
    device = usable_device(device, why="a backbone")
    options = {"dtype": _precision(located, dtype, device, quantize), **_quantized(quantize, device, transformers)}
    try:
        config = transformers.AutoConfig.from_pretrained(located.folder, trust_remote_code=False)
        tokenizer = load_tokenizer(transformers, located.folder)
        kind, loaders = _loaders(transformers, config)
        module = _module(transformers, located, config, loaders, options)
    except SurrogateError:
        raise
    except Exception as error:  # foreign files fail in many ways
        raise unloadable(located, error) from error
    module = module.eval().requires_grad_(requires_grad=False)
    if quantize is None:
        module = module.to(device)
    masked = kind == "encoder" and module.base_model is not module
    return Loaded(located, kind, module, tokenizer, device, masked)


def unloadable(located: Located, error: Exception) -> SurrogateError:
    """For foreign files, which fail in many ways."""
    return SurrogateError(
        f"{located.name} in {located.folder} cannot be loaded ({gist(error)}); save or download it again"
    )


def table_fingerprint(located: Located, name: str, shape: tuple[int, ...]) -> str:
    """SHA-256 over shape, dtype and bytes of the input embeddings as stored, whatever precision they are read in.

    ``name`` is what the model in memory calls them; files call them the same, or with fewer or more names of
    modules before it, or (where they are tied) by the name of the output embeddings.  Empty if they are not found.
    """
    stored = [entry for path in sorted(located.folder.glob("*.safetensors")) for entry in _tensors(path)]
    fitting = [entry for entry in stored if entry[2]["shape"] == list(shape)]
    ends = name.split(".")
    for at in range(len(ends) - 1):
        end = ".".join(ends[at:])
        named = [entry for entry in fitting if entry[1] == end or entry[1].endswith(f".{end}")]
        if named:
            return _digest(*named[0])
    return _digest(*fitting[0]) if fitting else ""


def _loaders(transformers: Any, config: Any) -> tuple[BackboneKind, list[Any]]:
    """What the model is, and the classes that may load it, the one that reads most of the files first."""
    from transformers.models.auto import modeling_auto as kinds

    if config.is_encoder_decoder:
        return "encoder-decoder", [transformers.AutoModelForSeq2SeqLM]
    fills = config.model_type in kinds.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    writes = config.model_type in kinds.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if writes and (not fills or getattr(config, "is_decoder", False)):
        return "decoder", [transformers.AutoModelForCausalLM]
    heads = " ".join(config.architectures or ())
    if fills and ("MaskedLM" in heads or "PreTraining" in heads):
        return "encoder", [transformers.AutoModelForMaskedLM, transformers.AutoModel]
    return "encoder", [transformers.AutoModel]


def _module(transformers: Any, located: Located, config: Any, loaders: list[Any], options: dict[str, Any]) -> Any:
    """The model by the first class that finds all its weights; poolers, which nothing here reads, may lack theirs."""
    torch = require("torch", extra="embed", why="a backbone")
    absent: list[str] = []
    for loader in loaders:
        # Weights made in inference mode would refuse gradients; absent ones are drawn, and nobody else's draws move.
        with quiet(transformers), torch.inference_mode(mode=False), torch.random.fork_rng(devices=[]):
            module, loading = loader.from_pretrained(
                located.folder, config=config, use_safetensors=True, trust_remote_code=False,
                output_loading_info=True, **options,
            )  # fmt: skip
        absent = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
        if not absent:
            return module
    # What is absent would be random numbers.
    raise unloadable(located, ValueError(f"its weights lack {len(absent)} tensors such as {absent[0]}"))


def _require_weights(located: Located) -> None:
    if any(located.folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for ending in _PICKLES for path in located.folder.glob(ending))
    if pickles:
        raise SurrogateError(
            f"{located.folder} has its weights in {pickles[0]}, a pickle, never opened here; save it as safetensors"
        )
    raise SurrogateError(f"{located.folder} holds no *.safetensors weights; save the model there first")


def _precision(located: Located, asked: str, device: str, quantize: Quantization | None) -> str:
    """The precision computed in: by default the stored one, but float32 on the CPU, which is slow in others.

    A quantised model computes in bfloat16 unless it is told otherwise.
    """
    if asked != "auto":
        return asked
    if quantize is not None:
        return "bfloat16"
    if device.startswith("cpu"):
        return "float32"
    said = located.config.get("dtype") or located.config.get("torch_dtype")
    if said in _STORED.values():
        return str(said)
    stored = (_STORED.get(entry["dtype"]) for _, _, entry, _ in _tensors(min(located.folder.glob("*.safetensors"))))
    return next((dtype for dtype in stored if dtype), "float32")


def _quantized(quantize: Quantization | None, device: str, transformers: Any) -> dict[str, Any]:
    """Options of ``from_pretrained`` that store the frozen weights in 8 or 4 bits."""
    if quantize is None:
        return {}
    torch = require("torch", extra="embed", why="a quantised backbone")
    if quantize not in ("int8", "nf4"):
        raise SettingError(f"quantize={quantize!r} is not known; say int8, nf4 or None")
    for package in ("bitsandbytes", "accelerate"):
        if not installed(package):
            raise MissingExtra(f"quantize={quantize!r} needs {package}, which is not installed; pip install {package}")
    if quantize == "int8":
        config = transformers.BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    return {"quantization_config": config, "device_map": {"": device}}


def _tensors(path: Path) -> list[tuple[Path, str, dict[str, Any], int]]:
    """The file, each tensor's name, its entry in the header, and where the data begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return [(path, name, entry, 8 + length) for name, entry in header.items() if name != "__metadata__"]


def _digest(path: Path, _name: str, entry: dict[str, Any], begin: int) -> str:
    first, last = entry["data_offsets"]
    digest = hashlib.sha256(json.dumps([entry["shape"], entry["dtype"]]).encode())
    with path.open("rb") as file:
        file.seek(begin + first)
        left = last - first
        while left and (piece := file.read(min(left, 2**24))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()
