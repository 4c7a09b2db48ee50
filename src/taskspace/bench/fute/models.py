"""Sources as models: what answers the pool, whatever it is made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace._extras import require
from taskspace._files import replacing
from taskspace.bench.transfer.weights import model_file, tuned_source
from taskspace.errors import DataError
from taskspace.labels import Answers
from taskspace.task import Task
from taskspace.tuning.fine_tuning import FineTuned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from taskspace.labelers._labeler import LabelerKind, Reads
    from taskspace.surrogates import Surrogate
    from taskspace.task import Inputs

    Predict = Callable[[Inputs], NDArray[np.float64]]

FAMILIES = ("logistic", "svm", "bayes")
"""Models without any pretrained part, all on TF-IDF of words and word pairs."""

_LEAST = {"svm": 2}
"""Rows that a class needs; those of a class with fewer are left out."""


@final
@dataclass(frozen=True, eq=False)
class SourceModel:
    """A labeler whose answers are class probabilities float64[n, classes]; ``fingerprint`` says by which model."""

    name: str
    reads: Reads
    fingerprint: str
    predict: Predict = field(repr=False)
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    kind: LabelerKind = "model"

    def answer(self, inputs: Inputs) -> Answers:
        values = self.predict(inputs)
        return Answers(values, np.ones(len(values), dtype=np.bool_))


def tuned_state(folder: Path, name: str) -> Mapping[str, NDArray[np.float32]]:
    """The weights of a source as ``taskspace bench transfer`` keeps them in ``folder``, the head's among them.

    Raises :class:`DataError` where there are none.
    """
    state = tuned_source(folder, name)
    if state is None:
        raise _absent(folder, name)
    return state


def tuned_model(surrogate: Surrogate, folder: Path, name: str, *, reads: Reads, kept: Path) -> SourceModel:
    """A source's tuned model; its answers to the pool are kept in the folder ``kept``, and read from there again."""
    path = model_file(folder, name)
    if not path.exists():
        raise _absent(folder, name)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(surrogate.fingerprint.encode())
    key = digest.hexdigest()

    def predict(inputs: Inputs) -> NDArray[np.float64]:
        tuned = FineTuned.of(surrogate, tuned_state(folder, name))
        return softmax(tuned.logits(Task(inputs.texts, None, inputs.pairs, name)))

    about = {"source": "fine-tuned surrogate", "of": surrogate.located.name}
    return SourceModel(f"{name} model", reads, key, keeping(kept, key, predict), about)


def keeping(folder: Path, key: str, predict: Predict) -> Predict:
    """The same answers from a file, where they were given before to the same texts."""

    def answered(inputs: Inputs) -> NDArray[np.float64]:
        asked = hashlib.sha256(key.encode() + b"".join(inputs.digests)).hexdigest()[:24]
        file = folder / f"{asked}.npy"
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            values = predict(inputs)
            with replacing(file) as partial:
                np.save(partial, values)
        return np.load(file)

    return answered


def bag_of_words(task: Task, family: str, *, name: str) -> SourceModel:
    """A model of ``family`` fitted on the rows of a task; of a pair it reads both texts as one.

    A margin is no probability: that of the support vector machine passes through a sigmoid fitted on margins of rows
    left out in folds.
    """
    labels: Any = task.stated_labels
    texts, codes = joined(task.inputs), labels.codes
    counts = np.bincount(codes[codes >= 0], minlength=len(task.label_names))
    known = [i for i, code in enumerate(codes.tolist()) if code >= 0 and counts[code] >= _LEAST.get(family, 1)]
    model = _pipeline(family, folds=min(3, int(counts[codes[known]].min(initial=3))))
    model.fit([texts[i] for i in known], codes[known])
    columns = [int(code) for code in model.classes_]

    def predict(inputs: Inputs) -> NDArray[np.float64]:
        values = np.zeros((len(inputs), len(task.label_names)))
        values[:, columns] = model.predict_proba(joined(inputs))
        return values

    reads: Reads = "pairs" if task.inputs.is_pair.any() else "texts"
    key = hashlib.sha256(f"{family} {task.fingerprint}".encode()).hexdigest()
    return SourceModel(name, reads, key, predict, {"source": family, "rows": len(task)})


def joined(inputs: Inputs) -> list[str]:
    """One text per row."""
    return [text if pair is None else f"{text} {pair}" for text, pair in zip(inputs.texts, inputs.pairs, strict=True)]


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64[n, classes], rows adding up to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _absent(folder: Path, name: str) -> DataError:
    return DataError(f"source {name!r} has no tuned model in {folder}; make it with 'taskspace bench transfer'")


def _pipeline(family: str, folds: int) -> Any:
    def part(module: str) -> Any:
        return require(f"sklearn.{module}", extra="sklearn", why="models of other families")

    words = part("feature_extraction.text").TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    if family == "logistic":
        model = part("linear_model").LogisticRegression(C=10, max_iter=1000)
    elif family == "bayes":
        model = part("naive_bayes").MultinomialNB(alpha=0.1)
    else:
        machine = part("svm").LinearSVC(random_state=0)
        model = part("calibration").CalibratedClassifierCV(machine, cv=folds, ensemble=False)
    return part("pipeline").make_pipeline(words, model)
