"""The tuned sources of a ground truth, kept as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MODELS = "models"
_KEY = "taskspace"


def model_file(folder: Path, name: str) -> Path:
    """Where a source's weights are kept; letters that no file name may have are written as ``%2F``."""
    return folder / MODELS / f"{quote(name, safe='')}.safetensors"


def untuned(folder: Path, names: Iterable[str]) -> list[str]:
    """The sources whose weights are not there yet."""
    return [name for name in names if not model_file(folder, name).exists()]


def tuned_source(folder: Path, name: str) -> Mapping[str, NDArray[np.float32]] | None:
    """The weights of a source as it was fine-tuned, by tensor name; None where it has not been yet.

    :meth:`taskspace.tuning.fine_tuning.FineTuned.of` makes a model of them.  Raises :class:`DataError` for a damaged
    file.
    """
    path = model_file(folder, name)
    if not path.exists():
        return None
    files = require("safetensors.numpy", extra="embed", why="reading weights")
    try:
        return files.load_file(path)
    except Exception as error:  # a private one, of no public name
        raise _damaged(path, error) from error


def keep_source(folder: Path, name: str, state: dict[str, Any], made: Mapping[str, Any]) -> None:
    """Keep weights, whole or not at all; ``made`` says in plain JSON from what and how."""
    files = require("safetensors.numpy", extra="embed", why="keeping weights")
    path = model_file(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:  # its own writing would make a file that nobody else may read
        partial.write_bytes(files.save(state, metadata={_KEY: json.dumps(made, sort_keys=True)}))


def require_made(folder: Path, name: str, made: Mapping[str, Any]) -> None:
    """Raise :class:`DataError` where kept weights were made otherwise; a file that says nothing of it may stay."""
    path = model_file(folder, name)
    if not path.exists():
        return
    safetensors = require("safetensors", extra="embed", why="reading weights")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            said = (file.metadata() or {}).get(_KEY)
    except Exception as error:
        raise _damaged(path, error) from error
    if said is not None and said != json.dumps(made, sort_keys=True):
        raise DataError(f"{path} was tuned on other rows or in another way; delete it, or choose another folder")


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} does not hold weights ({error}); delete it, and the source is tuned again")
