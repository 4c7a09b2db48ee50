"""What the files of a sequence-classification checkpoint say of it, before anything is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from taskspace.errors import LabelerError, SettingError
from taskspace.labelers._weights import told_of

if TYPE_CHECKING:
    from taskspace.labelers._adapter import Checkpoint
    from taskspace.labelers._labeler import Reads

WHAT = "classifier"

_RELATION = re.compile(r"entail|contradict|duplicat|paraphras|equivalen", re.IGNORECASE)
_CROSS_ENCODER = ("sentence_transformers", "sbert_ce_default_activation_function")
"""Keys that sentence-transformers leaves in the config of what it trains on pairs."""

_COUNT_FROM_PADDING = frozenset(
    {
        "camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "mpnet", "roberta",
        "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip
"""Families whose positions start after the padding token's number: some places of their table are not for text."""

_UNSAID = 512
_ABSURD = 10**9
"""A tokenizer that knows of no limit says 1e30."""


def labels_of(located: Checkpoint) -> tuple[str, ...]:
    """``id2label`` in order; where it is left out there are two, as ``transformers`` has it."""
    config = _config(located)
    names = config.get("id2label")
    if isinstance(names, Mapping) and names:
        named = cast("Mapping[str, Any]", names)
        try:
            return tuple(str(named[key]) for key in sorted(named, key=int))
        except ValueError as error:
            raise LabelerError(
                f"id2label in the config of {located.name} has keys that are no numbers; mend it"
            ) from error
    count = config.get("num_labels", 2)
    return tuple(f"LABEL_{code}" for code in range(count if isinstance(count, int) else 2))


def guessed_reads(located: Checkpoint) -> Reads:
    related = any(_RELATION.search(label) for label in labels_of(located))
    return "pairs" if related or any(key in located.config for key in _CROSS_ENCODER) else "texts"


def max_length_of(located: Checkpoint, asked: int | None) -> int:
    """In tokens: what was asked for if there are places for it, else what tokenizer and config allow."""
    places = _places(located)
    if asked is not None:
        if asked < 1 or (places is not None and asked > places):
            most = "" if places is None else f" and at most {places}"
            raise SettingError(f"max_length={asked} does not fit {located.name}; give at least 1{most}")
        return asked
    limits = [limit for limit in (places, _tokenizer_limit(located)) if limit is not None]
    return min(limits, default=_UNSAID)


def _places(located: Checkpoint) -> int | None:
    """How many tokens the position table is for; ``None`` where positions have no end, as in T5 or XLNet."""
    config = _config(located)
    names = ("max_position_embeddings", "n_positions")
    if config.get("model_type") in ("t5", "mt5", "umt5", "xlnet", "funnel"):  # relative: numbers there mean nothing
        return None
    found = next((config[name] for name in names if isinstance(config.get(name), int)), None)
    if found is None or found < 1:
        return None
    if config.get("model_type") in _COUNT_FROM_PADDING:
        padding = config.get("pad_token_id")
        found -= max(padding if isinstance(padding, int) else 1, 1) + 1
    return int(found)


def _tokenizer_limit(located: Checkpoint) -> int | None:
    try:
        said = json.loads((located.folder / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return int(said) if isinstance(said, int | float) and 0 < said < _ABSURD else None


def _config(located: Checkpoint) -> dict[str, Any]:
    """With the settings of the text part, where the model has several, at the top."""
    with told_of(WHAT):
        config = located.config
    inner = config.get("text_config")
    return {**cast("dict[str, Any]", inner), **config} if isinstance(inner, dict) else config
