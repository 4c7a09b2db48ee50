"""A linear support vector machine on TF-IDF as a labeler: scikit-learn.

TRAIN=reviews.jsonl taskspace embed --labeler python:examples/svm.py:answer --name reviews-svm
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from taskspace import Task
from taskspace.data import sample_tasks

if TYPE_CHECKING:
    import numpy as np

TASK = Task.from_file(os.environ["TRAIN"]) if "TRAIN" in os.environ else sample_tasks()[0]


def train(task: Task) -> Pipeline:
    """Fit on the task's labelled rows, at least five of each class.

    A margin is no probability: a sigmoid, fitted on margins of rows left out in five folds, makes it one.
    """
    svm = CalibratedClassifierCV(LinearSVC(random_state=0), ensemble=False)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), svm)
    rows = [(text, code) for text, code in zip(task.texts, task.labels.codes, strict=True) if code >= 0]
    return model.fit([text for text, _ in rows], [task.label_names[code] for _, code in rows])


@cache
def trained() -> Pipeline:
    """The pipeline, fitted when the first texts come."""
    return train(TASK)


def answer(texts: list[str]) -> np.ndarray:
    """What ``python:examples/svm.py:answer`` names: probabilities float64[n, classes]."""
    return trained().predict_proba(texts)


answer.version = f"1 {TASK.fingerprint}"  # other rows make another model; raise the 1 when you change the pipeline
