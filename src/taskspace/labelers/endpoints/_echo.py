"""Scoring by echo: the server reads context and answer back, and says how likely each token was.

That is teacher forcing at a distance, exact for answers of any length.  Where a token begins is found by
spelling the prompt with the tokens: servers count ``text_offset`` in several ways (with the length of
special tokens, or of broken characters), and a server whose tokens do not spell the prompt is not believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.labelers.endpoints._asking import Unable
from taskspace.labelers.endpoints._client import Refusal
from taskspace.labelers.endpoints._listed import COUNTED_ELSEWHERE
from taskspace.labelers.endpoints._replies import choices, clean, log_prob, unsound
from taskspace.labelers.prompts._reading import Reading
from taskspace.labelers.prompts._rendering import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.labelers.endpoints._asking import Asked
    from taskspace.labelers.endpoints._client import Client

_PROMPTS_PER_CALL = 16
_MOST_SPECIAL = 3  # tokens before the text, such as that of its beginning
_BYTES = re.compile(r"^bytes:|\\x[0-9a-fA-F]{2}")


@dataclass(frozen=True)
class Echo:
    """A prompt's tokens: the character at which each begins, and its log-probability (``None`` for the first)."""

    starts: tuple[int, ...]
    values: tuple[float | None, ...]


def by_echo(client: Client, asked: Asked) -> Reading | Refusal | Unable:
    """All answers of one row in one call or, if there are many, a few."""
    context = asked.context.rstrip()
    texts = [joined(asked.context, string) for string in asked.vocabulary.strings]
    distinct = list(dict.fromkeys(texts))
    echoes: list[Echo] = []
    for start in range(0, len(distinct), _PROMPTS_PER_CALL):
        part = _echoed(client, distinct[start : start + _PROMPTS_PER_CALL])
        if not isinstance(part, list):
            return part
        echoes += part
    cut = common_cut([echo.starts for echo in echoes], len(context))
    scored = [_after(echo, cut) for echo in echoes]
    own = [scored[distinct.index(text)] for text in texts]
    values = [own[i][0] if texts.index(text) == i else COUNTED_ELSEWHERE for i, text in enumerate(texts)]
    likely, length = _before(echoes[0], cut) if asked.thoughts is None else (None, 0)
    thoughts = client.settings.scrub(asked.thoughts or "")
    return Reading(tuple(values), tuple(tokens for _, tokens in own), None, thoughts, likely, length)


def common_cut(starts: Sequence[Sequence[int]], boundary: int) -> int:
    """The last place up to ``boundary`` at which a token begins in every text.

    A token across the boundary belongs to the answer; all answers are counted from the earliest such place.
    """
    while True:
        lower = min(max(start for start in own if start <= boundary) for own in starts)
        if lower == boundary:
            return boundary
        boundary = lower


def laid_out(tokens: Sequence[str], text: str, *, whole: bool) -> list[int] | None:
    """The character of ``text`` at which each of its tokens begins, or ``None`` if they do not spell it.

    Special tokens may stand before it, and after it tokens that were generated, which are left out.
    ``whole`` says that there are none.  A token that is part of a character is shown with U+FFFD or as
    ``bytes:…``: a run of those stands for what precedes the place where the next token fits, if both hold
    the same signs of ASCII.  So a token that holds such a sign is never laid elsewhere.
    """
    shows_spaces = any(token[:1].isspace() for token in tokens)
    for special in range(min(_MOST_SPECIAL, len(tokens) - 1) + 1):
        found = _spelled(tokens[special:], text, whole=whole, shows_spaces=shows_spaces)
        if found is not None:
            return [0] * special + found
    return None


def _spelled(tokens: Sequence[str], text: str, *, whole: bool, shows_spaces: bool) -> list[int] | None:
    starts: list[int] = []
    at = 0
    while len(starts) < len(tokens) and at < len(text):
        token = tokens[len(starts)]
        if _is_broken(token):
            run = _run(tokens, len(starts))
            follows = len(starts) + len(run)
            end = text.find(tokens[follows], at + 1) if follows < len(tokens) else len(text) if whole else -1
            if end < 0 or _ascii(text[at:end], spaces=shows_spaces) != _ascii("".join(run), spaces=shows_spaces):
                return None
            starts += [at] * len(run)
            at = end
            continue
        gap = 0 if text.startswith(token, at) else 1  # some servers show no space in front of a word
        if gap and (shows_spaces or text[at] != " " or not text.startswith(token, at + 1)):
            return None
        starts.append(at)
        at += gap + len(token)
    return starts if at == len(text) else None


def _run(tokens: Sequence[str], start: int) -> Sequence[str]:
    """The broken and empty tokens that follow one another."""
    end = start
    while end < len(tokens) and (_is_broken(tokens[end]) or not tokens[end]):
        end += 1
    return [_BYTES.sub("", token) for token in tokens[start:end]]


def _is_broken(token: str) -> bool:
    return "\ufffd" in token or token.startswith("bytes:")


def _ascii(text: str, *, spaces: bool) -> str:
    return "".join(sign for sign in text if sign.isascii() and (spaces or not sign.isspace()))


def _echoed(client: Client, texts: list[str]) -> list[Echo] | Refusal | Unable:
    """Read by a server that generates nothing, or by one that insists on a token."""
    refused: Refusal | None = None
    for max_tokens in (0, 1):
        body = {"model": client.settings.model, "prompt": texts, "max_tokens": max_tokens, "temperature": 0}
        reply = client.post("/completions", body | {"echo": True, "logprobs": 1}, tokens_out=len(texts))
        if not isinstance(reply, Refusal):
            found = [_echo(choice, text) for choice, text in zip(choices(reply, len(texts)), texts, strict=True)]
            unable = [echo for echo in found if isinstance(echo, Unable)]
            return unable[0] if unable else [echo for echo in found if isinstance(echo, Echo)]
        if reply.of_row:
            return reply
        refused = refused or reply
    return Unable(refused.message if refused else "")


def _echo(choice: dict[str, Any], text: str) -> Echo | Unable:
    given = choice.get("logprobs")
    written = choice.get("text")
    if not isinstance(given, dict) or not given.get("token_logprobs") or not isinstance(written, str):
        return Unable("the reply carries no log-probabilities")
    tokens, values = given.get("tokens"), given["token_logprobs"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise unsound("log-probabilities without tokens")
    if not isinstance(values, list) or len(values) != len(tokens):
        raise unsound("another number of log-probabilities than of tokens")
    starts = laid_out([clean(token) for token in tokens], text, whole=clean(written) == text)
    if starts is None:
        if not clean(written).startswith(text):
            return Unable("the reply does not repeat the prompt")
        raise unsound("tokens that do not spell the prompt")
    known = [None if i == 0 and value is None else log_prob(value) for i, value in enumerate(values[: len(starts)])]
    return Echo(tuple(starts), tuple(known))


def _after(echo: Echo, cut: int) -> tuple[float, int]:
    """Log-probability and number of the tokens from ``cut`` on."""
    values = [value for start, value in zip(echo.starts, echo.values, strict=True) if start >= cut]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        raise unsound("no probability for the first token of an answer, which nothing precedes")
    return sum(known), len(known)


def _before(echo: Echo, cut: int) -> tuple[float | None, int]:
    """The same of the prompt itself, its first token aside."""
    rows = zip(echo.starts, echo.values, strict=True)
    known = [value for start, value in rows if start < cut and value is not None]
    return (sum(known), len(known)) if known else (None, 0)
