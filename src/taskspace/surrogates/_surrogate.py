"""A frozen transformers encoder that turns texts into features."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._extras import require
from taskspace._home import home
from taskspace.errors import SettingError, SurrogateError
from taskspace.surrogates._cache import FeatureCache, text_key
from taskspace.surrogates._locate import DEFAULT_SURROGATE, Located, locate
from taskspace.surrogates._modules import gist, load_tokenizer, quiet, usable_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 16
"""Rows of every batch.  Batches of one shape make a text's features depend on the text alone, bit for bit:
not on its neighbours, so neither a resumed run nor a larger pool changes a number."""

_STEP = 16
"""Batches are padded to a multiple of this many tokens."""

_LONGEST_WORD = 100
"""Characters per token allowed for before a text is cut, so that a text of megabytes costs no more than a page."""


@final
class Encoder:
    """Masked mean of hidden states at some layers of a ``transformers`` encoder, side by side.

    Layer 0 is the embedding layer, layer L the last.  The files are hashed at once; torch is loaded
    only when a text is not in the feature cache.
    """

    def __init__(
        self, located: Located, *, layers: Sequence[int], max_length: int, device: str | None, cache: bool
    ) -> None:
        depth = _depth(located)
        if not layers or any(not 0 <= layer <= depth for layer in layers):
            raise SettingError(f"layers {tuple(layers)} do not fit {located.name}; choose among 0 to {depth}")
        _require_fitting(located, max_length)
        self.located = located
        self.layers = tuple(layers)
        self.max_length = max_length
        self._device = device
        self._cache = FeatureCache(home() / "features" / f"{self.fingerprint[:24]}.db" if cache else None)

    def __repr__(self) -> str:
        return f"Encoder({self.located.name!r}, layers={self.layers}, max_length={self.max_length})"

    @property
    def encoding(self) -> dict[str, Any]:
        """How texts are read: part of a space's identity."""
        return {"layers": list(self.layers), "pooling": "mean", "max_length": self.max_length}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files and the way of reading: what decides a text's features."""
        key = json.dumps([self.located.fingerprint, self.encoding], sort_keys=True)
        return hashlib.sha256(key.encode()).hexdigest()

    @property
    def hidden(self) -> int:
        """Width of one layer."""
        return _width(self.located)

    @cached_property
    def tokenizer(self) -> Any:
        transformers = _transformers(self.located)
        try:
            return load_tokenizer(transformers, self.located.folder)
        except Exception as error:  # foreign files fail in many ways
            raise _unloadable(self.located, error) from error

    @cached_property
    def module(self) -> Any:
        """The torch module, in evaluation mode, weights frozen."""
        transformers = _transformers(self.located)
        torch = require("torch", extra="embed", why="a surrogate")
        try:
            # Half-precision files are read as float32; weights made in inference mode would refuse gradients.
            with quiet(transformers), torch.inference_mode(mode=False):
                module, loading = transformers.AutoModel.from_pretrained(
                    self.located.folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True
                )
        except Exception as error:  # foreign files fail in many ways
            raise _unloadable(self.located, error) from error
        absent = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
        if absent:  # they would be random numbers
            raise _unloadable(self.located, ValueError(f"its weights lack {len(absent)} tensors such as {absent[0]}"))
        return module.eval().requires_grad_(requires_grad=False).to(self.device)

    @cached_property
    def device(self) -> str:
        return usable_device(self._device, why="a surrogate")

    def features(self, texts: Sequence[str], *, progress: bool = False) -> NDArray[np.float32]:
        """float32[n, layers * hidden]: per text the mean over its tokens, one layer after the other."""
        keys = [text_key(text) for text in texts]
        known = self._cache.get(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        for part in self._encode(missing, progress=progress):
            self._cache.put(part)
            known |= part
        if not keys:
            return np.zeros((0, len(self.layers) * self.hidden), dtype=np.float32)
        return np.stack([known[key] for key in keys])

    @property
    def reads_last_layer(self) -> bool:
        """Whether :meth:`last_layer` is that of the model, and not of a lower one."""
        return max(self.layers) == _depth(self.located)

    def last_layer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n, hidden]: the part of :meth:`features` that comes from the highest layer."""
        at = self.layers.index(max(self.layers)) * self.hidden
        return features[:, at : at + self.hidden]

    def batches(self, first: Sequence[str], second: Sequence[str | None]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Row numbers and token tensors [16, tokens], shortest texts first; fillers follow the rows numbered."""
        torch = require("torch", extra="embed", why="a surrogate")
        encoded = self._tokenize(first, second)
        lengths = [-(-len(ids) // _STEP) * _STEP for ids in encoded["input_ids"]]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        while order:
            longest = lengths[order[0]]
            rows = [i for i in order[:_ROWS] if lengths[i] == longest]
            order = order[len(rows) :]
            tensors = {
                name: torch.tensor(_padded([values[i] for i in rows], longest), device=self.device)
                for name, values in encoded.items()
            }
            yield rows, tensors

    def _tokenize(self, first: Sequence[str], second: Sequence[str | None]) -> dict[str, list[list[int]]]:
        limit = self.max_length * _LONGEST_WORD
        encoded: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": []}
        for text, pair in zip(first, second, strict=True):
            cut = [_writable(part[:limit]) for part in (text, pair) if part is not None]
            row = self.tokenizer(*cut, truncation=True, max_length=self.max_length)
            for name in ("input_ids", "attention_mask", "token_type_ids"):
                if name in row:
                    encoded.setdefault(name, []).append(row[name])
        return encoded

    def _encode(self, texts: dict[bytes, str], *, progress: bool) -> Iterator[dict[bytes, NDArray[np.float32]]]:
        if not texts:
            return
        torch = require("torch", extra="embed", why="computing text features")
        keys = list(texts)
        with _bar(len(keys), progress) as bar, torch.inference_mode():
            for rows, tensors in self.batches(list(texts.values()), [None] * len(keys)):
                states = self.module(**tensors, output_hidden_states=True).hidden_states
                means = torch.cat([masked_mean(states[k], tensors["attention_mask"]) for k in self.layers], dim=1)
                vectors = means.float().cpu().numpy()
                yield {keys[row]: vectors[i] for i, row in enumerate(rows)}
                bar.update(len(rows))


def load_surrogate(
    surrogate: str | Path = DEFAULT_SURROGATE,
    *,
    revision: str | None = None,
    layers: Sequence[int] | None = None,
    max_length: int = 128,
    device: str | None = None,
    cache: bool = True,
) -> Encoder:
    """Find an encoder and say how it reads texts; by default at :func:`default_layers`, cut at 128 tokens.

    Raises :class:`SurrogateError` when it cannot be found, or is not an encoder.
    """
    located = locate(surrogate, revision=revision)
    if located.config.get("is_encoder_decoder"):
        kind = located.config.get("model_type")
        raise SurrogateError(f"{located.name} is a {kind} encoder-decoder; give an encoder such as {DEFAULT_SURROGATE}")
    chosen = default_layers(_depth(located)) if layers is None else layers
    return Encoder(located, layers=chosen, max_length=max_length, device=device, cache=cache)


def default_layers(depth: int) -> tuple[int, ...]:
    """The layers read by default."""
    return (depth // 2, depth)


def masked_mean(states: Any, mask: Any) -> Any:
    """Mean over tokens: [rows, tokens, hidden] and [rows, tokens] -> [rows, hidden]; an empty row gives 0."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


def _writable(text: str) -> str:
    """Half characters (lone surrogates), which tokenizers refuse, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _padded(rows: list[list[int]], longest: int) -> list[list[int]]:
    """Zero-padded to ``longest`` tokens, and filled up to ``_ROWS`` rows with copies of the first."""
    full = [row + [0] * (longest - len(row)) for row in rows]
    return full + [full[0]] * (_ROWS - len(rows))


def _depth(located: Located) -> int:
    return _from_config(located, "num_hidden_layers", "n_layers", "num_layers")


def _width(located: Located) -> int:
    return _from_config(located, "hidden_size", "dim", "d_model")


def _require_fitting(located: Located, max_length: int) -> None:
    """Batches are padded to whole steps, so the last step has to fit too."""
    positions = located.config.get("max_position_embeddings") or 0
    if max_length < 1 or 0 < positions < -(-max_length // _STEP) * _STEP:
        most = f" and at most {positions // _STEP * _STEP}" if positions else ""
        raise SettingError(f"max_length={max_length} does not fit {located.name}; give at least 1{most}")


def _from_config(located: Located, *names: str) -> int:
    for name in names:
        if isinstance(located.config.get(name), int):
            return int(located.config[name])
    raise SurrogateError(f"config.json of {located.name} has no {names[0]}; give an encoder")


def _transformers(located: Located) -> Any:
    require("torch", extra="embed", why=f"surrogate {located.name!r}")
    return require("transformers", extra="embed", why=f"surrogate {located.name!r}")


def _unloadable(located: Located, error: Exception) -> SurrogateError:
    return SurrogateError(
        f"{located.name} in {located.folder} cannot be loaded ({gist(error)}); save or download it again"
    )


def _bar(total: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="text features", unit="text", disable=not progress, leave=False)
