"""What ``adapter_config.json`` says of how factors become weights, as peft 0.21 understands it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskspace.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_BY_TOKEN = {"alora_invocation_tokens": "aLoRA", "arrow_config": "Arrow"}
"""Settings that make an adapter act on some tokens and not on others: no difference of weights does that."""

_OTHERWISE = {
    "kasa_config": "KaSA", "monteclora_config": "MonteCLoRA", "use_bdlora": "BD-LoRA", "use_qalora": "QALoRA",
    "velora_config": "VeLoRA", "layer_replication": "replicated layers", "target_parameters": "target_parameters",
    "trainable_token_indices": "trained tokens",
}  # fmt: skip
"""Settings under which a weight is not changed by B A alone, or not the weight that bears the module's name."""

_SHIFTED = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Beginnings that took B A out of the base first, so that the factors are no difference to the base as it was."""

MERGE = "merge it into its model with peft's merge_and_unload, and take TaskVector.diff of that"


@dataclass(frozen=True)
class Settings:
    """Rank and alpha of an adapter and of the modules that have their own."""

    folder: Path
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    stabilised: bool
    fan_in_fan_out: bool
    base: str | None

    def scaling(self, module: str, rank: int) -> float:
        """``alpha / r`` (LoRA, section 4.1), or ``alpha / sqrt(r)`` (rsLoRA, arXiv 2312.03732).

        Raises :class:`WeightsError` where the module's factors have another rank than is said here.
        """
        said = int(_of(self.ranks, module, self.rank))
        if said != rank:
            raise WeightsError(
                f"{module!r} has factors of rank {rank} where {CONFIG} of {self.folder} says {said}; save the adapter"
                " again, since peft would not load it either"
            )
        return float(_of(self.alphas, module, self.alpha)) / (math.sqrt(rank) if self.stabilised else rank)


def read_settings(folder: Path) -> Settings:
    """Raises :class:`WeightsError` for a folder that is no adapter, and for one that is more than plain factors."""
    said = _json(folder)
    kind = str(said.get("peft_type"))
    if kind != "LORA":
        raise WeightsError(f"{folder} is an adapter of type {kind}, and only LORA is read; {MERGE}")
    for setting, method in _BY_TOKEN.items():
        if said.get(setting):
            raise WeightsError(
                f"{folder} is an adapter with {method}, which acts on some tokens only and is no difference of weights;"
                " train it as plain LoRA"
            )
    for setting, method in _OTHERWISE.items():
        if said.get(setting):
            raise WeightsError(f"{folder} is an adapter with {method}, whose factors alone do not say it; {MERGE}")
    began = str(said.get("init_lora_weights"))
    if began.startswith(_SHIFTED):
        raise WeightsError(
            f"{folder} began with init_lora_weights={began!r}, which changed the base; save it again with"
            " path_initial_model_for_weight_conversion, which makes it plain LoRA"
        )
    return _settings(folder, said)


def _json(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise WeightsError(f"there is no adapter folder at {folder}; check the path")
    if not (folder / CONFIG).is_file():
        raise WeightsError(f"{folder} has no {CONFIG}; give the folder that peft's save_pretrained wrote")
    try:
        said = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder / CONFIG} cannot be read ({error}); save the adapter again") from error
    if not isinstance(said, dict):
        raise WeightsError(f"{folder / CONFIG} is no JSON object; save the adapter again")
    return said


def _settings(folder: Path, said: Mapping[str, Any]) -> Settings:
    try:
        ranks, alphas = dict(said.get("rank_pattern") or {}), dict(said.get("alpha_pattern") or {})
        for pattern in (*ranks, *alphas):
            re.compile(pattern)
        base = said.get("base_model_name_or_path")
        return Settings(
            folder, int(said["r"]), float(said["lora_alpha"]), ranks, alphas, bool(said.get("use_rslora")),
            bool(said.get("fan_in_fan_out")), base_name(str(base)) if base else None,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise WeightsError(f"{folder / CONFIG} is damaged ({error!r}); save the adapter again") from error


def base_name(base: str | Path) -> str:
    """A Hub name as it stands or as its cache has it, and of a folder its own, like a checkpoint read from there."""
    path = Path(base)
    if path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--"):
        return path.parent.parent.name.removeprefix("models--").replace("--", "/")
    return path.name if path.is_absolute() or path.is_dir() else str(base)


def _of(patterns: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """The first pattern that matches the end of a module's path from a dot on, as in peft's ``get_pattern_key``."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return otherwise
