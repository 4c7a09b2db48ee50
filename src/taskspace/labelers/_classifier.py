"""A sequence-classification checkpoint in memory: texts in, raw outputs of its head out."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from taskspace._extras import require
from taskspace.errors import LabelerError
from taskspace.labelers._adapter import Adapted
from taskspace.labelers._weights import unloadable
from taskspace.surrogates._modules import gist, load_tokenizer, quiet, usable_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.labelers._adapter import Checkpoint
    from taskspace.task import Inputs

Row: TypeAlias = "Mapping[str, list[int]]"
"""What the tokenizer makes of one text or pair: lists of equal length."""

_WINDOW = 4096
"""Rows cut into tokens at a time: enough to sort by length, few enough to hold."""

_LONGEST_WORD = 100
"""Characters per token allowed for before a text is cut, so that a text of megabytes costs no more than a page."""

_MINDS_PADDING = frozenset(
    {"canine", "convbert", "fnet", "funnel", "mobilebert", "nystromformer", "reformer", "xlnet", "yoso"}
)
"""Families that mix padding into what they read, mask or not; xlnet reads its last place."""


@final
@dataclass(frozen=True, eq=False)
class Classifier:
    """A frozen checkpoint and its tokenizer, loaded when something is first asked of it.

    ``max_length`` is in tokens; a batch holds at most ``batch_tokens`` of them, padding included, or one row.
    """

    located: Checkpoint
    max_length: int
    batch_tokens: int
    dtype: str
    device: str | None

    def outputs(self, inputs: Inputs) -> Iterator[tuple[list[int], NDArray[np.float64]]]:
        """Row numbers and float64[rows, labels], batch by batch; rows without any token are left out."""
        for start in range(0, len(inputs), _WINDOW):
            window = range(start, min(start + _WINDOW, len(inputs)))
            tokens = self._tokenize(inputs.take(window))
            for batch in self._batches(tokens):
                yield [window[i] for i in batch], self._forward([tokens[i] for i in batch])

    @cached_property
    def tokenizer(self) -> Any:
        transformers = _transformers(self.located)
        try:
            return load_tokenizer(transformers, self.located.folder)
        except Exception as error:  # foreign files fail in many ways
            raise unloadable(self.located, error) from error

    @cached_property
    def module(self) -> Any:
        """The torch module, in evaluation mode, weights frozen."""
        transformers = _transformers(self.located)
        torch = require("torch", extra="embed", why="a Hub classifier")
        device = usable_device(self.device)
        adapter = self.located if isinstance(self.located, Adapted) else None
        beside = {} if adapter is None else adapter.loading
        try:
            with quiet(transformers):
                module, loading = transformers.AutoModelForSequenceClassification.from_pretrained(
                    self.located.folder, dtype=getattr(torch, self.dtype), use_safetensors=True,
                    trust_remote_code=False, output_loading_info=True, **beside,
                )  # fmt: skip
        except Exception as error:  # foreign files fail in many ways
            raise unloadable(self.located, error) from error
        absent = {*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])}
        absent = sorted(absent if adapter is None else adapter.lacks(absent))
        if absent:  # they would be random numbers
            raise LabelerError(
                f"{self.located.name} is no classifier: its weights lack {absent[0]}; give a checkpoint that was"
                " fine-tuned to classify, or ask a language model with prompt:"
            )
        if adapter is not None:
            module = adapter.put_on(module)
        settings = module.config.get_text_config()
        if settings.pad_token_id is None:  # no token is this one, so that the last place is read in all rows
            settings.pad_token_id = -1
        return module.eval().requires_grad_(requires_grad=False).to(device)

    @cached_property
    def _takes(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.module.forward).parameters)

    @property
    def _pads(self) -> bool:
        """Whether rows of unequal length can share a batch without a change to their answers.

        Decoders find the end of a text by the padding token of their config; without one they read the
        last place, so nothing may stand behind the text.
        """
        config = self.module.config
        masked = "attention_mask" in self._takes and config.model_type not in _MINDS_PADDING
        return masked and config.get_text_config().pad_token_id >= 0

    def _tokenize(self, inputs: Inputs) -> list[Row]:
        """Cut at ``max_length``, the longer text of a pair first, from the end unless the tokenizer says otherwise."""
        rows: list[Row] = [{}] * len(inputs)
        for numbers in (np.flatnonzero(inputs.is_pair).tolist(), np.flatnonzero(~inputs.is_pair).tolist()):
            if not numbers:
                continue
            texts = [self._readable(inputs.texts[i]) for i in numbers]
            seconds = [self._readable(pair) for i in numbers if (pair := inputs.pairs[i]) is not None]
            self._require_room(bool(seconds))
            try:
                with quiet(_transformers(self.located)):
                    encoded = self.tokenizer(texts, seconds or None, truncation=True, max_length=self.max_length)
            except Exception as error:  # foreign tokenizers fail in many ways
                raise LabelerError(
                    f"the tokenizer of {self.located.name} failed ({gist(error)}); save or download it again"
                ) from error
            for at, number in enumerate(numbers):
                row = {name: values[at] for name, values in encoded.items()}
                rows[number] = {"attention_mask": [1] * len(row["input_ids"]), **row}
        return rows

    def _require_room(self, pair: bool) -> None:
        marks = self.tokenizer.num_special_tokens_to_add(pair=pair)
        if self.max_length <= marks:
            raise LabelerError(
                f"max_length={self.max_length} leaves no room beside the {marks} special tokens of {self.located.name};"
                " make it larger"
            )

    def _readable(self, text: str) -> str:
        """Half characters (lone surrogates), which tokenizers refuse, become question marks."""
        most = self.max_length * _LONGEST_WORD
        kept = text[-most:] if self.tokenizer.truncation_side == "left" else text[:most]
        return kept.encode("utf-8", "replace").decode("utf-8")

    def _batches(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        """Numbers of rows that go together, longest first, so that memory runs short at once or never."""
        kinds = [self._kind(row) for row in rows]
        batch: list[int] = []
        for i in sorted(range(len(rows)), key=lambda i: (kinds[i], len(rows[i]["input_ids"])), reverse=True):
            length = len(rows[i]["input_ids"])
            if not length:
                continue
            longest = len(rows[batch[0]]["input_ids"]) if batch else length
            mixed = bool(batch) and (kinds[i] != kinds[batch[0]] or (length < longest and not self._pads))
            if mixed or (batch and (len(batch) + 1) * longest > self.batch_tokens):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _kind(self, row: Row) -> int:
        """Encoder-decoders read the last of their end tokens and want as many of them in all rows of a batch."""
        config = self.module.config
        return row["input_ids"].count(config.eos_token_id) if config.is_encoder_decoder else 0

    def _forward(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        torch = require("torch", extra="embed", why="a Hub classifier")
        seen = f"{len(rows)} rows of {len(rows[0]['input_ids'])} tokens"
        try:
            with torch.inference_mode():
                values = self.module(**self._padded(rows)).logits.double().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise LabelerError(
                f"{self.located.name} ran out of memory on {seen}; make batch_tokens or max_length smaller"
            ) from error
        except Exception as error:  # foreign models fail in many ways
            raise LabelerError(
                f"{self.located.name} failed on {seen} ({type(error).__name__}: {gist(error)}); check that tokenizer"
                " and weights belong together"
            ) from error
        if not np.isfinite(values).all():
            raise LabelerError(
                f"{self.located.name} gave outputs that are not finite in {self.dtype}; check its weights"
            )
        return values

    def _padded(self, rows: Sequence[Row]) -> dict[str, Any]:
        """int64[rows, longest] of all that the model takes, padded on the right; the first row is the longest."""
        torch = require("torch", extra="embed", why="a Hub classifier")
        longest = len(rows[0]["input_ids"])
        fill = {"input_ids": self.module.config.get_text_config().pad_token_id}
        return {
            name: torch.tensor(
                [[*row[name], *[fill.get(name, 0)] * (longest - len(row[name]))] for row in rows],
                device=self.module.device,
            )
            for name in rows[0]
            if name in self._takes
        }


def _transformers(located: Checkpoint) -> Any:
    require("torch", extra="embed", why=f"classifier {located.name!r}")
    return require("transformers", extra="embed", why=f"classifier {located.name!r}")
