from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from taskspace.errors import DataError
from taskspace.ranking.estimators import label_entropy, leep, nce


@pytest.fixture
def answered():
    draw = np.random.default_rng(0)
    return draw.dirichlet(np.ones(4) / 2, size=50), np.append(draw.integers(0, 3, 48), [0, 2])


def plain_leep(theta, codes):
    rows, classes = len(codes), codes.max() + 1
    joint = [[sum(theta[i, z] for i in range(rows) if codes[i] == y) / rows for z in range(4)] for y in range(classes)]
    given_z = [
        [joint[y][z] / sum(joint[other][z] for other in range(classes)) for z in range(4)] for y in range(classes)
    ]
    return sum(math.log(sum(given_z[codes[i]][z] * theta[i, z] for z in range(4))) for i in range(rows)) / rows


def plain_nce(answers, codes):
    rows, total = len(codes), 0.0
    for y in set(codes.tolist()):
        for z in set(answers.tolist()):
            joint = sum((codes == y) & (answers == z)) / rows
            if joint:
                total += joint * math.log(joint / (sum(answers == z) / rows))
    return total


def test_agree_with_the_formulas_written_out(answered):
    theta, codes = answered
    assert leep(theta, codes) == pytest.approx(plain_leep(theta, codes), abs=1e-12)
    answers = theta.argmax(axis=1)
    assert nce(theta, codes) == pytest.approx(plain_nce(answers, codes), abs=1e-12)
    assert nce(answers, codes) == nce(theta, codes) == nce(answers * 5 - 1, codes)


def test_by_hand():
    """Source class 0 says label 0 three times in four, source class 1 always label 1."""
    sure = np.array([[1, 0]] * 4 + [[0, 1]] * 4)
    codes = [0, 0, 0, 1, 1, 1, 1, 1]
    expected = (3 * math.log(3 / 4) + math.log(1 / 4)) / 8
    assert leep(sure, codes) == pytest.approx(expected, abs=1e-15)
    assert nce(sure, codes) == pytest.approx(expected, abs=1e-15)


def test_a_perfect_source_scores_0_and_one_that_says_nothing_the_entropy():
    codes = np.array([2, 0, 0, 1, 2, 2])
    entropy = -sum(share * math.log(share) for share in (1 / 2, 1 / 3, 1 / 6))
    assert label_entropy(codes) == pytest.approx(entropy, abs=1e-15)
    for perfect in (np.eye(3)[codes], np.eye(5)[codes + 1]):
        assert leep(perfect, codes) == nce(perfect, codes) == 0
        assert leep(perfect, codes, over_prior=True) == pytest.approx(entropy)
    mute = np.tile([0.2, 0.5, 0.3], (6, 1))
    for measure in (leep, nce):
        assert measure(mute, codes) == pytest.approx(-entropy, abs=1e-12)
        assert measure(mute, codes, over_prior=True) == pytest.approx(0, abs=1e-12)


def test_nce_over_the_prior_is_mutual_information(answered):
    theta, codes = answered
    answers = theta.argmax(axis=1)
    assert nce(answers, codes, over_prior=True) == pytest.approx(mutual_info_score(answers, codes), abs=1e-12)


@given(st.integers(0, 999), st.integers(1, 6), st.integers(2, 4))
def test_between_certainty_and_nothing(seed, answers, classes):
    draw = np.random.default_rng(seed)
    codes = np.append(draw.integers(0, classes, 20), [0, 1])
    theta = draw.dirichlet(np.full(answers, 0.1), size=22)
    assert leep(theta, codes) <= 0
    assert -label_entropy(codes) - 1e-12 <= nce(theta, codes) <= 0


def test_answers_that_are_never_given_change_nothing(answered):
    theta, codes = answered
    padded = np.hstack([theta, np.zeros((50, 2))])
    assert leep(padded, codes) == pytest.approx(leep(theta, codes), abs=1e-15)


def test_rows_without_a_label_are_left_out(answered):
    theta, codes = answered
    partly = np.where(np.arange(50) < 30, codes, -1)
    assert leep(theta, partly) == leep(theta[:30], codes[:30])
    assert nce(theta, partly) == nce(theta.argmax(axis=1), partly) == nce(theta[:30], codes[:30])


def test_half_precision_will_do(answered):
    theta, codes = answered
    assert leep(theta.astype(np.float16), codes) == pytest.approx(leep(theta, codes), abs=1e-2)


@pytest.mark.parametrize("row", [[2.0, 1.0], [1.5, -0.5], [0.0, 0.0], [0.2, 0.2]])
def test_what_are_no_probabilities_is_refused(row):
    for measure in (leep, nce):
        with pytest.raises(DataError, match="labelled row 1 .* give class probabilities"):
            measure([[0.5, 0.5], row, [0.1, 0.9]], [0, 1, 1])


def test_answers_that_do_not_match_are_refused():
    with pytest.raises(DataError, match="whole-number codes"):
        nce([0.5, 1.5], [0, 1])
    with pytest.raises(DataError, match="3 rows of answers and 2 labels"):
        nce([0, 1, 2], [0, 1])
    with pytest.raises(DataError, match="the probabilities hold NaN"):
        leep([[np.nan, 1.0], [0.0, 1.0]], [0, 1])
