"""A soft prompt as a folder: what PEFT reads, and beside it all that PEFT has no place for."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._version import __version__
from taskspace.errors import PromptError
from taskspace.prompting.soft._card import card_of
from taskspace.prompting.soft._header import backbone_from, provenance_from, text_from
from taskspace.prompting.soft._peft import CONFIG, KEY, OLD_WEIGHTS, WEIGHTS, fitting_task, peft_config, read_peft
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.prompting.soft._stored import open_tensors, parsed
from taskspace.prompting.soft._tables import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

OWN = "taskspace.json"
INIT = "init.safetensors"
CARD = "README.md"

_FILES = {CONFIG, WEIGHTS, OLD_WEIGHTS, OWN, INIT, CARD}


def write_folder(
    prompt: SoftPrompt, folder: str | Path, task_type: str | None = None, head: Mapping[str, NDArray[Any]] | None = None
) -> Path:
    """Write all files of ``prompt``; without ``task_type`` the one that fits, or none where peft has no use for it."""
    from safetensors.numpy import save

    target = Path(folder).resolve()
    task_type = task_type or fitting_task(prompt)
    files = {
        CONFIG: json.dumps(peft_config(prompt, task_type), indent=2, sort_keys=True).encode(),
        WEIGHTS: save({KEY: np.array(prompt.tokens)} | _head_of_peft(head or {}), {"format": "pt"}),
        OWN: own_json(prompt, indent=2).encode(),
        CARD: card_of(prompt, task_type).encode(),
    }
    if prompt.init is not None:
        files[INIT] = save({"init": np.array(prompt.init)})
    try:
        with replacing_folder(target) as partial:
            for name, data in files.items():
                (partial / name).write_bytes(data)
    except OSError as error:
        raise PromptError(f"cannot write {target}: {error.strerror}; choose another place") from error
    return Path(folder)


def own_json(prompt: SoftPrompt, indent: int | None = None) -> str:
    """All of a prompt but its numbers, and the fingerprints of those."""
    header = {
        "format": 1, "kind": "soft prompt", "name": prompt.name, "weights": dict(prompt.weights or {}),
        "backbone": prompt.backbone.to_dict() if prompt.backbone else None, "layout": prompt.layout,
        "provenance": dict(prompt.provenance), "tokens": prompt.fingerprint, "version": __version__,
        "init": None if prompt.init is None else fingerprint_of(prompt.init),
    }  # fmt: skip
    try:
        return json.dumps(header, indent=indent)
    except TypeError as error:
        raise PromptError(f"the provenance does not fit into JSON ({error}); keep plain values in it") from error


def read_own(folder: str | Path) -> SoftPrompt:
    """Read what :func:`write_folder` wrote; :class:`PromptError` if any of it was changed since."""
    folder = Path(folder)
    header = _own_header(folder)
    with parsed(folder / OWN):
        init = open_tensors(folder / INIT).tensors["init"] if header["init"] else None
        return prompt_from(header, read_peft(folder).tokens, folder, init)


def prompt_from(
    header: dict[str, Any], tokens: NDArray[np.float32], path: Path, init: NDArray[np.float32] | None = None
) -> SoftPrompt:
    """A prompt from the JSON that :func:`own_json` wrote and the tables that belong to it."""
    with parsed(path):
        for what, table, expected in (("tokens", tokens, header["tokens"]), ("init", init, header["init"])):
            if table is not None and fingerprint_of(table) != expected:
                raise PromptError(
                    f"the {what} in {path} are not those that {OWN} was written for; delete {OWN} to read the rest as "
                    "a plain adapter, or fetch the prompt again"
                )
        weights = {str(task): float(weight) for task, weight in header["weights"].items()}
        return SoftPrompt(
            tokens, backbone_from(header["backbone"], path), text_from(header["name"], "name", path), init,
            tuple(weights), provenance_from(header["provenance"], path), header["layout"], weights,
        )  # fmt: skip


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Generator[Path]:
    """A folder beside ``folder`` to write to, which takes its place when the block ends well.

    The old one is moved aside first and back if the move of the new one fails.  :class:`PromptError` if it holds
    anything but a prompt, since it is deleted in the end.
    """
    _require_ours(folder)
    partial, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _head_of_peft(head: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    return {f"base_model.{name}": np.array(table, dtype=np.float32, order="C") for name, table in head.items()}


def _require_ours(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise PromptError(f"{folder} is a file, and a prompt is saved as a folder; choose another name")
    there = {child.name for child in folder.iterdir()}
    others = sorted(there - _FILES) or ([] if CONFIG in there else sorted(there))
    if others:
        raise PromptError(f"{folder} holds {others[0]!r}, which is no part of a prompt; choose another folder")


def _own_header(folder: Path) -> dict[str, Any]:
    try:
        header = json.loads((folder / OWN).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PromptError(
            f"{folder} is not a folder that taskspace saved a prompt to; use read_prompt for those of others"
        ) from error
    except OSError as error:
        raise PromptError(f"cannot read {folder / OWN}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise PromptError(f"{folder / OWN} is damaged ({error}); fetch or save the folder again") from error
    with parsed(folder / OWN):
        if header["format"] != 1:
            raise PromptError(f"{folder} has format {header['format']}, this version reads 1; upgrade taskspace")
        return header
