"""The state of a training under way, in one file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

    from taskspace.tuning.parts._part import Tensor
    from taskspace.tuning.training import Job, Training

_FILE = "training.safetensors"


def save(folder: Path, run: Training) -> None:
    """Everything that decides the steps to come, beside what made the run."""
    files = require("safetensors.torch", extra="embed", why="keeping a training's state")
    folder.mkdir(parents=True, exist_ok=True)
    known = {"step": run.step, "records": [asdict(record) for record in run.records], "of": _identity(run)}
    state = files.save(_tensors(run), metadata={"taskspace": json.dumps(known)})
    with replacing(folder / _FILE) as partial:
        partial.write_bytes(state)  # its own writing tells of a full disk by a private error


def resume(folder: Path, run: Training) -> None:
    """Go on where the folder's run stopped; raises :class:`SettingError` if that was another run."""
    from taskspace.tuning.training import Record

    path = folder / _FILE
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is no folder, so no training can be kept there; give another one")
    if not path.exists():
        return
    safetensors = require("safetensors", extra="embed", why="keeping a training's state")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            known = json.loads(file.metadata()["taskspace"])
            made_by, step = dict(known["of"]), int(known["step"])
            records = [Record(**_untupled(record)) for record in known["records"]]
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise SettingError(f"{path} holds no state of a training ({error}); delete it to start anew") from error
    _require_same(path, made_by, _identity(run))
    for name, tensor in _tensors(run).items():
        tensor.data.copy_(stored[name])
    run.step = step
    run.records[:] = records


def _tensors(run: Training) -> dict[str, Tensor]:
    """Every tensor of the run by a name of its own; they share memory with it."""
    named = {"value": {**run.bank.parameters, **run.bank.shared}, "best": run.best}
    for group, optimiser in (("rows", run.rows), ("common", run.common)):
        named |= {f"{group}.first": optimiser.first, f"{group}.second": optimiser.second}
        named[f"{group}.steps"] = {"": optimiser.steps}
    return {f"{kind}/{name}": tensor.detach() for kind, tensors in named.items() for name, tensor in tensors.items()}


def _identity(run: Training) -> dict[str, Any]:
    """What must be equal for the numbers to come out the same, as JSON gives it back."""
    bank = run.bank
    said = {
        "backbone": bank.backbone.identity.to_dict(),
        "precision": sorted({str(tensor.dtype) for tensor in bank.backbone.module.parameters()}),
        "part": type(bank.tuned.part).__name__,
        "start": run.start,
        "settings": dict(bank.tuned.part.settings),
        "guide": [type(bank.guide).__name__, dict(getattr(bank.guide, "settings", {}))],
        "recipe": run.recipe.to_dict(),
        "jobs": [_digest(job) for job in run.jobs],
    }
    return json.loads(json.dumps(said))


def _require_same(path: Path, stored: dict[str, Any], mine: dict[str, Any]) -> None:
    for what, value in mine.items():
        if stored.get(what) != value:
            raise SettingError(
                f"{path} belongs to a training with another {what.removesuffix('s')}; give another folder, or delete it"
            )


def _digest(job: Job) -> str:
    hasher = hashlib.sha256(repr((job.seed, job.batch)).encode())
    for what, sets in zip(("train", "validation"), job.sets, strict=True):
        for examples in sets:
            hasher.update(what.encode() + b"".join(examples.inputs.digests))
            hasher.update(examples.values.tobytes())
            hasher.update(json.dumps([examples.answers, examples.targets]).encode())
    return hasher.hexdigest()


def _untupled(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    pairs = {name: [tuple(pair) for pair in record[name]] for name in ("training", "validation")}
    return record | pairs
