"""A language model that runs here, as prompts see it."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import LabelerError, SettingError, TaskspaceWarning
from taskspace.labelers.language_models._generation import generate
from taskspace.labelers.language_models._loading import load
from taskspace.labelers.language_models._scoring import score
from taskspace.labelers.language_models._tokens import Row, Wording, Written, opened, require_distinct
from taskspace.labelers.prompts import Prompt, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from taskspace.labelers.language_models._batches import Side
    from taskspace.labelers.language_models._loading import Loaded
    from taskspace.labelers.language_models._query import Query, Scored
    from taskspace.labelers.language_models._tokens import Ids
    from taskspace.task import Inputs

_WINDOW = 1024
"""Rows put into tokens at a time: enough to sort by length, few enough to hold."""
_SMALL_WINDOW = 64
"""The same where a row takes more than one pass: what came of the first passes is the most that a kill can lose."""
_MARGIN = 8
"""Tokens by which thoughts may grow when they are read back as text."""


@final
@dataclass(frozen=True, eq=False)
class LocalModel:
    """A :class:`~taskspace.labelers.prompts.PromptModel`: a decoder or encoder-decoder in this process.

    ``batch_tokens``, ``padding`` and ``prefix_cache`` decide how fast it goes, not what comes out.
    ``max_length`` (tokens) sets a limit below the model's own; texts that do not fit are cut from their end.
    ``perplexity=False`` leaves out how likely the filled prompt itself is, which saves some time.
    """

    loaded: Loaded
    batch_tokens: int = 4096
    padding: Side = "right"
    prefix_cache: bool = True
    max_length: int | None = None
    perplexity: bool = True

    def __post_init__(self) -> None:
        if self.batch_tokens < 1 or (self.max_length is not None and self.max_length < 1):
            raise SettingError(
                f"batch_tokens={self.batch_tokens}, max_length={self.max_length} leave no room; give at least 1"
            )

    def __repr__(self) -> str:
        return f"LocalModel({self.name!r})"

    @property
    def name(self) -> str:
        return self.loaded.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model and of the settings that change what comes out."""
        settings = f"{self.max_length} {self.perplexity}"
        return hashlib.sha256(f"local {self.loaded.fingerprint} {settings}".encode()).hexdigest()

    @property
    def provenance(self) -> Mapping[str, Any]:
        about: dict[str, Any] = {"model": self.name, "revision": self.loaded.located.revision}
        about["dtype"] = self.loaded.dtype
        return about if self.max_length is None else {**about, "max_length": self.max_length}

    @cached_property
    def wording(self) -> Wording:
        """How its tokenizer writes prompts."""
        own = self.loaded.max_tokens
        if own is None and self.loaded.tokenizer.model_max_length < 1e9:  # "no limit" is a very large number there
            own = int(self.loaded.tokenizer.model_max_length)
        limits = [limit for limit in (own, self.max_length) if limit is not None]
        return Wording(self.loaded.tokenizer, self.name, self.loaded.is_encoder_decoder, min(limits, default=None))

    def readings(self, prompt: Prompt, inputs: Inputs) -> Iterator[Mapping[int, Reading]]:
        """Readings by row number, batch by batch; warns at the end if texts were too long and were cut.

        Raises :class:`LabelerError` when the prompt does not fit the model, or the model gives no numbers.
        """
        apart = self.perplexity and (prompt.chat or bool(prompt.reasoning))
        cut = 0
        for rows in _windows(inputs, _SMALL_WINDOW if prompt.chat or prompt.reasoning else _WINDOW):
            part = inputs.take(rows)
            words, written = self._written(prompt, part)
            cut += sum(one.cut for one in written)
            queries = [one.query for one in written]
            filled = self._filled(prompt, part) if apart else {}
            for batch in self._scored(queries, with_context=self.perplexity and not apart):
                yield {
                    rows[i]: self._reading(prompt, queries[i], words[i], scored, filled.get(i, scored))
                    for i, scored in batch.items()
                }
        if cut:
            warnings.warn(
                f"{cut} of {len(inputs)} texts do not fit {self.name} under prompt {prompt.name!r} and were cut at"
                f" their end; the limit is {self.wording.limit} tokens",
                TaskspaceWarning,
                stacklevel=2,
            )

    def write(self, request: str, *, max_tokens: int, chat: bool = False) -> str:
        """What the model writes after ``request``, greedily; ``chat`` makes it a user's turn."""
        opening = self.wording.chat([{"role": "user", "content": request}]) if chat else opened(request)
        (asked,) = self.wording.written([Row(lambda _: opening)], who="the request", spare=max_tokens)
        return self._continued([asked.query.context], max_tokens)[0].strip()

    def _written(self, prompt: Prompt, inputs: Inputs) -> tuple[list[str], list[Written]]:
        """The thoughts about each row, if the prompt wants them, and the row in tokens with all answers."""
        wording, who = self.wording, f"prompt {prompt.name!r}"
        rows = wording.rows(prompt, inputs)
        if not prompt.reasoning:
            words, cut = [""] * len(rows), [False] * len(rows)
        else:
            asked = wording.written(rows, who=who, spare=self._spare(prompt))
            words = self._continued([one.query.context for one in asked], prompt.reasoning_tokens)
            rows = [self._concluding(prompt, one, said) for one, said in zip(asked, words, strict=True)]
            cut = [one.cut for one in asked]
        written = wording.written(rows, prompt.strings, who=who, with_end=prompt.with_end)
        if written:
            require_distinct(prompt, written[0].query.continuations, self.name)
        return [said.strip() for said in words], [
            replace(one, cut=one.cut or before) for one, before in zip(written, cut, strict=True)
        ]

    def _concluding(self, prompt: Prompt, asked: Written, thoughts: str) -> Row:
        """The model's own thoughts gone on with, in its own turn if it is a chat, up to where the answer follows."""
        border = "\n" if self.wording.is_encoder_decoder else ""  # there they do not continue the text itself
        thoughts = border + thoughts.rstrip()
        return Row(lambda keep: asked.opening.then(f"{thoughts[:keep]}\n{prompt.conclusion}"), len(thoughts))

    def _spare(self, prompt: Prompt) -> int:
        """Tokens to leave free for thoughts, conclusion and answer."""
        answers = [f"\n{prompt.conclusion} {word}" for word in prompt.strings]
        return prompt.reasoning_tokens + max(map(len, self.wording.tokens(answers))) + prompt.with_end + _MARGIN

    def _continued(self, contexts: Sequence[Ids], max_tokens: int) -> list[str]:
        said: dict[int, str] = {}
        for batch in generate(self.loaded, contexts, max_new_tokens=max_tokens, batch_tokens=self.batch_tokens):
            said |= {i: self.wording.said(contexts[i], new) for i, new in batch.items()}
        return [said[i] for i in range(len(contexts))]

    def _filled(self, prompt: Prompt, inputs: Inputs) -> dict[int, Scored]:
        """How likely each filled prompt is as plain text, without markup and thoughts; decoders only."""
        if self.loaded.is_encoder_decoder:
            return {}
        rows = self.wording.rows(replace(prompt, chat=False, reasoning=""), inputs)
        written = self.wording.written(rows, who=f"prompt {prompt.name!r}")
        found: dict[int, Scored] = {}
        for batch in self._scored([one.query for one in written], with_context=True):
            found |= batch
        return found

    def _scored(self, queries: Sequence[Query], *, with_context: bool) -> Iterator[dict[int, Scored]]:
        yield from score(
            self.loaded, queries, batch_tokens=self.batch_tokens, padding=self.padding,
            prefix_cache=self.prefix_cache, with_context=with_context,
        )  # fmt: skip

    def _reading(self, prompt: Prompt, query: Query, words: str, scored: Scored, filled: Scored) -> Reading:
        log_probs = _once(tuple(float(value) for value in scored.continuations), query.continuations)
        if any(math.isnan(value) for value in log_probs):
            raise LabelerError(
                f"{self.name} gives NaN under prompt {prompt.name!r} in {self.loaded.dtype}; say dtype float32"
            )
        lengths = tuple(len(ids) for ids in query.continuations)
        return Reading(log_probs, lengths, None, words, filled.context, filled.context_tokens)


