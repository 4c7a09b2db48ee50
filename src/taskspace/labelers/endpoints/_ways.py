"""The ways of scoring, and which of them a server turned out to support."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, final

from taskspace.errors import SettingError
from taskspace.labelers.endpoints._echo import by_echo
from taskspace.labelers.endpoints._listed import by_listed_tokens
from taskspace.labelers.endpoints._words import by_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from taskspace.labelers.endpoints._asking import Asked
    from taskspace.labelers.endpoints._client import Client
    from taskspace.labelers.endpoints._settings import Scoring
    from taskspace.labelers.prompts._prompt import Prompt

WAYS: dict[str, Callable[[Client, Asked], Any]] = {
    "echo": by_echo, "top_logprobs": by_listed_tokens, "text": by_words,
}  # fmt: skip
_BEST_FIRST = {False: ("echo", "top_logprobs", "text"), True: ("top_logprobs", "text")}
"""By whether the prompt is a chat."""


@final
class Ways:
    """Which ways are left, for chats and for plain prompts; shared by threads."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._left: dict[bool, tuple[str, ...]] = {
            chat: ways if scoring == "auto" else (scoring,) for chat, ways in _BEST_FIRST.items()
        }
        self._proven: set[bool] = set()
        self._lock = Lock()

    def best(self, prompt: Prompt) -> str:
        """The first that is left; an echo does not show how likely the end of a text is."""
        return next(way for way in self._left[prompt.chat] if not (way == "echo" and prompt.with_end))

    def is_settled(self, *, chat: bool) -> bool:
        """Whether it is known what the server can do."""
        return chat in self._proven or len(self._left[chat]) == 1

    def prove(self, *, chat: bool) -> None:
        self._proven.add(chat)

    def drop(self, way: str, *, chat: bool) -> bool:
        """Do without ``way`` for the rest of the run; ``False`` where there is no other."""
        with self._lock:
            left = tuple(other for other in self._left[chat] if other != way)
            self._left[chat] = left or self._left[chat]
        return bool(left)

    def require_possible(self, prompt: Prompt) -> None:
        """Raise :class:`SettingError` for a prompt that cannot be scored as was said."""
        if self._scoring != "echo":
            return
        who = f"prompt {prompt.name!r}"
        if prompt.chat:
            raise SettingError(f"{who} is a chat, which no server echoes; use chat=False, or another scoring than echo")
        if prompt.with_end:
            raise SettingError(f"{who} counts the end of the text, which no echo shows; say with_end=False")
