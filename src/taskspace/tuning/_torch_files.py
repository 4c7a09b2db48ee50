"""Tensors out of files that torch wrote: read as data, never run."""

from __future__ import annotations

import warnings
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """All floating tensors of a ``torch.save`` file by their dotted name, "" for a bare one, as float32.

    Always with ``weights_only=True``: what a pickle wants to run is refused, and there is no way to allow it.
    Whatever else is wrong with the file is one :class:`PromptError` too.
    """
    torch = require("torch", extra="embed", why="reading a file of torch")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols and storage classes, which we did not choose
            tensors = _floats(torch, torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise PromptError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise PromptError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    except UnpicklingError as error:
        raise PromptError(
            f"{path} is a pickle of more than tensors, which could run code, and is not opened; save the tensor alone"
        ) from error
    except Exception as error:  # a damaged file may raise anything at all from the depths of its readers
        raise PromptError(f"{path} is not a whole file of torch ({type(error).__name__}); fetch it again") from error
    if not tensors:
        raise PromptError(f"{path} holds no tensor of numbers; check that it is the file of the prompt")
    return tensors


def _floats(torch: Any, content: Any) -> dict[str, NDArray[np.float32]]:
    return {
        name: tensor.detach().to(torch.float32).contiguous().numpy()
        for name, tensor in _leaves(content)
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.layout == torch.strided
    }


def _leaves(content: Any, name: str = "") -> Generator[tuple[str, Any]]:
    if not isinstance(content, dict):
        yield name, content
        return
    for key, value in content.items():
        yield from _leaves(value, f"{name}.{key}" if name else str(key))
