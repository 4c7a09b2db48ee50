"""Optional packages: one place that imports them or says which extra brings them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from taskspace.errors import MissingExtra


def require(module: str, *, extra: str, why: str) -> Any:
    """Import ``module``, or raise :class:`MissingExtra` with the command that installs it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if find_spec(package) is not None:
            raise
        raise MissingExtra(
            f"{why} needs {package}, which is not installed; pip install 'taskspace[{extra}]'"
        ) from error


def installed(module: str) -> bool:
    """Whether a top-level package could be imported; imports nothing."""
    return find_spec(module) is not None
