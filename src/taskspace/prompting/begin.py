"""Where a prompt's tuning begins, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from taskspace.errors import SettingError, did_you_mean
from taskspace.prompting.soft import SoftPrompt, inits, read_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.tuning.backbones import Backbone

Init: TypeAlias = "str | Path | SoftPrompt"

LENGTH = 16
"""Tokens of a prompt where nobody says how many."""

_NAMES = ("vocabulary", "classes", "random", "text:…")


def table_of(backbone: Backbone) -> NDArray[Any]:
    """The input embeddings float32[V, d] of a backbone, to begin from."""
    return backbone.embeddings.float().cpu().numpy()


def begin(
    init: Init,
    backbone: Backbone,
    *,
    length: int | None = None,
    seed: int = 0,
    answers: Sequence[str] = (),
    table: NDArray[Any] | None = None,
) -> SoftPrompt:
    """A prompt of ``length`` tokens to tune from; :data:`LENGTH` of them, or as many as a prompt has, unless said.

    ``init`` "vocabulary" draws rows of common tokens, "classes" takes the ``answers`` and fills up with such rows,
    "random" draws normal numbers, "text:…" takes the tokens of a text; a prompt, or the folder or file of one, is
    taken as it is.  ``table`` spares reading the embeddings again.

    Raises :class:`SettingError` for anything else, :class:`PromptError` for a prompt that cannot be read.
    """
    if not isinstance(init, SoftPrompt) and _is_path(init):
        init = read_prompt(init)
    if isinstance(init, SoftPrompt):
        return inits.from_prompt(init, length)
    rows = table_of(backbone) if table is None else table
    tokens, where = LENGTH if length is None else length, backbone.identity
    how, said, text = str(init).partition(":")
    if how == "text" and said:
        return inits.from_text(rows, tokens, backbone.tokenizer, text, backbone=where)
    if init == "classes":
        return inits.class_words(rows, tokens, backbone.tokenizer, answers, seed, backbone=where)
    if init == "vocabulary":
        return inits.vocabulary(rows, tokens, seed, backbone=where)
    if init == "random":
        return inits.random_normal(rows, tokens, seed, backbone=where)
    raise SettingError(f"init {str(init)!r} is neither a file nor a way to begin{did_you_mean(str(init), _NAMES)}")


def _is_path(init: str | Path) -> bool:
    if init in _NAMES or str(init).startswith("text:"):
        return False
    try:
        return Path(init).exists()
    except OSError:  # a name that no file can have
        return False
