"""Scoring by words: which label does a reply name?  Rather none than the wrong one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from taskspace.labelers.endpoints._asking import MARKS
from taskspace.labelers.endpoints._client import Refusal
from taskspace.labelers.endpoints._replies import choices, is_filtered, words
from taskspace.labelers.prompts._reading import Reading

if TYPE_CHECKING:
    from taskspace.labelers.endpoints._asking import Asked, Vocabulary
    from taskspace.labelers.endpoints._client import Client

_AFTER = MARKS + ".,;:!?)]"
_DENIED = re.compile(
    r"(\b(not|never|no|neither|nor|cannot|hardly|without|isnt|wasnt)|n['’]t)\b[^\w.,;:!?\n\0]+"
    r"(\w+[^\w.,;:!?\n\0]+){0,2}$|\bnon[-\s]?$",
    re.IGNORECASE,
)  # fmt: skip


def by_words(client: Client, asked: Asked) -> Reading | Refusal:
    """One call; the reading says a label, or none."""
    settings = client.settings
    body = asked.body(settings.model, settings.max_tokens)
    reply = client.post(asked.path, body, tokens_out=settings.max_tokens)
    if isinstance(reply, Refusal):
        return reply
    (choice,) = choices(reply, 1)
    return read_words(client, asked, words(choice), filtered=is_filtered(choice))


def read_words(client: Client, asked: Asked, reply: str, *, filtered: bool) -> Reading | Refusal:
    """The label that a reply names, with its words."""
    if filtered:
        return Refusal(200, "content filter", of_row=True)
    return Reading(said=said(reply, asked.vocabulary), words=client.settings.scrub(reply))


def said(reply: str, vocabulary: Vocabulary) -> int | None:
    """The class of the one label that is named, else ``None``.

    A reply that is an answer string names its label.  Otherwise answer strings are looked for as whole
    words, longest first, each place in the reply counting once.  Two labels, a denied one ("not good"),
    or thoughts that were cut short name none.
    """
    final = _without_thoughts(reply)
    bare = vocabulary.fold(final).rstrip(_AFTER)
    exact = [
        label for form, label in zip(vocabulary.forms, vocabulary.labels, strict=True) if bare == form.rstrip(_AFTER)
    ]
    if bare and exact:
        return exact[0]
    named = _named(final, vocabulary)
    return named.pop() if named is not None and len(named) == 1 else None


def _named(reply: str, vocabulary: Vocabulary) -> set[int] | None:
    """All labels that are named; ``None`` where one is denied."""
    rest, found = reply if vocabulary.cased else reply.casefold(), set[int]()
    rows = zip(vocabulary.strings, vocabulary.forms, vocabulary.labels, strict=True)
    for string, form, label in sorted(rows, key=lambda row: -len(row[1])):
        is_letter = (
            len(string) == 1 and string.isascii() and string.isalpha()
        )  # "A" is an answer, "a" mostly an article
        where, sought = (reply, string) if is_letter else (rest, form)
        pattern = re.compile(rf"(?<!\w){re.escape(sought)}(?!\w|[+#])")  # C is no part of C++
        for match in pattern.finditer(where):
            if _DENIED.search(where[max(0, match.start() - 100) : match.start()]):
                return None
            found.add(label)
        if not is_letter:
            rest = pattern.sub(lambda match: "\0" * len(match[0]), rest)
    return found


def _without_thoughts(reply: str) -> str:
    """What follows the thoughts of a model that thinks aloud; nothing where it was cut amid them."""
    before, mark, after = reply.rpartition("</think>")
    return after if mark else "" if "<think>" in before + after else reply
