"""Rows of text as something to fit on, for a model that lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskspace._extras import require
from taskspace.errors import SettingError
from taskspace.labels import Classes, Targets
from taskspace.merging.fitting._objective import Objective, objective
from taskspace.surrogates import gist, load_tokenizer, quiet
from taskspace.task import Pool, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Rows: TypeAlias = Task | Pool

_WHY = "fitting on rows of text"
_HEADS = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
}
"""The end of an architecture's name, and what loads it."""
_UNSEEN = -100
"""A label that counts for nothing in a model's own loss."""


def rows_objective(folder: str | Path, rows: Rows, *, batch: int = 16, max_length: int = 256) -> Objective:
    """What the model in ``folder`` is to do well on ``rows``, as :func:`fit` takes it.

    A classifier or an encoder-decoder; its head is the folder's, unless the vectors change it.  Labelled rows go by
    cross-entropy, class names meeting the model's own (by order, where it has but numbers); rows without labels by
    the entropy of a classifier's answers.  Texts are cut at ``max_length`` tokens and read ``batch`` at a time.

    Raises :class:`SettingError` for another kind of model, and labels that it cannot answer.
    """
    if batch < 1 or max_length < 2:
        raise SettingError(f"batch is {batch} and max_length {max_length}; give at least 1 and 2")
    model, tokenizer = _loaded(Path(folder))
    if isinstance(rows, Pool) or rows.labels is None:
        if _writes(model):
            raise SettingError("rows without labels go by a classifier's entropy, and this model writes; give labels")
        return objective(model, [_tensors(tokenizer, rows, p, max_length) for p in _parts(rows, batch)], "entropy")
    known = _labelled(rows)
    labels = _labels(model, tokenizer, known)
    parts = _parts(known, batch)
    return objective(model, [{**_tensors(tokenizer, known, p, max_length), "labels": labels[p]} for p in parts], "own")


def _loaded(folder: Path) -> tuple[Any, Any]:
    """The model with its head, and its tokenizer."""
    transformers = require("transformers", extra="embed", why=_WHY)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        named = str((config.architectures or ["unknown"])[0])
        known = next((auto for end, auto in _HEADS.items() if named.endswith(end)), None)
        if known is None:
            raise SettingError(f"{folder} holds a {named}; give a classifier or an encoder-decoder with its head")
        with quiet(transformers):
            model = getattr(transformers, known).from_pretrained(folder, use_safetensors=True, dtype="float32")
        return model, load_tokenizer(transformers, folder)
    except SettingError:
        raise
    except Exception as error:  # foreign files fail in many ways
        raise SettingError(f"{folder} cannot be loaded ({gist(error)}); give the folder of a saved model") from error


def _writes(model: Any) -> bool:
    return bool(model.config.is_encoder_decoder) and not hasattr(model, "classification_head")


def _parts(rows: Rows, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _labelled(rows: Task) -> Task:
    """Without the rows whose label is missing."""
    labels = rows.stated_labels
    if isinstance(labels, Classes):
        return rows.take(np.flatnonzero(labels.codes >= 0))
    if isinstance(labels, Targets):
        return rows.take([row for row, text in enumerate(labels.texts) if text is not None])
    raise SettingError(f"{rows.name!r} is labelled with numbers; give classes, or texts to write")


def _tensors(tokenizer: Any, rows: Rows, part: slice, max_length: int) -> dict[str, Any]:
    texts = list(rows.inputs.texts[part])
    seconds = rows.inputs.pairs[part]
    pairs = [second or "" for second in seconds] if any(second is not None for second in seconds) else None
    return dict(tokenizer(texts, pairs, truncation=True, max_length=max_length, padding=True, return_tensors="pt"))


def _labels(model: Any, tokenizer: Any, rows: Task) -> Any:
    """int64[n] class codes, or int64[n, m] tokens of what is to be written."""
    torch = require("torch", extra="embed", why=_WHY)
    labels = rows.stated_labels
    if not _writes(model):
        if not isinstance(labels, Classes):
            raise SettingError(f"{rows.name!r} has texts to write, and the model is a classifier; give classes")
        own = _own_codes(labels.names, model.config.label2id, int(model.config.num_labels))
        return torch.tensor([own[code] for code in labels.codes])
    words = [labels.names[c] for c in labels.codes] if isinstance(labels, Classes) else [*_written(labels)]
    told = tokenizer(text_target=words, padding=True, return_tensors="pt")
    return told["input_ids"].masked_fill(told["attention_mask"] == 0, _UNSEEN)


def _written(labels: Any) -> Iterator[str]:
    return (text for text in labels.texts if text is not None)


def _own_codes(names: Sequence[str], known: Mapping[str, int], count: int) -> list[int]:
    """The model's code of each class."""
    if all(name in known for name in names):
        return [known[name] for name in names]
    if len(names) == count and all(name.startswith("LABEL_") for name in known):
        return list(range(count))
    raise SettingError(
        f"the rows have the classes {', '.join(names)} and the model {', '.join(known)}; name them alike, or give a"
        " head of as many classes"
    )
