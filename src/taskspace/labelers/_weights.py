"""What all labelers that run a checkpoint share: its files, its device, and a quiet load."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import LabelerError, MissingExtra, SettingError, SurrogateError
from taskspace.surrogates._locate import Located, locate

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def find(name: str | Path, *, revision: str | None, what: str) -> Located:
    """The files of a checkpoint, a folder or a Hub name; ``what`` is its kind, as in "language model".

    Raises :class:`LabelerError` when it cannot be found, or holds no safetensors weights.
    """
    if not str(name).strip():  # else it would be this folder
        raise LabelerError(f"the {what} has no name; give a Hub id or a folder")
    with told_of(what):
        located = locate(name, revision=revision)
        if not any(located.folder.glob("*.safetensors")):
            raise LabelerError(_weightless(located, what))
        return located


@contextlib.contextmanager
def told_of(what: str) -> Generator[None]:
    """Complaints about a surrogate become complaints about ``what``: nobody chose a surrogate here."""
    try:
        yield
    except SurrogateError as error:
        raise LabelerError(_renamed(error, what)) from error
    except MissingExtra as error:
        raise MissingExtra(_renamed(error, what)) from error


def usable_device(asked: str | None) -> str:
    """The device asked for, or else the GPU where there is one; :class:`SettingError` if it cannot be used."""
    torch = require("torch", extra="embed", why="a model that runs here")
    if asked is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=asked)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"device {asked!r} cannot be used ({gist(error)}); say cpu, or leave it out") from error
    return asked


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


def unloadable(located: Located, error: Exception) -> LabelerError:
    """For foreign files, which fail in many ways."""
    return LabelerError(
        f"{located.name} in {located.folder} cannot be loaded ({gist(error)}); save or download it again"
    )


def gist(error: Exception) -> str:
    """The first line of a foreign error, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0].rstrip(".") if lines else type(error).__name__


def _renamed(error: Exception, what: str) -> str:
    message = str(error)
    return what + message.removeprefix("surrogate") if message.startswith("surrogate ") else message


def _weightless(located: Located, what: str) -> str:
    pickles = sorted(path.name for ending in _PICKLES for path in located.folder.glob(ending))
    if pickles:
        return f"{located.folder} has its weights in {pickles[0]}, a pickle, never opened here; save it as safetensors"
    return f"{located.folder} holds no *.safetensors weights; save the {what} there first"
