"""PEFT adapter folders of prompt and prefix tuning, as peft 0.21.2 writes and reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.soft._found import Found
from taskspace.prompting.soft._names import kind_of
from taskspace.prompting.soft._stored import open_tensors
from taskspace.tuning._torch_files import read_tensors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from taskspace.prompting.soft._prompt import SoftPrompt
    from taskspace.tuning.identity import BackboneKind

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
OLD_WEIGHTS = "adapter_model.bin"
KEY = "prompt_embeddings"

_READ = {"PROMPT_TUNING": "input", "P_TUNING": "input", "PREFIX_TUNING": "prefix"}
"""What is stored under the key is the prompt itself: peft runs the network of P_TUNING before it saves."""

_TASKS: dict[BackboneKind, tuple[str, ...]] = {
    "encoder": ("FEATURE_EXTRACTION", "SEQ_CLS"),
    "encoder-decoder": ("SEQ_2_SEQ_LM",),
    "decoder": ("CAUSAL_LM", "FEATURE_EXTRACTION", "SEQ_CLS"),
}
"""What peft may do with a prompt on each kind of backbone; the first unless the caller says another."""

_KINDS: dict[str, BackboneKind] = {"SEQ_2_SEQ_LM": "encoder-decoder", "CAUSAL_LM": "decoder"}


def peft_task(prompt: SoftPrompt, task_type: str | None) -> str:
    """The ``task_type`` to write; :class:`SettingError` if the backbone cannot do it, or is unknown and none is said.

    Without one peft would load the prompt and never put it in front of a text.
    """
    known = sorted({task for tasks in _TASKS.values() for task in tasks})
    possible = _TASKS[prompt.backbone.kind] if prompt.backbone else tuple(known)
    if task_type is None and prompt.backbone is None:
        raise SettingError(f"prompt {prompt.name!r} has no known backbone; give task_type, one of {', '.join(known)}")
    if task_type is not None and task_type not in possible:
        raise SettingError(f"task_type {task_type!r} does not fit this prompt; say one of {', '.join(possible)}")
    return task_type or possible[0]


def fitting_task(prompt: SoftPrompt) -> str | None:
    """The ``task_type`` of a folder that is saved for ourselves; None where peft could not use the prompt."""
    backbone = prompt.backbone
    if backbone is None or (prompt.layout == "prefix" and backbone.kind == "encoder-decoder"):
        return None
    return _TASKS[backbone.kind][0]


def peft_config(prompt: SoftPrompt, task_type: str | None) -> dict[str, Any]:
    """``adapter_config.json``.

    One transformer submodule, also on encoder-decoders: peft's own default of two stores as many rows again that
    nothing reads.  Layers and heads stay open: peft takes them from the model.
    """
    backbone = prompt.backbone
    config: dict[str, Any] = {
        "auto_mapping": None, "base_model_name_or_path": backbone.name if backbone else None, "inference_mode": True,
        "modules_to_save": None, "num_attention_heads": None, "num_layers": None, "num_transformer_submodules": 1,
        "num_virtual_tokens": prompt.length, "peft_version": "0.21.2", "task_type": task_type,
        "revision": (backbone.revision if backbone else None) or None,
    }  # fmt: skip
    if prompt.layout == "prefix":
        own = {"peft_type": "PREFIX_TUNING", "prefix_projection": False, "encoder_hidden_size": None}
        return config | own | {"init_weights": None, "token_dim": None}
    own = {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "RANDOM", "prompt_tuning_init_text": None}
    return config | own | {"tokenizer_kwargs": None, "tokenizer_name_or_path": None, "token_dim": prompt.width}


def read_peft(folder: Path) -> Found:
    """A prompt or prefix from an adapter folder, with the number of rows that peft would read of it."""
    config = read_config(folder)
    peft_type = str(config.get("peft_type") or "").removeprefix("PeftType.")
    if peft_type not in _READ:
        raise PromptError(
            f"{folder} holds a {peft_type or 'nameless'} adapter, not a soft prompt; give a folder of "
            f"{', '.join(sorted(_READ))}"
        )
    tokens = _weights(folder)
    base = str(config.get("base_model_name_or_path") or "")
    kind = _KINDS.get(str(config.get("task_type"))) or (kind_of(base) or "encoder" if base else None)
    width = config.get("token_dim")
    return Found(
        tokens, "peft", folder.name, (), base, kind, width if isinstance(width, int) else 0,
        "prefix" if _READ[peft_type] == "prefix" else "input", rows_read(config, tokens.shape[0], str(folder)),
    )  # fmt: skip


def rows_read(config: dict[str, Any], stored: int, where: str) -> int:
    """How many of the stored rows peft puts before the text: ``num_virtual_tokens``.

    On encoder-decoders it stores twice as many unless told ``num_transformer_submodules=1``, and slices.
    """
    tokens = config.get("num_virtual_tokens")
    copies = 2 if config.get("task_type") == "SEQ_2_SEQ_LM" else 1
    if not isinstance(tokens, int) or tokens < 1 or stored not in (tokens, tokens * copies):
        raise PromptError(
            f"{where} stores {stored} rows where its {CONFIG} says {tokens!r} tokens; fetch or save the folder again"
        )
    return tokens


def read_config(folder: Path) -> dict[str, Any]:
    """``adapter_config.json`` as it stands."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PromptError(f"{folder} has no {CONFIG}, so it is no adapter; check the path") from error
    except OSError as error:
        raise PromptError(f"cannot read {folder / CONFIG}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise PromptError(f"{folder / CONFIG} is damaged ({error}); fetch or save the folder again") from error
    if not isinstance(config, dict):
        raise PromptError(f"{folder / CONFIG} is not a JSON object; fetch or save the folder again")
    return config


def _weights(folder: Path) -> NDArray[np.float32]:
    name = OLD_WEIGHTS if (folder / OLD_WEIGHTS).is_file() and not (folder / WEIGHTS).exists() else WEIGHTS
    tensors = open_tensors(folder / name).tensors if name == WEIGHTS else read_tensors(folder / name)
    if KEY not in tensors or tensors[KEY].ndim != 2:
        raise PromptError(
            f"{folder / name} has no table {KEY!r} but {sorted(tensors)[:3]}; fetch or save the folder again"
        )
    return tensors[KEY]
