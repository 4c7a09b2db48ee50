"""Where a model lies: a file or folder, or the Hub's copy of it."""

from __future__ import annotations

import re
from pathlib import Path

from taskspace._extras import require
from taskspace.errors import SurrogateError, WeightsError
from taskspace.surrogates import locate

_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(?<!\.safetensors)(@[\w./-]+)?")
"""``owner/name``, or ``owner/name@revision``; what has no slash is taken for a path."""


def located(path: str | Path) -> Path:
    """A path as it is where something lies there; a Hub id as the folder in the cache, downloaded if need be.

    Raises :class:`WeightsError` for an id that neither has.
    """
    place = Path(path).expanduser()
    if place.exists() or not _ID.fullmatch(str(path)):
        return place
    name, _, revision = str(path).partition("@")
    try:
        return locate(name, revision=revision or None).folder
    except SurrogateError as error:
        adapter = _adapter(name, revision or None)  # which has no configuration of a model
        if adapter is None:
            raise WeightsError(str(error).replace("surrogate", "model", 1)) from error
        return adapter


def model_folder(path: str | Path) -> Path:
    """Where the configuration of a model lies: in its folder, which may be told by one file of weights in it."""
    place = located(path)
    return place.parent if place.is_file() and (place.parent / "config.json").is_file() else place


def _adapter(name: str, revision: str | None) -> Path | None:
    """The folder of an adapter in the cache, where looking for a model has put it."""
    hub = require("huggingface_hub", extra="embed", why=f"model {name!r}")
    try:
        folder = Path(hub.snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError, hub.errors.HFValidationError, hub.errors.HfHubHTTPError):
        return None
    return folder if (folder / "adapter_config.json").is_file() else None
