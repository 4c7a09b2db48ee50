"""What everything that runs a checkpoint shares: its device, its tokenizer, and a load without chatter."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def usable_device(asked: str | None, *, why: str = "a model that runs here") -> str:
    """The device asked for, or else the GPU where there is one; :class:`SettingError` if it cannot be used."""
    torch = require("torch", extra="embed", why=why)
    if asked is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=asked)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"device {asked!r} cannot be used ({gist(error)}); say cpu, or leave it out") from error
    return asked


def load_tokenizer(transformers: Any, folder: Path) -> Any:
    """Foreign files fail in many ways: whatever they raise is the caller's to tell."""
    # Set for this process alone: the library warns about forks that never come.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with quiet(transformers):
        return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


@contextlib.contextmanager
def quiet(transformers: Any) -> Generator[None]:
    """No bar and no notes while a model loads: what matters is told by an error."""
    logs = transformers.utils.logging
    verbosity, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(verbosity)
        if bars:
            logs.enable_progress_bar()


def gist(error: Exception) -> str:
    """The first line of a foreign error, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0].rstrip(".") if lines else type(error).__name__
