"""A frozen transformers model that turns texts into features."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._extras import require
from taskspace._home import home
from taskspace.errors import SettingError, SurrogateError
from taskspace.surrogates._batches import STEP, batched, tokenized
from taskspace.surrogates._cache import FeatureCache, text_key
from taskspace.surrogates._loading import Weights, read_tokenizer, read_weights, reader
from taskspace.surrogates._locate import DEFAULT_SURROGATE, Located, locate
from taskspace.surrogates._modules import usable_device
from taskspace.surrogates._shape import ModelKind, Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.task import Inputs


@final
class Surrogate:
    """Mean of hidden states at some layers of a ``transformers`` model, side by side.

    An encoder, the encoder of an encoder-decoder, or a decoder's own layers.  Layer 0 is the embedding layer, layer L
    the last.  The files are hashed at once; torch is loaded only when a text is not in the feature cache.
    """

    def __init__(
        self, located: Located, *, layers: Sequence[int], max_length: int, device: str | None, cache: bool
    ) -> None:
        shape = shape_of(located)
        if not layers or any(not 0 <= layer <= shape.depth for layer in layers):
            raise SettingError(f"layers {tuple(layers)} do not fit {located.name}; choose among 0 to {shape.depth}")
        _require_fitting(located, shape, max_length)
        self.located = located
        self.layers = tuple(layers)
        self.max_length = max_length
        self._shape = shape
        self._device = device
        self._caches = cache
        self._cache = FeatureCache(home() / "features" / f"{self.fingerprint[:24]}.db" if cache else None)

    def __repr__(self) -> str:
        return f"Surrogate({self.located.name!r}, layers={self.layers}, max_length={self.max_length})"

    def __reduce__(self) -> tuple[Any, ...]:
        """It travels as the place of its files and the way of reading: neither weights nor features come along."""
        files = (self.located.name, self.located.folder, self.located.revision)
        return _arrived, (*files, self.layers, self.max_length, self._device, self._caches)

    @property
    def kind(self) -> ModelKind:
        return self._shape.kind

    @property
    def encoding(self) -> dict[str, Any]:
        """How texts are read: part of a space's identity."""
        pooling = "mean after the first token" if self.kind == "decoder" else "mean"
        return {"layers": list(self.layers), "pooling": pooling, "max_length": self.max_length}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files and the way of reading: what decides a text's features."""
        key = json.dumps([self.located.fingerprint, self.encoding], sort_keys=True)
        return hashlib.sha256(key.encode()).hexdigest()

    @property
    def hidden(self) -> int:
        """Width of one layer."""
        return self._shape.width

    @property
    def positions(self) -> int:
        """Tokens it has places for; 0 where places have no end."""
        return self._shape.positions

    @cached_property
    def tokenizer(self) -> Any:
        return read_tokenizer(self.located)

    @cached_property
    def _weights(self) -> Weights:
        return read_weights(self.located, self.kind, self.device)

    @cached_property
    def module(self) -> Any:
        """The torch module, in evaluation mode, weights frozen; with its language-model head where it writes text."""
        return self._weights.module

    @property
    def writer(self) -> Any:
        """The module, where it can write text; :class:`SurrogateError` where its files lack what that takes."""
        absent = self._weights.unwritten
        if self.kind == "encoder" or absent:
            lacks = f"its weights lack {len(absent)} tensors such as {absent[0]}" if absent else "it is an encoder"
            raise SurrogateError(f"{self.located.name} cannot write text ({lacks}); give a model saved with its head")
        return self.module

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

    def hold(self, texts: Sequence[str], features: NDArray[np.float32]) -> None:
        """Take what :meth:`features` gave for these texts elsewhere; it is neither copied nor written down."""
        self._cache.hold(dict(zip(map(text_key, texts), features, strict=True)))

    @property
    def reads_last_layer(self) -> bool:
        """Whether :meth:`last_layer` is that of the model, and not of a lower one."""
        return max(self.layers) == self._shape.depth

    def last_layer(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n, hidden]: the part of :meth:`features` that comes from the highest layer."""
        at = self.layers.index(max(self.layers)) * self.hidden
        return features[:, at : at + self.hidden]

    def batches(self, first: Sequence[str], second: Sequence[str | None]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Row numbers and token tensors [16, tokens], shortest texts first; fillers follow the rows numbered."""
        return batched(self.tokenized(first, second), self.device)

    def tokenized(self, first: Sequence[str], second: Sequence[str | None]) -> dict[str, list[list[int]]]:
        """The token columns of each row, cut at ``max_length``."""
        return tokenized(self.tokenizer, self.kind, first, second, max_length=self.max_length)

    def pooled(self, tensors: dict[str, Any], module: Any = None) -> Any:
        """float32[rows, hidden]: the mean last-layer state of each text, through which gradients may flow.

        ``module`` is a copy of the surrogate's own that has been tuned.
        """
        read = reader(self.module if module is None else module, self.kind)
        states = read(**tensors, **self._uncached).last_hidden_state
        return masked_mean(states, self._counted(tensors["attention_mask"]))

    def last_states(self, inputs: Inputs, module: Any = None) -> NDArray[np.float32]:
        """float32[n, hidden]: the mean last-layer state of each row, the two texts of a pair read together.

        ``module`` as in :meth:`pooled`.
        """
        torch = require("torch", extra="embed", why="reading texts")
        states = np.zeros((len(inputs), self.hidden), dtype=np.float32)
        with torch.inference_mode():
            for rows, tensors in self.batches(inputs.texts, inputs.pairs):
                states[rows] = self.pooled(tensors, module)[: len(rows)].float().cpu().numpy()
        return states

    @property
    def _uncached(self) -> dict[str, Any]:
        """Keys and values are for going on, and nothing goes on here."""
        return {"use_cache": False} if self.kind == "decoder" else {}

    def _counted(self, mask: Any) -> Any:
        """The tokens that a mean is over.

        A decoder's first token can see no other, and large models park attention on it: its state is the same for
        every text and often far larger than all others (attention sinks, Xiao et al. 2024), so that a mean with it
        would mostly tell how long the text is.  It counts only where it is the only one.
        """
        if self.kind != "decoder":
            return mask
        counted = mask.clone()
        counted[:, 0] = mask.sum(1) == 1
        return counted

    def _encode(self, texts: dict[bytes, str], *, progress: bool) -> Iterator[dict[bytes, NDArray[np.float32]]]:
        if not texts:
            return
        torch = require("torch", extra="embed", why="computing text features")
        keys = list(texts)
        with _bar(len(keys), progress) as bar, torch.inference_mode():
            read = reader(self.module, self.kind)
            for rows, tensors in self.batches(list(texts.values()), [None] * len(keys)):
                states = read(**tensors, **self._uncached, output_hidden_states=True).hidden_states
                counted = self._counted(tensors["attention_mask"])
                means = torch.cat([masked_mean(states[k], counted) for k in self.layers], dim=1)
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
) -> Surrogate:
    """Find a base model and say how it reads texts; by default at :func:`default_layers`, cut at 128 tokens.

    Raises :class:`SurrogateError` when it cannot be found, or does not say its size.
    """
    located = locate(surrogate, revision=revision)
    chosen = default_layers(shape_of(located).depth) if layers is None else layers
    return Surrogate(located, layers=chosen, max_length=max_length, device=device, cache=cache)


def _arrived(
    name: str, folder: Path, revision: str, layers: Sequence[int], max_length: int, device: str | None, cache: bool
) -> Surrogate:
    """In the same folder, else wherever this machine has it; its files are hashed anew."""
    if folder.is_dir():
        located = Located(name, folder, revision)
    else:
        located = locate(name, revision=None if revision in ("local", "wheel") else revision)
    return Surrogate(located, layers=layers, max_length=max_length, device=device, cache=cache)


def default_layers(depth: int) -> tuple[int, ...]:
    """The layers read by default."""
    return (depth // 2, depth)


def masked_mean(states: Any, mask: Any) -> Any:
    """Mean over tokens: [rows, tokens, hidden] and [rows, tokens] -> [rows, hidden]; an empty row gives 0."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


def _require_fitting(located: Located, shape: Shape, max_length: int) -> None:
    """Batches are padded to whole steps, so the last step has to fit too."""
    positions = shape.positions
    if max_length < 1 or 0 < positions < -(-max_length // STEP) * STEP:
        most = f" and at most {positions // STEP * STEP}" if positions else ""
        raise SettingError(f"max_length={max_length} does not fit {located.name}; give at least 1{most}")


def _bar(total: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="text features", unit="text", disable=not progress, leave=False)
