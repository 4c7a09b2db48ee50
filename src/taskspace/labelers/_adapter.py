"""An adapter folder of peft, on the checkpoint it was trained on, as one classifier."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from taskspace._extras import installed, require
from taskspace.errors import LabelerError, SettingError
from taskspace.labelers._weights import find
from taskspace.surrogates import Located, gist

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_HEADS = (
    ".classifier.out_proj.weight", ".classification_head.out_proj.weight", ".classifier.weight", ".score.weight",
    ".logits_proj.weight",
)  # fmt: skip
"""Last layers of the heads of ``transformers``, whose rows are the labels, from a dot on: not ``pre_classifier``."""

_PROMPTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT", "ADAPTION_PROMPT")
"""Types that add to what is read, and are no part of the model's layers."""

_WHERE = {"base_model_name_or_path", "revision", "inference_mode", "peft_version"}
"""Settings that say where and by what it was saved, and not what it computes."""


@dataclass(frozen=True)
class Adapted:
    """What :class:`Located` tells of a checkpoint, of an adapter in the folder ``adapter`` on its ``base``.

    Tokenizer and length are the base's; names of the labels are those of a ``config.json`` beside the adapter, else of
    the base where it has as many, else LABEL_0, LABEL_1 and so on.
    """

    name: str
    adapter: Path
    base: Located
    revision: str

    @property
    def folder(self) -> Path:
        """Where the weights beneath and the words are."""
        return self.base.folder

    @cached_property
    def config(self) -> dict[str, Any]:
        beside = self.adapter / "config.json"
        own = _json(beside) if beside.is_file() else {}
        told = {key: own[key] for key in ("id2label", "problem_type") if own.get(key)}
        names = told.get("id2label") or self.base.config.get("id2label") or {}
        if self.outputs is not None and len(names) != self.outputs:
            told["id2label"] = {str(code): f"LABEL_{code}" for code in range(self.outputs)}
        return {**self.base.config, **told}

    @cached_property
    def fingerprint(self) -> str:
        said = {key: value for key, value in _json(self.adapter / CONFIG).items() if key not in _WHERE}
        labels = [self.config.get("id2label"), self.config.get("problem_type")]
        with (self.adapter / WEIGHTS).open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(json.dumps([self.base.fingerprint, said, labels, weights]).encode()).hexdigest()

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all that the adapter holds, by the names of the file."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self.adapter / WEIGHTS), framework="numpy") as file:
                return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no mapping
        except (OSError, SafetensorError) as error:
            raise LabelerError(
                f"{WEIGHTS} in {self.adapter} is no readable safetensors file; save the adapter again"
            ) from error

    @property
    def outputs(self) -> int | None:
        """Labels of the head that came with the adapter; ``None`` where the base's own is used."""
        return next((shape[0] for key, shape in self.shapes.items() if key.endswith(_HEADS)), None)

    @property
    def loading(self) -> dict[str, Any]:
        """What ``from_pretrained`` is told besides, so that the base has a head of the size that the adapter brings."""
        return {} if self.outputs is None else {"num_labels": self.outputs, "ignore_mismatched_sizes": True}

    def lacks(self, absent: set[str]) -> set[str]:
        """Of the weights that the base has not, those that the adapter does not bring either."""
        return absent - {key.removeprefix(_PREFIX) for key in self.shapes}

    def put_on(self, module: Any) -> Any:
        """``module`` with the adapter in its layers.

        Raises :class:`LabelerError` unless every weight of the adapter finds its place, and every place its weight.
        """
        peft = require("peft", extra="peft", why=f"adapter {self.name!r}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what does not fit it tells by warnings; it is looked at below
            try:
                adapted = peft.PeftModel.from_pretrained(module, str(self.adapter))
            except Exception as error:  # foreign files fail in many ways
                raise LabelerError(
                    f"adapter {self.name} does not fit {self.base.name} ({gist(error)}); give it beside the model that"
                    " it was trained on, with this version of peft"
                ) from error
            placed = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
        odd = sorted((placed ^ self.shapes.keys()) - adapted.state_dict().keys())  # less what the base holds too
        if odd:
            raise LabelerError(
                f"adapter {self.name} does not fit {self.base.name}: {odd[0].removeprefix(_PREFIX)!r} is only in one of"
                " them; give the model that it was trained on"
            )
        return adapted.get_base_model()


Checkpoint: TypeAlias = Located | Adapted


def find_classifier(name: str | Path, *, revision: str | None, what: str) -> Checkpoint:
    """A checkpoint, or an adapter with the base that its config names: folders, or on the Hub.

    Raises :class:`LabelerError` when one of them cannot be found or has no safetensors weights.
    """
    folder = Path(name).expanduser()
    if str(name).strip() and (folder / CONFIG).is_file():
        return _adapted(str(name), folder, "local", what)
    try:
        found = find(name, revision=revision, what=what)
    except LabelerError:
        fetched = None if folder.is_dir() else _fetched(str(name), revision)
        if fetched is None:
            raise
        return _adapted(str(name), fetched, fetched.name, what)
    has = (found.folder / CONFIG).is_file()
    return _adapted(found.name, found.folder, found.revision, what) if has else found


def _adapted(name: str, folder: Path, revision: str, what: str) -> Adapted:
    said = _json(folder / CONFIG)
    task, kind, base = said.get("task_type"), str(said.get("peft_type")), said.get("base_model_name_or_path")
    if kind in _PROMPTS:
        raise LabelerError(f"adapter {name} is of type {kind}, which is no part of a model's layers; train LoRA")
    if task not in (None, "SEQ_CLS"):
        raise LabelerError(f"adapter {name} is for {task} and no classifier; give one that was trained for SEQ_CLS")
    if not isinstance(base, str) or not base:
        raise LabelerError(f"{CONFIG} of adapter {name} names no base; write it there as base_model_name_or_path")
    if not (folder / WEIGHTS).is_file():
        raise LabelerError(f"adapter {name} has no {WEIGHTS}; save it again as safetensors")
    if not installed("peft"):
        require("peft", extra="peft", why=f"adapter {name!r}")  # raises; where it is there, it is imported later
    try:
        under = find(base, revision=said.get("revision"), what=f"base of adapter {name}")
    except SettingError as error:
        raise LabelerError(f"the base of adapter {name} cannot be found ({error}); mend {CONFIG}") from error
    return Adapted(name, folder, under, revision)


def _fetched(name: str, revision: str | None) -> Path | None:
    """The folder of an adapter in the Hub's cache, or downloaded to it; ``None`` where there is none."""
    hub = require("huggingface_hub", extra="embed", why=f"adapter {name!r}")
    for cached_only in (True, False):
        try:
            path = hub.snapshot_download(
                name, revision=revision, allow_patterns=["*.json", WEIGHTS], local_files_only=cached_only
            )
        except (OSError, ValueError, hub.errors.HFValidationError, hub.errors.HfHubHTTPError):
            continue
        if all((Path(path) / part).is_file() for part in (CONFIG, WEIGHTS)):
            return Path(path)
    return None


def _json(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabelerError(f"{file} cannot be read ({error}); save the adapter again") from error
    if not isinstance(said, dict):
        raise LabelerError(f"{file} is no JSON object; save the adapter again")
    return cast("dict[str, Any]", said)
