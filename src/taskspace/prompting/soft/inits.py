"""Where tuning begins: prompts made of a backbone's own embeddings, of chance, or of another prompt.

Each takes the input embeddings float32[V, d] as an array, and gives a :class:`SoftPrompt` without tasks; its tokens
are its init too, so that its vector is zero.  Equal arguments give equal bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from taskspace.errors import SettingError
from taskspace.prompting.soft._origin import origin_of
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.prompting.soft._tables import frozen_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.tuning.identity import BackboneId


class Tokenizer(Protocol):
    """What is asked of a tokenizer: that of ``transformers`` will do."""

    def __call__(self, text: str, /, *, add_special_tokens: bool) -> Any:
        """A mapping with the token numbers of ``text`` under "input_ids"."""
        ...


def vocabulary(
    embeddings: NDArray[Any], m: int, seed: int, first: int = 5000, *, backbone: BackboneId | None = None
) -> SoftPrompt:
    """Rows m of the ``first``, drawn without replacement (Lester et al. 2021; the start of choice).

    The first 5,000 tokens of a vocabulary sorted by frequency are its common ones.
    """
    rows = min(first, len(embeddings))
    if not 0 < m <= rows:
        raise SettingError(f"m={m} distinct rows cannot be drawn from the first {rows}; give 1 to {rows}")
    ids = np.random.default_rng(seed).choice(rows, size=m, replace=False)
    return _start(embeddings[ids], backbone, f"vocabulary-{seed}", how="vocabulary", seed=seed, ids=ids.tolist())


def from_text(
    embeddings: NDArray[Any], m: int, tokenizer: Tokenizer, text: str, *, backbone: BackboneId | None = None
) -> SoftPrompt:
    """The tokens of ``text``, over and over until there are m (as peft does)."""
    ids = np.resize(_ids(tokenizer, text), _length(m))
    return _start(embeddings[ids], backbone, "text", how="text", text=text, ids=ids.tolist())


def class_words(
    embeddings: NDArray[Any], m: int, tokenizer: Tokenizer, answers: Sequence[str], seed: int, *,
    first: int = 5000, backbone: BackboneId | None = None,
) -> SoftPrompt:  # fmt: skip
    """One token for each answer, the mean of its pieces, and vocabulary rows for the rest (Lester et al. 2021)."""
    if not 0 < len(answers) <= _length(m):
        raise SettingError(
            f"m={m} tokens do not hold {len(answers)} answers; give at least one answer, and room for all"
        )
    words = [np.mean(embeddings[_ids(tokenizer, answer)], axis=0, dtype=np.float64) for answer in answers]
    rest = m - len(answers)
    filler = vocabulary(embeddings, rest, seed, first=first).tokens if rest else np.empty((0, embeddings.shape[1]))
    tokens = np.concatenate([np.stack(words), filler])
    return _start(tokens, backbone, f"classes-{seed}", how="class words", seed=seed, answers=list(answers))


def random_normal(
    embeddings: NDArray[Any], m: int, seed: int, *, std: float | None = None, backbone: BackboneId | None = None
) -> SoftPrompt:
    """Normal numbers, for comparison: such rows lie off the vocabulary, and cost accuracy.

    With mean and deviation of each embedding column, or around 0 with the deviation ``std``.
    """
    if std is not None and not 0 <= std < float("inf"):
        raise SettingError(f"std={std!r} is not a deviation; give a finite number of at least 0")
    noise = np.random.default_rng(seed).standard_normal((_length(m), embeddings.shape[1]))
    if std is None:
        mean = embeddings.mean(axis=0, dtype=np.float64)
        square = np.einsum("vd,vd->d", embeddings, embeddings, dtype=np.float64) / len(embeddings)
        tokens = mean + np.sqrt(np.maximum(square - mean**2, 0.0)) * noise
    else:
        tokens = std * noise
    return _start(tokens, backbone, f"random-{seed}", how="random normal", seed=seed, std=std)


def from_prompt(prompt: SoftPrompt, m: int | None = None) -> SoftPrompt:
    """Another prompt's tokens, the first m of them (SPoT, Vu et al. 2022): what is tuned on is another task."""
    length = prompt.length if m is None else _length(m)
    if length > prompt.length:
        raise SettingError(f"prompt {prompt.name!r} has {prompt.length} tokens, not m={m}; give at most that many")
    of = {name: value for name, value in origin_of(prompt).items() if name != "of"}
    said: dict[str, Any] = {
        "how": "prompt", "prompt": prompt.name, "fingerprint": prompt.fingerprint, "tasks": list(prompt.tasks),
        "of": of,
    }  # fmt: skip
    return _start(prompt.tokens[:length], prompt.backbone, prompt.name or "prompt", layout=prompt.layout, **said)


def _start(
    tokens: NDArray[Any], backbone: BackboneId | None, name: str, *, layout: Any = "input", **said: Any
) -> SoftPrompt:
    table = frozen_table(tokens, f"init {name!r}")
    return SoftPrompt(table, backbone, name, table, (), {"start": said}, layout)


def _ids(tokenizer: Tokenizer, text: str) -> NDArray[np.int64]:
    ids = np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int64)
    if not ids.size:
        raise SettingError(f"{text!r} has no tokens to begin with; give some words")
    return ids


def _length(m: int) -> int:
    if m < 1:
        raise SettingError(f"m={m} is not a length; give at least 1")
    return m
