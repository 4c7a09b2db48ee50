"""A folder of tuned prompts: what is finished stays, and what is under way goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from taskspace.errors import PromptError
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.soft._folder import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_STATE = ".state"


def place_of(folder: Path, name: str) -> Path:
    """Where the prompt of that name is kept; every name is one folder."""
    place = quote(name, safe=" ") or "_"
    return folder / (f"%2E{place[1:]}" if place.startswith(".") else place)


def finished(folder: Path, name: str, making: Mapping[str, Any]) -> SoftPrompt | None:
    """The prompt that was tuned there before in this very way, None if there is none.

    Raises :class:`PromptError` for one that was tuned in another way, or a folder that holds something else.
    """
    place = place_of(folder, name)
    if not place.exists():
        return None
    if not (place / OWN).is_file():
        raise PromptError(f"{place} is there and holds no prompt that was tuned here; choose another folder")
    prompt = SoftPrompt.load(place)
    other = [what for what, value in making.items() if prompt.provenance.get(what) != value]
    if other:
        raise PromptError(
            f"{place} holds a prompt tuned with another {other[0].replace('_', ' ')}; give another folder, or force to"
            " have it replaced"
        )
    return prompt


def state_of(folder: Path, makings: Iterable[Mapping[str, Any]]) -> Path:
    """Where the state of a tuning is kept, apart from that of any other in the same folder."""
    text = json.dumps(list(makings), sort_keys=True)
    return folder / _STATE / hashlib.sha256(text.encode()).hexdigest()[:16]


def open_folder(folder: Path) -> None:
    """Make it; :class:`PromptError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PromptError(f"the folder {folder} cannot be made ({error.strerror}); choose another place") from error


def drop_state(state: Path) -> None:
    """What one tuning kept for going on; that of others in the same folder stays."""
    shutil.rmtree(state, ignore_errors=True)
    with contextlib.suppress(OSError):  # it holds the state of another
        state.parent.rmdir()
