"""What the verbs that talk to the Hub have in common."""

from __future__ import annotations

from taskspace._extras import require
from taskspace.cli import _options as o


def bars_for_watchers() -> None:
    """The client draws its bars on stderr; a log file shall not be full of them."""
    if not o.on_terminal():
        require("huggingface_hub.utils", extra="hub", why="an atlas on the Hub").disable_progress_bars()
