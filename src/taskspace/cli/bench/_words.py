"""Lists on the command line."""

from __future__ import annotations


def words(given: str) -> tuple[str, ...]:
    """``a,b,a`` as a and b."""
    return tuple(dict.fromkeys(word.strip() for word in given.split(",") if word.strip()))
