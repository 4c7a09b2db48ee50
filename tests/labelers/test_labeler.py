"""The seam: what `ask` does, and one suite that every kind of labeler passes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from taskspace.errors import LabelerError
from taskspace.labelers import Labeler, ask, from_callable, from_predictions, from_sklearn
from taskspace.labels import Answers
from taskspace.task import Pool


class Own:
    """A labeler as a user may write one."""

    name = "own"
    fingerprint = "0" * 64
    kind = "model"
    provenance: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, reads="texts", answer=None):
        self.reads = reads
        self.given = answer

    def answer(self, inputs):
        if callable(self.given):
            return self.given(inputs)
        values = np.tile([0.25, 0.75], (len(inputs), 1))
        return Answers(values, np.ones(len(inputs), dtype=bool))


def labeler_of(kind, fitted):
    return {
        "own": lambda: Own("both"),
        "callable": lambda: from_callable(lambda rows: [len(r[0]) % 2 for r in rows], name="c", reads="both"),
        "sklearn": lambda: from_sklearn(fitted(LogisticRegression()), name="s"),
        "predictions": lambda: from_predictions([i % 3 for i in range(10)], name="p"),
    }[kind]()


@pytest.mark.parametrize("kind", ["own", "callable", "sklearn", "predictions"])
def test_every_labeler_keeps_the_contract(kind, fitted, pool):
    labeler = labeler_of(kind, fitted)
    assert isinstance(labeler, Labeler)
    assert labeler.name
    assert labeler.kind == "model"
    assert labeler.reads in ("texts", "pairs", "both")
    assert len(labeler.fingerprint) == 64
    json.dumps(dict(labeler.provenance))
    inputs, answers = ask(labeler, pool)
    assert len(inputs) == len(answers) == answers.values.shape[0]
    assert answers.values.dtype == np.float64
    np.testing.assert_allclose(answers.values[answers.known].sum(axis=1), 1)
    again = ask(labeler, pool)[1]
    np.testing.assert_array_equal(again.values, answers.values)
    assert labeler_of(kind, fitted).fingerprint == labeler.fingerprint


@pytest.mark.parametrize(("reads", "rows"), [("texts", 6), ("pairs", 4), ("both", 10)])
def test_the_part_that_is_read_keeps_pool_order(pool, reads, rows):
    inputs, answers = ask(Own(reads), pool)
    kept = [
        row
        for row in zip(pool.texts, pool.text_pairs, strict=True)
        if reads in ("both", "pairs" if row[1] else "texts")
    ]
    assert list(zip(inputs.texts, inputs.pairs, strict=True)) == kept
    assert len(inputs) == len(answers) == rows


def test_a_pool_without_such_rows():
    with pytest.raises(
        LabelerError, match="^labeler 'own' reads text pairs, but the pool's 2 rows hold none; add some"
    ):
        ask(Own("pairs"), Pool(["a", "b"]))
    with pytest.raises(LabelerError, match="^labeler 'own' reads single texts, but the pool's 2 rows hold none"):
        ask(Own("texts"), Pool(["a", "b"], ["c", "d"]))
    assert len(ask(Own("both"), Pool(["a", "b"]))[0]) == 2


def test_own_labelers_may_return_anything_a_function_may(single_pool):
    _, answers = ask(Own(answer=lambda inputs: ["film" in t for t in inputs.texts]), single_pool)
    assert answers.values.tolist() == [[0, 1]] * 2 + [[1, 0]] * 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda inputs: Answers(np.ones((2, 1)), np.ones(2, bool)), r"values of shape \(2, 1\).* for 6 texts"),
        (lambda inputs: Answers(np.ones((6, 2)), np.ones(6, bool)), "in row 0, which sum to 2, not 1"),
        (lambda inputs: ["a"], "gave 1 answers for 6 texts"),
        (lambda inputs: inputs.nonsense, "failed on the pool's 6 rows with AttributeError"),
    ],
)
def test_bad_answers_of_own_labelers(single_pool, answer, message):
    with pytest.raises(LabelerError, match=f"^labeler 'own' .*{message}|^labeler 'own' {message}"):
        ask(Own(answer=answer), single_pool)


def test_what_is_not_a_labeler(single_pool):
    with pytest.raises(LabelerError, match="a function is not a labeler; wrap it"):
        ask(lambda texts: texts, single_pool)
    with pytest.raises(LabelerError, match="labeler 'own' reads 'words', which is not one of"):
        ask(Own("words"), single_pool)