def _once(log_probs: tuple[float, ...], strings: Sequence[Ids]) -> tuple[float, ...]:
    """Strings that the tokenizer does not tell apart count as one: the later ones add nothing to their label."""
    return tuple(-math.inf if ids in strings[:i] else log_probs[i] for i, ids in enumerate(strings))


def load_language_model(
    name: str | Path,
    *,
    revision: str | None = None,
    device: str | None = None,
    dtype: str = "auto",
    batch_tokens: int = 4096,
    max_length: int | None = None,
    perplexity: bool = True,
) -> LocalModel:
    """A language model from a folder or the Hub; its weights are read when something is first asked of it.

    ``batch_tokens`` bounds the memory: how many tokens are computed at once.  ``max_length`` and
    ``perplexity`` are those of :class:`LocalModel`.  Raises :class:`LabelerError` when it cannot be found.
    """
    loaded = load(name, revision=revision, device=device, dtype=dtype)
    return LocalModel(loaded, batch_tokens, max_length=max_length, perplexity=perplexity)


def _windows(inputs: Inputs, size: int) -> list[list[int]]:
    """Row numbers, short rows first: what is computed together is then of like length."""
    order = sorted(range(len(inputs)), key=lambda row: len(inputs.texts[row]) + len(inputs.pairs[row] or ""))
    return [order[start : start + size] for start in range(0, len(order), size)]
