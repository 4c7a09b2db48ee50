"""What all labelers that run a checkpoint share: finding its files, and telling what is wrong with them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from taskspace.errors import LabelerError, MissingExtra, SurrogateError
from taskspace.surrogates._locate import Located, locate
from taskspace.surrogates._modules import gist

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from taskspace.labelers._adapter import Adapted

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


def unloadable(located: Located | Adapted, error: Exception) -> LabelerError:
    """For foreign files, which fail in many ways."""
    return LabelerError(
        f"{located.name} in {located.folder} cannot be loaded ({gist(error)}); save or download it again"
    )


def _renamed(error: Exception, what: str) -> str:
    message = str(error)
    return what + message.removeprefix("surrogate") if message.startswith("surrogate ") else message


def _weightless(located: Located, what: str) -> str:
    pickles = sorted(path.name for ending in _PICKLES for path in located.folder.glob(ending))
    if pickles:
        return f"{located.folder} has its weights in {pickles[0]}, a pickle, never opened here; save it as safetensors"
    return f"{located.folder} holds no *.safetensors weights; save the {what} there first"
