"""Docstrings write :class:`~taskspace.task.Task`; the pages show ``Task``."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod):<code>(~?)([^<]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return _ROLE.sub(lambda m: f"<code>{m[2].rpartition('.')[2] if m[1] else m[2]}</code>", html)
