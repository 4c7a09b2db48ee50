"""A language model on disk, and in memory once it is needed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, final

from taskspace._extras import require
from taskspace.errors import LabelerError, SettingError
from taskspace.labelers._weights import find, told_of, unloadable
from taskspace.surrogates._modules import load_tokenizer, quiet, usable_device

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.surrogates._locate import Located

_DTYPES = ("float32", "bfloat16", "float16")

_STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""What safetensors calls them."""

_PHRASING = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
"""What decides, beside the vocabulary, how a prompt becomes tokens."""

_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
"""All that is taken from a checkpoint's generation settings: nothing that samples, penalises or forces."""

_WHAT = "language model"


@final
@dataclass(frozen=True, eq=False)
class Loaded:
    """A frozen decoder or encoder-decoder.  Its files are found at once; torch loads them on first use.

    The files may fail only then: ``tokenizer`` and ``module`` raise :class:`LabelerError`.
    """

    located: Located
    asked_device: str | None = None
    asked_dtype: str = "auto"

    @property
    def name(self) -> str:
        return self.located.name

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.located.config.get("is_encoder_decoder"))

    @property
    def max_tokens(self) -> int | None:
        """The longest sequence it has positions for; ``None`` where positions have no end, as in T5 or Bloom."""
        config = self.located.config | dict(self.located.config.get("text_config") or {})
        names = ("max_position_embeddings",) if self.is_encoder_decoder else ("max_position_embeddings", "n_positions")
        if config.get("alibi"):
            return None
        return next((int(config[name]) for name in names if isinstance(config.get(name), int)), None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights, tokenizer (chat template and all), special tokens, architecture and precision."""
        with told_of(_WHAT):
            files = self.located.fingerprint
        extra = [self.located.folder / name for name in _PHRASING]
        phrasing = [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in extra]
        decides = [files, phrasing, _stated_tokens(self.located), self.dtype]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()

    @cached_property
    def device(self) -> str:
        return usable_device(self.asked_device)

    @cached_property
    def dtype(self) -> str:
        """The precision computed in: by default the stored one, but float32 on the CPU, which is slow in others."""
        if self.asked_dtype != "auto":
            return self.asked_dtype
        stored = _stored_dtype(self.located)
        if stored == "float32":
            return stored
        device = self.asked_device or self.device  # to look for a GPU takes torch
        return "float32" if device.startswith("cpu") else stored

    @cached_property
    def tokenizer(self) -> Any:
        transformers = _transformers(self.located)
        try:
            return load_tokenizer(transformers, self.located.folder)
        except Exception as error:  # foreign files fail in many ways
            with told_of(_WHAT):
                _ = self.located.fingerprint  # says so plainly where there is no tokenizer at all
            raise unloadable(self.located, error) from error

    @cached_property
    def module(self) -> Any:
        """The torch module, in evaluation mode, weights frozen; it generates greedily, whatever its files say."""
        transformers = _transformers(self.located)
        device = self.device
        try:
            with quiet(transformers):
                module, loading = _read(transformers, self.located, self.dtype)
        except LabelerError:
            raise
        except Exception as error:  # foreign files fail in many ways
            raise unloadable(self.located, error) from error
        absent = sorted(loading["missing_keys"])
        if absent:  # they would be random numbers
            raise unloadable(self.located, ValueError(f"its weights lack {len(absent)} tensors such as {absent[0]}"))
        module.generation_config = _special_tokens(transformers, module)
        return module.eval().requires_grad_(requires_grad=False).to(device)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Tokens that end a text, as the model or else its tokenizer has them; maybe none."""
        ends = self.module.generation_config.eos_token_id
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return () if ends is None else (ends,) if isinstance(ends, int) else tuple(int(end) for end in ends)


def load(name: str | Path, *, revision: str | None = None, device: str | None = None, dtype: str = "auto") -> Loaded:
    """Find a language model; it is loaded when something is first asked of it.

    Raises :class:`LabelerError` when it cannot be found or has no safetensors weights, :class:`SettingError`
    for a precision that is none of float32, bfloat16 and float16.
    """
    if dtype not in ("auto", *_DTYPES):
        raise SettingError(f"dtype {dtype!r} is not known; say one of auto, {', '.join(_DTYPES)}")
    return Loaded(find(name, revision=revision, what=_WHAT), device, dtype)


def _read(transformers: Any, located: Located, dtype: str) -> tuple[Any, dict[str, Any]]:
    """The module, and what transformers says of its loading; code that comes with the files is never run."""
    config = transformers.AutoConfig.from_pretrained(located.folder, trust_remote_code=False)
    loader = _loader(transformers, config, located.name)
    options = {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    return loader.from_pretrained(located.folder, config=config, dtype=dtype, **options)


def _loader(transformers: Any, config: Any, name: str) -> Any:
    """The class that loads it; :class:`LabelerError` for a model that does not write text from left to right."""
    if config.is_encoder_decoder:
        return transformers.AutoModelForSeq2SeqLM
    from transformers.models.auto import modeling_auto as kinds

    written = config.model_type in kinds.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    masked = config.model_type in kinds.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if not written or (masked and not getattr(config, "is_decoder", False)):
        raise LabelerError(
            f"{name} is a {config.model_type}, which does not write text; give a decoder or an encoder-decoder"
        )
    return transformers.AutoModelForCausalLM


def _special_tokens(transformers: Any, module: Any) -> Any:
    given = module.generation_config
    return transformers.GenerationConfig(
        **{name: value for name in _SPECIAL if (value := getattr(given, name, None)) is not None}
    )


def _stated_tokens(located: Located) -> list[Any]:
    """The special tokens that generation_config.json states beside config.json."""
    try:
        said = json.loads((located.folder / "generation_config.json").read_text(encoding="utf-8"))
        return [said.get(name) for name in _SPECIAL]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError) as error:
        raise unloadable(located, error) from error


def _stored_dtype(located: Located) -> str:
    """As config.json has it, or else as the first weight file's header does."""
    said = located.config.get("dtype") or located.config.get("torch_dtype")
    if said in _DTYPES:
        return str(said)
    try:
        with min(located.folder.glob("*.safetensors")).open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (OSError, ValueError) as error:
        raise unloadable(located, error) from error
    tensors = [cast("dict[str, Any]", tensor) for name, tensor in header.items() if name != "__metadata__"]
    return next((_STORED[tensor["dtype"]] for tensor in tensors if tensor["dtype"] in _STORED), "float32")


def _transformers(located: Located) -> Any:
    require("torch", extra="embed", why=f"language model {located.name!r}")
    return require("transformers", extra="embed", why=f"language model {located.name!r}")
