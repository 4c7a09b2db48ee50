"""Replies taken apart, trusting nothing: what is unsound never becomes a reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.errors import LabelerError

if TYPE_CHECKING:
    from taskspace.labelers.endpoints._client import Reply

_ROUNDING = 1e-4  # nats that a log-probability may lie above 0
_TOO_MUCH = 1.01  # probability of all tokens listed at one place


@dataclass(frozen=True)
class Place:
    """One generated token with its log-probability, and the likeliest at its place, itself among them."""

    token: str
    log_prob: float
    listed: tuple[tuple[str, float], ...]


def choices(reply: Reply, count: int) -> list[dict[str, Any]]:
    """The ``count`` choices in order of their index."""
    found: list[Any] = reply["choices"]
    if len(found) != count:
        raise unsound(f"{len(found)} choices where {count} were asked for")
    if not all(isinstance(choice, dict) for choice in found):
        raise unsound("choices that are no JSON objects")
    numbers = [choice.get("index", place) for place, choice in enumerate(found)]
    if sorted(numbers, key=str) != sorted(range(count), key=str) or any(isinstance(n, bool) for n in numbers):
        raise unsound(f"choices numbered {str(numbers)[:60]}")
    return [found[numbers.index(number)] for number in range(count)]


def words(choice: dict[str, Any]) -> str:
    """What was written: of a chat, the content of the message."""
    message = choice.get("message")
    if not isinstance(message, dict) and "text" not in choice:  # else it would be kept as a reply without words
        raise unsound("a choice with neither message nor text")
    said = message.get("content") if isinstance(message, dict) else choice.get("text")
    if said is None:
        return ""
    if isinstance(said, list):  # content in parts
        said = "".join(str(part.get("text", "")) for part in said if isinstance(part, dict))
    if not isinstance(said, str):
        raise unsound(f"words that are no text but {type(said).__name__}")
    return clean(said)


def is_filtered(choice: dict[str, Any]) -> bool:
    """Whether the server held the words back."""
    return choice.get("finish_reason") == "content_filter"


def places(choice: dict[str, Any]) -> list[Place] | None:
    """The generated tokens with their rivals, in either form that servers use; ``None`` where there are none."""
    given = choice.get("logprobs")
    if not isinstance(given, dict):
        return None
    if isinstance(given.get("content"), list):
        found = [_chat_place(entry) for entry in given["content"]]
    elif isinstance(given.get("tokens"), list):
        found = _plain_places(given)
    else:
        return None
    for place in found:
        if sum(math.exp(value) for _, value in place.listed) > _TOO_MUCH:
            raise unsound("probabilities of one token that add up to more than 1")
    return found or None


def log_prob(value: Any) -> float:
    """A finite number, not above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unsound(f"{str(value)[:40]!r} for a log-probability")
    if not math.isfinite(value) or value > _ROUNDING:
        raise unsound(f"a log-probability of {value}")
    return min(float(value), 0.0)


def unsound(what: str) -> LabelerError:
    """The error for a reply that cannot be true."""
    return LabelerError(f"the endpoint gave {what}; check the server, or read its words only with scoring='text'")


def clean(text: str) -> str:
    """Without lone surrogates, which no file and no request can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _chat_place(entry: Any) -> Place:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        raise unsound("log-probabilities without tokens")
    rivals = entry.get("top_logprobs") or []
    if not isinstance(rivals, list) or not all(isinstance(r, dict) and isinstance(r.get("token"), str) for r in rivals):
        raise unsound("likeliest tokens in no known form")
    return _place(entry["token"], entry.get("logprob"), [(r["token"], r.get("logprob")) for r in rivals])


def _plain_places(given: dict[str, Any]) -> list[Place]:
    tokens, values, rivals = given["tokens"], given.get("token_logprobs"), given.get("top_logprobs")
    if not isinstance(values, list) or len(values) != len(tokens):
        raise unsound("another number of log-probabilities than of tokens")
    if not isinstance(rivals, list) or len(rivals) != len(tokens):
        rivals = [{}] * len(tokens)
    rows: list[tuple[Any, Any, Any]] = list(zip(tokens, values, rivals, strict=True))
    return [_place(t, v, list(r.items()) if isinstance(r, dict) else []) for t, v, r in rows]


def _place(token: Any, value: Any, rivals: list[tuple[str, Any]]) -> Place:
    if not isinstance(token, str):
        raise unsound("tokens that are no text")
    own, shown = log_prob(value), _spaced(token)
    listed = [(_spaced(rival), log_prob(v)) for rival, v in rivals]
    if not any(rival == shown for rival, _ in listed):
        listed.append((shown, own))
    return Place(shown, own, tuple(listed))


def _spaced(token: str) -> str:
    """Some servers show the mark by which their tokenizer writes a space."""
    return clean(token).replace("\u2581", " ")
