"""What the names of files, folders and models say about the backbone of a published prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from taskspace.errors import PromptError
from taskspace.prompting.soft._tables import short_name
from taskspace.tuning.identity import BackboneId

if TYPE_CHECKING:
    from taskspace.tuning.identity import BackboneKind

_FAMILIES: tuple[tuple[str, BackboneKind], ...] = (
    ("t5|ul2|bart|pegasus|marian", "encoder-decoder"),
    ("bert|electra|xlm-r|minilm|mpnet|ernie", "encoder"),
    ("gpt|llama|deepseek|mistral|mixtral|qwen|gemma|phi-|opt-|pythia|bloom|falcon|olmo|smollm", "decoder"),
)
"""First that is found in the name wins, so that bart comes before bert and bert before gpt."""

_TAGS: dict[str, tuple[str, int]] = {
    "Bert": ("bert-base-uncased", 768), "BertLarge": ("bert-large-uncased", 1024),
    "Roberta": ("roberta-base", 768), "RobertaLarge": ("roberta-large", 1024),
    "T5": ("t5-base", 768), "T5Small": ("t5-small", 512), "T5Large": ("t5-large", 1024),
}  # fmt: skip
"""Folder tags of thunlp/Prompt-Transferability, from its model code; T5XXL is not said exactly there."""

_LM_ADAPTED = re.compile(r"t5_1_1_lm100k_(small|base|large|xl|xxl)")


def named_backbone(name: str, width: int, kind: BackboneKind | None = None) -> BackboneId | None:
    """A backbone of which only the name is known; None when not even its kind can be told from that."""
    kind = kind or kind_of(name)
    return BackboneId(name, "", kind, width, 0) if name and kind else None


def kind_of(name: str) -> BackboneKind | None:
    """Encoder, encoder-decoder or decoder, by the family that a model's name carries."""
    short = short_name(name)
    return next((kind for pattern, kind in _FAMILIES if re.search(pattern, short)), None)


def thunlp_names(folder: str, width: int) -> tuple[str, str]:
    """Task and backbone of ``<task>Prompt<tag>``; "" for a backbone that the tag does not tell.

    :class:`PromptError` if the tag names one of another width.
    """
    match = re.fullmatch(r"(.+)Prompt([A-Za-z0-9]+)", folder)
    if match is None:
        return folder, ""
    name, expected = _TAGS.get(match[2], ("", width))
    if expected != width:
        raise PromptError(
            f"folder {folder} says {name}, {expected} wide, and its prompt is {width} wide; say which with backbone="
        )
    return match[1], name


def google_name(folder: str) -> str:
    """``t5_1_1_lm100k_base`` of google-research/prompt-tuning is the Hub's google/t5-base-lm-adapt."""
    match = _LM_ADAPTED.fullmatch(folder)
    return f"google/t5-{match[1]}-lm-adapt" if match else ""


def tpv_names(folder: str, stem: str) -> tuple[str, str]:
    """Task and backbone of ``origin_0_t5-base/mnli_text.bin`` (Task Prompt Vectors); "" where not said."""
    match = re.fullmatch(r"origin_\d+_(.+)", folder)
    backbone = match[1] if match and kind_of(match[1]) else ""
    task = "" if stem == folder else re.sub(r"_text(_instruct)?$", "", stem)
    return task, backbone


def attempt_task(folder: str, stem: str) -> str:
    """Task of ATTEMPT's ``mnli.pt``, ``prefix_embeddings_mnli.pt`` or ``mnli/prefix_embeddings.pt``."""
    stem = re.sub(r"^prefix_embeddings_?|_?prefix_embeddings(?=$|_)", "", stem)
    return stem or folder
