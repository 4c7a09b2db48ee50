"""One row put to the server, and what the answer strings look like in its replies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskspace.labelers.endpoints._replies import clean
from taskspace.labelers.prompts._rendering import messages, plain_text

if TYPE_CHECKING:
    from taskspace.labelers.prompts._prompt import Prompt

MARKS = " \t\r\n\f\v\u00a0\"'`*_([“”‘’"
"""What may stand before an answer without being part of it."""


@dataclass(frozen=True)
class Unable:
    """The server cannot be read in the way that was tried."""

    why: str


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The answer strings of a prompt, label by label, as they are looked for in words.

    ``forms`` are folded: without case, unless case alone tells two labels apart.  ``labels`` holds the
    class number of each.
    """

    strings: tuple[str, ...]
    forms: tuple[str, ...]
    labels: tuple[int, ...]
    cased: bool

    @classmethod
    def of(cls, prompt: Prompt) -> Vocabulary:
        pairs = [(word, number) for number, words in enumerate(prompt.answers.values()) for word in words]
        strings = tuple(clean(word).strip() for word, _ in pairs)
        labels = tuple(number for _, number in pairs)
        owner: dict[str, set[int]] = {}
        for string, label in zip(strings, labels, strict=True):
            owner.setdefault(_core(string).casefold(), set()).add(label)
        cased = any(len(owners) > 1 for owners in owner.values())
        return cls(strings, tuple(_core(s) if cased else _core(s).casefold() for s in strings), labels, cased)

    def fold(self, text: str) -> str:
        """As :attr:`forms` are, without marks in front."""
        bare = text.lstrip(MARKS)
        return bare if self.cased else bare.casefold()


@dataclass(frozen=True, eq=False)
class Asked:
    """A prompt with a row in it; ``thoughts`` once the reasoning round is over."""

    prompt: Prompt
    text: str
    pair: str | None
    vocabulary: Vocabulary
    thoughts: str | None = None

    @cached_property
    def context(self) -> str:
        """What stands before the answer, where there is no chat."""
        return clean(plain_text(self.prompt, self.text, self.pair, self.thoughts))

    @property
    def path(self) -> str:
        return "/chat/completions" if self.prompt.chat else "/completions"

    def body(self, model: str, max_tokens: int) -> dict[str, Any]:
        """The request for at most ``max_tokens`` tokens, greedily."""
        said = (
            {"messages": messages(self.prompt, self.text, self.pair, self.thoughts)}
            if self.prompt.chat
            else {"prompt": self.context.rstrip()}
        )
        return {"model": model, **said, "max_tokens": max_tokens, "temperature": 0}


def _core(string: str) -> str:
    return string.lstrip(MARKS) or string
