"""What a file says of itself, and the prompt it becomes once the caller's word is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError
from taskspace.prompting.soft._names import named_backbone
from taskspace.prompting.soft._prompt import SoftPrompt
from taskspace.tuning.identity import BackboneId

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.prompting.soft._tables import Layout
    from taskspace.tuning.identity import BackboneKind

_STILL = 2e-3
"""Rows closer than this to a shrunken init row got no gradient: 100,000 decay steps in float32 round to 3e-4."""


@dataclass(frozen=True, eq=False)
class Found:
    """``tokens`` as stored; ``rows`` how many of them a model reads, None if the file does not say.

    ``width`` is that of the backbone, 0 if it cannot be told (prefix tables).
    """

    tokens: NDArray[np.float32]
    format: str
    name: str
    tasks: tuple[str, ...] = ()
    backbone: str = ""
    kind: BackboneKind | None = None
    width: int = 0
    layout: Layout = "input"
    rows: int | None = None
    init: NDArray[np.float32] | None = None


def prompt_of(
    found: Found,
    path: Path,
    *,
    backbone: BackboneId | str | None = None,
    init: SoftPrompt | NDArray[np.float32] | None = None,
    task: str | None = None,
    effective: int | None = None,
    layout: Layout | None = None,
) -> SoftPrompt:
    """The caller's word goes before the file's; rows that no model reads are dropped and counted."""
    stored = found.tokens.shape[0]
    start = found.init if init is None else np.asarray(init)
    rows = _rows(found, path, effective, start)
    imported = {"format": found.format, "file": path.name, "stored_rows": stored, "dropped_rows": stored - rows}
    if found.backbone:
        imported["backbone"] = found.backbone
    layout = layout or found.layout
    return SoftPrompt(
        found.tokens[:rows],
        _backbone(found, backbone, layout),
        task or found.name,
        None if start is None else start[:rows],
        found.tasks if task is None else (task,),
        {"imported": imported},
        layout,
    )


def untrained_half(tokens: NDArray[np.float32], init: NDArray[np.float32]) -> bool:
    """Whether the rows of the second half, and not those of the first, only shrank since the init.

    peft stores 2 m rows for encoder-decoders and reads m: the others get no gradient, and weight decay multiplies all
    of them by one factor of at most 1.
    """
    half, odd = divmod(tokens.shape[0], 2)
    if odd or tokens.shape != init.shape:
        return False
    return _only_shrank(tokens[half:], init[half:]) and not _only_shrank(tokens[:half], init[:half])


def _only_shrank(tokens: NDArray[np.float32], init: NDArray[np.float32]) -> bool:
    now, then = tokens.astype(np.float64), init.astype(np.float64)
    factor = float((now * then).sum() / ((then * then).sum() or 1.0))
    left = float(np.linalg.norm(now - factor * then))
    return 0 < factor <= 1 + _STILL and left <= _STILL * float(np.linalg.norm(then))


def _rows(found: Found, path: Path, effective: int | None, init: NDArray[np.float32] | None) -> int:
    stored = found.tokens.shape[0]
    if effective is not None:
        if not 0 < effective <= stored:
            raise PromptError(f"{path} stores {stored} rows, so effective={effective} cannot be; give 1 to {stored}")
        return effective
    if found.rows is None and init is not None and untrained_half(found.tokens, init):
        return stored // 2
    return found.rows or stored


def _backbone(found: Found, said: BackboneId | str | None, layout: Layout) -> BackboneId | None:
    width = found.tokens.shape[1] if layout == "input" else found.width
    if said:
        return backbone_said(said, width, found.kind if said == found.backbone else None)
    return named_backbone(found.backbone, width, found.kind)


def backbone_said(said: BackboneId | str, width: int, kind: BackboneKind | None = None) -> BackboneId:
    """The backbone that the caller names; :class:`PromptError` if its kind cannot be told from the name."""
    backbone = said if isinstance(said, BackboneId) else named_backbone(said, width, kind)
    if backbone is None:
        raise PromptError(
            f"the kind of backbone {said!r} (encoder, encoder-decoder or decoder) cannot be told from its name; say"
            " it with --backbone-kind, or give a BackboneId"
        )
    return backbone
