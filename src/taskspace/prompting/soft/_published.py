"""Single files in which others published their prompts, each told by its first bytes and read as it is laid out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError, TaskspaceWarning
from taskspace.prompting.soft._found import Found
from taskspace.prompting.soft._names import attempt_task, google_name, kind_of, thunlp_names, tpv_names
from taskspace.prompting.soft._peft import CONFIG, KEY, read_config, rows_read
from taskspace.tuning._torch_files import read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.prompting.soft._tables import Layout

_KNOWN: tuple[tuple[str, Layout], ...] = (
    (KEY, "input"), ("prompt_encoder.default.embedding.weight", "input"), ("prefix_shared", "input"),
    ("soft_prompt", "input"), ("prefix_encoder.embedding.weight", "prefix"),
)  # fmt: skip
"""Names under which peft, ATTEMPT, P-tuning v2 and friends keep their prompt among other tensors."""


def form_of(path: Path) -> str:
    """Say "torch", "npy" or "safetensors", by the first bytes; :class:`PromptError` for anything else."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise PromptError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise PromptError(f"cannot read {path}: {error.strerror}; check the path") from error
    if head[4:9] == b"\0\0\0\0{":  # first, since the length of the header before it may look like a pickle
        return "safetensors"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return "torch"
    raise PromptError(
        f"{path} is no file of tensors (it begins with {head!r}); give a safetensors, torch or .npy file, or a folder"
    )


def read_torch(path: Path) -> Found:
    """``task_prompt`` of thunlp, ``.pt`` of ATTEMPT, or ``<init>/<task>_text.bin`` of Task Prompt Vectors."""
    tensors = read_tensors(path)
    tokens, layout = _chosen(tensors, path)
    folder = path.resolve().parent.name
    if path.name == "task_prompt":
        task, backbone = thunlp_names(folder, tokens.shape[1])
        return Found(tokens, "thunlp", folder, (task,), backbone)
    if layout == "prefix":
        return Found(tokens, "p-tuning-v2", path.stem, layout="prefix")
    if path.suffix == ".pt":
        task = attempt_task(folder, path.stem)
        return Found(tokens, "attempt", task, (task,))
    task, backbone = tpv_names(folder, path.stem)
    init = _init_beside(path, tokens) if task else None
    tasks = (task,) if task else ()
    return Found(
        tokens, "tpv", task or path.stem, tasks, backbone, rows=_rows_beside(path, len(tokens), backbone), init=init
    )


def read_npy(path: Path) -> Found:
    """An array of numbers; what ``google-research/prompt-tuning`` publishes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            tokens = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged header may raise anything at all from the depths of its reader
        said = "a pickle inside" if "allow_pickle" in str(error) else type(error).__name__
        raise PromptError(f"{path} is not a whole array of numbers ({said}); fetch or save it again") from error
    if tokens.dtype.kind != "f":
        raise PromptError(f"{path} holds {tokens.dtype} and not real numbers; give the file of a prompt")
    with np.errstate(over="ignore"):
        table = _flat(tokens.astype(np.float32))
    if table.ndim != 2:
        raise PromptError(f"{path} has shape {tokens.shape}; give a table of tokens by width")
    return Found(table, "npy", path.stem, (path.stem,), google_name(path.resolve().parent.name))


def _chosen(tensors: Mapping[str, NDArray[np.float32]], path: Path) -> tuple[NDArray[np.float32], Layout]:
    tables = {name: flat for name, table in tensors.items() if (flat := _flat(table)).ndim == 2}
    for known, layout in _KNOWN:
        for name, table in tables.items():
            if name == known or name.endswith(f".{known}"):
                return (_projected(table, tables, tensors, name) if layout == "prefix" else table), layout
    if len(tables) != 1:
        shapes = ", ".join(f"{name or 'the tensor'} {table.shape}" for name, table in list(tensors.items())[:3])
        raise PromptError(f"{path} does not hold one table of tokens by width but {shapes}; save the prompt alone")
    return next(iter(tables.values())), "input"


def _projected(
    table: NDArray[np.float32],
    tables: Mapping[str, NDArray[np.float32]],
    tensors: Mapping[str, NDArray[np.float32]],
    name: str,
) -> NDArray[np.float32]:
    """The keys and values themselves, where P-tuning v2 kept them behind a network: ``W2 tanh(W1 e + b1) + b2``."""
    at = name.removesuffix("embedding.weight") + "trans."
    if f"{at}2.weight" not in tables:
        return table
    wide = np.float64
    hidden = np.tanh(table.astype(wide) @ tables[f"{at}0.weight"].astype(wide).T + tensors[f"{at}0.bias"])
    return (hidden @ tables[f"{at}2.weight"].astype(wide).T + tensors[f"{at}2.bias"]).astype(np.float32)


def _flat(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return table[0] if table.ndim == 3 and table.shape[0] == 1 else table


def _init_beside(path: Path, tokens: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The first rows of ``<init>/<init>.bin`` in the same folder, if it is there and fits."""
    folder = path.resolve().parent
    file = folder / f"{folder.name}.bin"
    if not file.is_file():
        return None
    init, _ = _chosen(read_tensors(file), file)
    if init.shape[1] != tokens.shape[1] or len(init) < len(tokens):
        warnings.warn(
            f"{file} {init.shape} is not the init of {path.name} {tokens.shape}", TaskspaceWarning, stacklevel=2
        )
        return None
    return init[: len(tokens)]


def _rows_beside(path: Path, stored: int, backbone: str) -> int | None:
    """What the adapter folder around a ``.bin`` says of its rows, as far as it speaks of the same number.

    The folders of Task Prompt Vectors call every model an encoder-decoder: a decoder's name knows better.
    """
    folder = path.resolve().parent
    if not (folder / CONFIG).is_file():
        return None
    config = read_config(folder)
    if kind_of(backbone or str(config.get("base_model_name_or_path") or "")) == "decoder":
        return stored
    return rows_read(config, stored, str(path))
