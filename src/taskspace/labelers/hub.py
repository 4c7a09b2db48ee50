"""Hub classifiers: any sequence-classification checkpoint of ``transformers``, or adapter on one, as a labeler."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import numpy as np

from taskspace.errors import LabelerError, SettingError, did_you_mean
from taskspace.labelers._adapter import Adapted, find_classifier
from taskspace.labelers._checkpoint import WHAT, guessed_reads, labels_of, max_length_of
from taskspace.labelers._classifier import Classifier
from taskspace.labelers._kept import KeptLabeler
from taskspace.labelers._labeler import LabelerKind, Reads, require_name, require_reads
from taskspace.labelers._weights import told_of
from taskspace.labelers.store import AnswerStore, Item, default_store
from taskspace.labels import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.labelers._adapter import Checkpoint
    from taskspace.task import Inputs

Output: TypeAlias = Literal["classes", "labels", "numbers"]
"""One class of several (softmax), any number of labels (a sigmoid each), or raw numbers."""

_DTYPES = ("float32", "bfloat16", "float16")

_PHRASING = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@final
@dataclass(frozen=True, eq=False)
class HubClassifier:
    """A checkpoint as an :class:`~taskspace.labelers._kept.Answerer`; made by :func:`from_hub`.

    Its items are lists, one number per label: probabilities, or raw outputs where it gives numbers; ``None``
    where the tokenizer left nothing of a text.
    """

    name: str
    located: Checkpoint
    reads: Reads
    reads_is_guessed: bool
    classifier: Classifier
    kind: LabelerKind = "model"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names from the config, in the order of the outputs."""
        return labels_of(self.located)

    @property
    def output(self) -> Output:
        problem = self.located.config.get("problem_type")
        if problem == "multi_label_classification":
            return "labels"
        return "numbers" if problem == "regression" or len(self.labels) == 1 else "classes"

    @property
    def key(self) -> str:
        """Files, length and precision."""
        files = [self.located.folder / name for name in _PHRASING]
        words = [hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for file in files]
        settings = [self.classifier.max_length, self.classifier.dtype]
        with told_of(WHAT):
            return _sha256("hub classifier", self.located.fingerprint, words, settings)

    @property
    def fingerprint(self) -> str:
        return _sha256(self.key, self.reads)

    @property
    def provenance(self) -> Mapping[str, Any]:
        base = {"base": self.located.base.name} if isinstance(self.located, Adapted) else {}
        return {
            "source": "hub", "model": self.located.name, "revision": self.located.revision, **base,
            "labels": list(self.labels), "output": self.output, "reads": self.reads,
            "reads_is_guessed": self.reads_is_guessed, "max_length": self.classifier.max_length,
            "dtype": self.classifier.dtype,
        }  # fmt: skip

    def batches(self, inputs: Inputs) -> Iterator[Mapping[int, Item]]:
        asked: set[int] = set()
        for rows, outputs in self.classifier.outputs(inputs):
            asked.update(rows)
            yield dict(zip(rows, self._items(outputs), strict=True))
        if len(asked) < len(inputs):
            yield {row: None for row in range(len(inputs)) if row not in asked}

    def answers(self, items: Sequence[Item]) -> Answers:
        known = np.array([item is not None for item in items], dtype=bool)
        nothing = [0.0] * len(self.labels)
        values = np.array([nothing if item is None else item for item in items], dtype=np.float64)
        return Answers(values, known, "classes" if self.output == "classes" else "numbers")

    def _items(self, outputs: NDArray[np.float64]) -> list[list[float]]:
        if outputs.shape[1] != len(self.labels):
            raise LabelerError(
                f"{self.located.name} gives {outputs.shape[1]} outputs, but its config names {len(self.labels)} labels;"
                " mend id2label in its config.json"
            )
        return [[_nine_digits(value) for value in row] for row in activated(outputs, self.output)]


def activated(outputs: NDArray[np.float64], output: Output) -> NDArray[np.float64]:
    """float64[rows, labels]: probabilities, or the raw outputs where these are numbers."""
    if output == "numbers":
        return outputs
    if output == "labels":
        return np.exp(-np.logaddexp(0.0, -outputs))
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def from_hub(
    name_or_folder: str | Path,
    *,
    revision: str | None = None,
    name: str | None = None,
    reads: Reads | None = None,
    device: str | None = None,
    max_length: int | None = None,
    batch_tokens: int = 4096,
    dtype: str = "float32",
    store: AnswerStore | None = None,
) -> KeptLabeler:
    """Make a labeler of a checkpoint for sequence classification: a Hub id, or a folder of ``save_pretrained``.

    It may be an adapter of peft (LoRA and others that are part of a model's layers, with the head that it was trained
    with): the base that its config names is loaded, and the adapter put on it.

    Its config says what the answers are.  One class of several gives probabilities (softmax);
    ``problem_type: multi_label_classification`` a probability per label (a sigmoid each, numbers side by
    side); ``problem_type: regression``, or a single label, the raw outputs as numbers.

    ``reads`` says whether it is given texts, pairs or both.  Left out, it is guessed: pairs if a label speaks of
    a relation (entailment, contradiction, duplicate, paraphrase, equivalent) or the checkpoint is a
    cross-encoder of sentence-transformers, else single texts.  The provenance says that it was guessed.

    ``max_length`` is in tokens (default: the model's own limit), and a batch holds at most ``batch_tokens``,
    padding included.  ``dtype`` is the precision computed in; bfloat16 halves the memory of a large model on a
    GPU.  Answers are kept in ``store`` (default: that of this user); the weights are loaded when a
    text is not in it.  It is called after the id or the folder unless ``name`` says otherwise.

    Raises :class:`LabelerError` when it cannot be found or is no classifier, :class:`SettingError` for settings
    that make no sense.
    """
    located = find_classifier(name_or_folder, revision=revision, what=WHAT)
    if dtype not in _DTYPES:
        raise SettingError(f"dtype {dtype!r} is not known{did_you_mean(dtype, _DTYPES)}")
    if batch_tokens < 1:
        raise SettingError(f"batch_tokens is {batch_tokens}; it must be at least 1")
    classifier = Classifier(located, max_length_of(located, max_length), batch_tokens, dtype, device)
    called = require_name(_called(located) if name is None else name)
    settled = guessed_reads(located) if reads is None else require_reads(reads)
    labeler = HubClassifier(called, located, settled, reads is None, classifier)
    return KeptLabeler(labeler, default_store() if store is None else store)


def _called(located: Checkpoint) -> str:
    """Of a folder its own name, of a Hub id all of it."""
    folder = located.adapter if isinstance(located, Adapted) else located.folder
    return folder.resolve().name if located.revision == "local" else located.name


def _nine_digits(value: float) -> float:
    """All that a float32 has; more would only fill the store."""
    return float(f"{value:.9g}")


def _sha256(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
