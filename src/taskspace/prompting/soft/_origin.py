"""Where a prompt comes from, as those that begin at it keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.prompting.soft._prompt import SoftPrompt


def origin_of(prompt: SoftPrompt) -> dict[str, Any]:
    """What ``prompt`` says of how it was made, as plain JSON values.

    What its own start or its sources say is left out: from prompt to prompt it would grow without end.
    """
    about = dict(prompt.provenance)
    start = about.pop("start", None)
    if not about:  # an init, of which that is all
        return dict(start or {})
    if "applied" in about:
        about["applied"] = _by_name(about["applied"])
    return about


def _by_name(applied: Mapping[str, Any]) -> dict[str, Any]:
    """A vector's provenance with the weights, names and inits of its sources alone."""
    sources: Mapping[str, Mapping[str, Any]] = applied.get("sources", {})
    bare = {key: {name: value for name, value in each.items() if name != "provenance"} for key, each in sources.items()}
    return {**applied, "sources": bare}
