"""Soft prompts from and to the files of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np

from taskspace._files import replacing
from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft._folder import OWN, own_json, prompt_from, read_own, write_folder
from taskspace.prompting.soft._found import Found, backbone_said, prompt_of
from taskspace.prompting.soft._peft import CONFIG, peft_task, read_peft
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.prompting.soft._published import form_of, read_npy, read_torch
from taskspace.prompting.soft._stored import open_tensors
from taskspace.prompting.soft._tables import better_known, require_fit, same_backbone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.prompting.soft._tables import Layout
    from taskspace.tuning.identity import BackboneId

_SUFFIXES = (".safetensors", ".bin", ".pt", ".npy")


def read_prompt(
    path: str | Path,
    *,
    backbone: BackboneId | str | None = None,
    init: SoftPrompt | NDArray[Any] | str | Path | None = None,
    task: str | None = None,
    effective: int | None = None,
    layout: Layout | None = None,
) -> SoftPrompt:
    """One prompt from whatever holds it, told by what is in it and not by its suffix.

    Read are our own folders, PEFT folders (prompt and prefix tuning, P-tuning), ``.bin`` of Task Prompt Vectors with
    the init beside it, ``task_prompt`` of thunlp/Prompt-Transferability, ``.npy`` of google-research/prompt-tuning,
    ``.pt`` of ATTEMPT, checkpoints of P-tuning v2, and safetensors files of one table.

    ``backbone``, ``task``, ``init`` and ``layout`` go before what files and folder names say.  Where neither names
    the backbone it stays None, since one width fits several.  A path as ``init`` is read like a prompt.

    Files of encoder-decoders often store 2 m rows of which peft only ever read m.  ``effective`` says how many are
    real; else an adapter config in the folder does; else, where the init is known, a second half that merely shrank
    by weight decay is taken for dead.  Without such evidence every row stays.  ``report()`` counts what was dropped.

    Torch files are opened with ``weights_only=True``, and a pickle of anything else is refused.  Everything that is
    wrong raises :class:`PromptError`.
    """
    path = Path(path)
    start = read_prompt(init) if isinstance(init, str | Path) else init
    said: dict[str, Any] = {
        "backbone": backbone, "init": start, "task": task, "effective": effective, "layout": layout,
    }  # fmt: skip
    found = read_own(path) if (path / OWN).is_file() else _found_in(path)
    prompt = _own(found, path, said) if isinstance(found, SoftPrompt) else prompt_of(found, path, **said)
    if isinstance(start, SoftPrompt) and not same_backbone(start.backbone, prompt.backbone):
        raise PromptError(f"the init {start.name!r} is of another backbone than {path}; give the one it began from")
    return prompt


def read_prompts(path: str | Path, *, backbone: BackboneId | str | None = None) -> dict[str, SoftPrompt]:
    """Many prompts by task: a safetensors file with one table for each, or a folder of prompt files and folders.

    Our own folders go by their names, since there may be several of a task; hidden files are not looked at.  A text
    ``backbone`` in the metadata of the file is heard.
    """
    path = Path(path)
    pairs = list(_in_folder(path, backbone) if path.is_dir() else _in_file(path, backbone))
    prompts = dict(pairs)
    if not pairs:
        raise PromptError(f"{path} holds no prompts; give a safetensors file or a folder of them")
    if len(prompts) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PromptError(f"{path} holds two prompts of {twice!r}; read them one by one with read_prompt")
    return prompts


def is_prompt(path: Path) -> bool:
    """Whether it is a folder of one prompt, ours, PEFT's or thunlp's, or a file that may be one."""
    if path.is_dir():
        return any((path / name).is_file() for name in (OWN, CONFIG, "task_prompt"))
    return path.is_file() and (path.suffix in _SUFFIXES or path.name == "task_prompt")


def write_peft(
    prompt: SoftPrompt,
    folder: str | Path,
    *,
    task_type: str | None = None,
    head: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """Write an adapter folder that ``peft.PeftModel.from_pretrained`` loads and puts before the text.

    ``task_type`` is peft's: FEATURE_EXTRACTION for encoders, SEQ_2_SEQ_LM, CAUSAL_LM unless said.  SEQ_CLS takes the
    classification head from the adapter too and does not load without: give it as ``head``, by the names it has in
    the model ("classifier.weight").

    The folder is otherwise what :meth:`SoftPrompt.save` writes, and reads back as such, without a head.  A prefix is
    laid out as peft does it, layer by layer and keys first; peft moves the text on by m positions behind it, which
    other code may not.

    Raises :class:`PromptError` for a prefix of an encoder-decoder, which peft shares among attentions that ours keeps
    apart, and :class:`SettingError` for a ``task_type`` that does not fit.
    """
    if prompt.layout == "prefix" and prompt.backbone is not None and prompt.backbone.kind == "encoder-decoder":
        raise PromptError(
            f"prefix {prompt.name!r} is of an encoder-decoder, and peft lays those out otherwise; use .save() instead"
        )
    task_type = peft_task(prompt, task_type)
    if (task_type == "SEQ_CLS") != bool(head):
        raise SettingError(
            f"task_type {task_type} {'needs' if not head else 'takes no'} classification head; "
            f"{'give head=' if not head else 'leave head= out, or say SEQ_CLS'}"
        )
    return write_folder(prompt, folder, task_type, head or {})


def write_npy(prompt: SoftPrompt, path: str | Path) -> Path:
    """The numbers alone, float32[m, d], as ``google-research/prompt-tuning`` loads them."""
    target = suffixed(path, ".npy")
    try:
        with replacing(target) as partial:
            np.save(partial, prompt.tokens)
    except OSError as error:
        raise PromptError(f"cannot write {target}: {error.strerror}; choose another place") from error
    return target


def write_embeds(prompt: SoftPrompt, path: str | Path) -> Path:
    """One safetensors file with ``inputs_embeds`` float32[m, d]: rows to put before E(x) by hand.

    For programs that take embeddings and know no adapters.  Name, tasks, backbone and provenance ride in the header;
    the init does not.
    """
    from safetensors.numpy import save

    if prompt.layout != "input":
        raise PromptError(f"{prompt.name!r} is a prefix of keys and values and no inputs_embeds; use write_peft")
    target = suffixed(path, ".safetensors")
    try:
        with replacing(target) as partial:
            partial.write_bytes(save({"inputs_embeds": np.array(prompt.tokens)}, {"taskspace": own_json(prompt)}))
    except OSError as error:
        raise PromptError(f"cannot write {target}: {error.strerror}; choose another place") from error
    return target


def _found_in(path: Path) -> Found | SoftPrompt:
    if path.is_dir():
        if (path / CONFIG).exists():
            return read_peft(path)
        if not (path / "task_prompt").is_file():
            raise PromptError(f"{path} is a folder without {CONFIG} or task_prompt; give a prompt's folder or file")
        path = path / "task_prompt"
    form = form_of(path)
    if form == "torch":
        return read_torch(path)
    return read_npy(path) if form == "npy" else _one_table(path)


def _one_table(path: Path) -> Found | SoftPrompt:
    stored = open_tensors(path)
    if len(stored.tensors) != 1:
        raise PromptError(f"{path} holds {len(stored.tensors)} tensors; read them all with read_prompts")
    name, tokens = next(iter(stored.tensors.items()))
    if stored.header.get("kind") == "prompt vector":
        raise PromptError(f"{path} is a prompt vector; read it with PromptVector.load and apply it to an init")
    if stored.header.get("kind") == "soft prompt":
        return prompt_from(stored.header, tokens, path)
    named = name if name not in ("inputs_embeds", "prompt_embeddings") else path.stem
    return Found(tokens, "safetensors", named, (named,), stored.metadata.get("backbone", ""))


def _in_file(path: Path, backbone: BackboneId | str | None) -> Iterator[tuple[str, SoftPrompt]]:
    if form_of(path) != "safetensors":
        raise PromptError(f"{path} is not a safetensors file of many prompts; read it with read_prompt")
    stored = open_tensors(path)
    named = stored.metadata.get("backbone", "")
    for task, tokens in sorted(stored.tensors.items()):
        found = Found(tokens, "safetensors", task, (task,), named)
        yield task, prompt_of(found, path, backbone=backbone)


def _in_folder(path: Path, backbone: BackboneId | str | None) -> Iterator[tuple[str, SoftPrompt]]:
    for child in sorted(path.iterdir()):
        if not child.name.startswith(".") and is_prompt(child):  # else what a killed save left
            prompt = read_prompt(child, backbone=backbone)
            own = (child / OWN).is_file()
            yield unquote(child.name) if own else prompt.tasks[0] if len(prompt.tasks) == 1 else prompt.name, prompt


def _own(prompt: SoftPrompt, path: Path, said: dict[str, Any]) -> SoftPrompt:
    """Our own files know what they are: the caller may add to that, and name it anew, but not contradict."""
    if said["effective"] is not None or said["layout"] not in (None, prompt.layout):
        raise PromptError(
            f"{path} knows its {prompt.length} rows and its layout, {prompt.layout}; leave effective= and layout= out"
        )
    backbone, start, task = said["backbone"], said["init"], said["task"]
    if backbone is not None:
        width = prompt.width if prompt.layout == "input" else 0
        identity = backbone_said(backbone, width, prompt.backbone.kind if prompt.backbone else None)
        known = replace(prompt, backbone=identity)
        require_fit(prompt, known)
        prompt = replace(prompt, backbone=better_known(prompt.backbone, identity))
    if start is not None:
        prompt = replace(prompt, init=np.asarray(start))
    return prompt if task is None else replace(prompt, tasks=(task,), weights=None, name=task)


def suffixed(path: str | Path, suffix: str) -> Path:
    """The file that a table is written to: with the suffix, once."""
    path = Path(path)
    return path if path.suffix == suffix else path.with_name(path.name + suffix)
