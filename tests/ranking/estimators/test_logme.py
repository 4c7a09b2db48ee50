from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import helmert
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from taskspace.errors import DataError
from taskspace.ranking.estimators import Moments, logme, one_hot
from taskspace.ranking.estimators._logme import evidence
from taskspace.ranking.estimators._spectrum import Spectrum


def exact(features, column, alpha, beta):
    """The Gaussian marginal of y = Fw + e, per row."""
    covariance = np.eye(len(features)) / beta + features @ features.T / alpha
    return multivariate_normal.logpdf(column, cov=covariance) / len(features)


def authors(features, columns, *, directions=None):
    """The fixed point of arXiv 2110.10545 as the authors code it, to the end, with k (or ``directions``) for D."""
    left, sizes, _ = np.linalg.svd(features, full_matrices=False)
    left, sigma = left[:, sizes > 1e-10], sizes[sizes > 1e-10] ** 2
    rows, scores = len(features), []
    for column in columns.T:
        x2 = (left.T @ column) ** 2
        rest = max(column @ column - x2.sum(), 0.0)
        alpha = beta = 1.0
        for _ in range(2000):
            t = alpha / beta
            gamma = (sigma / (sigma + t)).sum()
            m2 = (sigma * x2 / (t + sigma) ** 2).sum()
            r2 = (x2 / (1 + sigma / t) ** 2).sum() + rest
            alpha, beta = gamma / (m2 + 1e-5), (rows - gamma) / (r2 + 1e-5)
            if abs(alpha / beta - t) / t <= 1e-12:
                break
        scores.append(
            (directions or len(sigma)) / 2 * np.log(alpha) + rows / 2 * np.log(beta)
            - np.log(alpha + beta * sigma).sum() / 2 - beta / 2 * r2 - alpha / 2 * m2 - rows / 2 * np.log(2 * np.pi)
        )  # fmt: skip
    return np.mean(scores) / rows


# Wide features fit strong signal without error: then the noise is as small as the bounds, and other bounds give others.
SHAPES = pytest.mark.parametrize(("rows", "width", "signal"), [(70, 12, 1.0), (40, 90, 0.2), (30, 30, 0.3)])


@SHAPES
def test_equals_the_exact_marginal_at_its_precisions(clouds, rows, width, signal):
    features, codes = clouds(rows, width, signal=signal)
    features = features.astype(np.float64)
    found = evidence(Spectrum.of(features, one_hot(codes, 3)), rows)
    for c in range(3):
        expected = exact(features, (codes == c).astype(float), found.alpha[c], found.beta[c])
        assert found.score[c] == pytest.approx(expected, abs=1e-9)
    assert logme(features, codes, centre=False) == pytest.approx(found.score.mean(), abs=1e-12)


@SHAPES
def test_centred_it_is_the_marginal_of_what_is_left_beside_the_mean(clouds, rows, width, signal):
    """Helmert's n - 1 contrasts say all of n centred rows, and of nothing else."""
    features, codes = clouds(rows, width, signal=signal)
    contrasts = helmert(rows)
    features, columns = contrasts @ features.astype(np.float64), contrasts @ one_hot(codes, 3)
    found = evidence(Spectrum.of(features, columns), rows - 1)
    expected = [exact(features, columns[:, c], found.alpha[c], found.beta[c]) for c in range(3)]
    assert logme(clouds(rows, width, signal=signal)[0], codes) == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.parametrize(("rows", "width", "signal"), [(40, 6, 1.0), (24, 60, 0.3)])
def test_no_other_precisions_give_more_evidence(clouds, rows, width, signal):
    features, codes = clouds(rows, width, signal=signal)
    features, column = features.astype(np.float64), (codes == 0) - (codes == 0).mean()
    found = evidence(Spectrum.of(features, column[:, None]), rows)
    start = np.log([found.alpha[0], found.beta[0]])
    best = minimize(lambda logs: -exact(features, column, *np.exp(logs)), start, method="Nelder-Mead")
    assert found.score[0] == pytest.approx(-best.fun, abs=1e-7)


@SHAPES
def test_agrees_with_the_authors_fixed_point(clouds, rows, width, signal):
    features, codes = clouds(rows, width, signal=signal)
    values, columns, contrasts = features.astype(np.float64), one_hot(codes, 3), helmert(rows)
    found = logme(features, codes, centre=False)
    assert found == pytest.approx(authors(values, columns), abs=1e-6)
    assert logme(features, codes) == pytest.approx(authors(contrasts @ values, contrasts @ columns), abs=1e-6)


def test_agrees_on_numbers(clouds):
    features, _ = clouds(70, 9)
    numbers = np.stack([features[:, 0] * 2 + features[:, 3] ** 3, np.sin(features[:, 1])], axis=1).astype(np.float64)
    expected = authors(features.astype(np.float64), numbers)
    assert logme(features, numbers, centre=False) == pytest.approx(expected, abs=1e-6)


def test_wide_noise_ranks_below_narrow_signal(clouds):
    """With D for k, as published, it is the other way round: the authors' slip, and why it matters."""
    signal, codes = clouds(100, 64, signal=0.5)
    noise, _ = clouds(100, 768, signal=0.0, seed=1)
    assert logme(noise, codes) < logme(signal, codes)
    columns = one_hot(codes, 3)
    slipped = [authors(f.astype(np.float64), columns, directions=f.shape[1]) for f in (noise, signal)]
    assert slipped[0] > slipped[1]


@given(st.floats(-50, 50), st.floats(1e-3, 1e3), st.integers(0, 5))
def test_neither_shift_nor_scale_nor_rotation_counts(clouds, shift, scale, seed):
    features, codes = clouds(40, 6, seed=seed)
    features = features.astype(np.float64)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    expected = logme(features, codes)
    assert logme(features * scale + shift, codes) == pytest.approx(expected, abs=1e-6)
    assert logme(features @ turn, codes) == pytest.approx(expected, abs=1e-9)


def test_uncentred_features_are_scored_where_they_stand(clouds):
    features, codes = clouds()
    assert logme(features + 5, codes, centre=False) != pytest.approx(logme(features, codes, centre=False), abs=1e-3)


def test_constant_features_score_as_noise_alone():
    codes = np.arange(30) % 3
    column = helmert(30) @ (codes == 0)
    noise = multivariate_normal.logpdf(column, cov=np.eye(29) * (column @ column) / 29) / 29
    assert logme(np.full((30, 4), 0.1, dtype=np.float32), codes) == pytest.approx(noise, abs=1e-12)


def test_features_that_say_nothing_score_no_less_than_constant_ones(clouds):
    """The fixed point then runs off to weights of size zero, and is stopped there."""
    noise, codes = clouds(90, 5, signal=0.0)
    noise -= np.stack([noise[codes == c].mean(axis=0) for c in range(3)])[codes]  # orthogonal to the labels
    assert logme(noise, codes) == pytest.approx(logme(np.ones((90, 1)), codes), abs=1e-6)


def test_labels_among_the_features_score_high_and_finite():
    codes = np.arange(40) % 2
    assert 3 < logme(np.stack([codes, 1 - codes], axis=1), codes) < 20


# A chunk at a time


@SHAPES
def test_chunks_add_up_to_the_whole(clouds, rows, width, signal):
    features, codes = clouds(rows, width, signal=signal)
    features += 20
    whole = Moments.of(features, one_hot(codes, 3))
    chunks = [Moments.of(features[part], one_hot(codes[part], 3)) for part in np.array_split(np.arange(rows), 7)]
    added = chunks[0]
    for chunk in chunks[1:]:
        added = added + chunk
    np.testing.assert_allclose(added.scatter, whole.scatter, atol=1e-8)
    assert added.logme() == pytest.approx(logme(features, codes), abs=1e-8)
    assert whole.logme() == pytest.approx(logme(features, codes), abs=1e-8)


def test_chunks_may_lack_classes_and_labels(clouds):
    features, codes = clouds(60, 5)
    codes[::7] = -1
    order = np.argsort(codes, kind="stable")  # so that each chunk holds one class, and the first no label
    parts = np.split(order, [9, 26, 43])
    moments = [Moments.of(features[part], one_hot(codes[part], 5)) for part in parts]
    assert moments[0].rows == 0
    added = moments[0] + moments[1] + moments[2] + moments[3]
    assert added.logme() == pytest.approx(logme(features, codes), abs=1e-9)
    with pytest.raises(DataError, match="do not vary"):
        (moments[0] + moments[1]).logme()


def test_constant_features_in_chunks():
    features, codes = np.full((30, 3), 0.1, dtype=np.float32), np.arange(30) % 2
    chunks = [Moments.of(features[part], one_hot(codes[part], 2)) for part in (slice(0, 13), slice(13, 30))]
    assert (chunks[0] + chunks[1]).logme() == pytest.approx(logme(features, codes), abs=1e-12)


def test_moments_go_through_a_map(clouds):
    features, codes = clouds(50, 6)
    draw = np.random.default_rng(4)
    weight, bias = draw.normal(size=(6, 4)), draw.normal(size=4)
    mapped = Moments.of(features, one_hot(codes, 3)).mapped(weight, bias)
    assert mapped.logme() == pytest.approx(logme(features @ weight + bias, codes), abs=1e-9)
    with pytest.raises(DataError, match="does not fit features 6 wide"):
        Moments.of(features, one_hot(codes, 3)).mapped(weight.T, bias)


def test_chunks_that_do_not_match_are_refused(clouds):
    features, codes = clouds()
    columns = one_hot(codes, 3)
    with pytest.raises(DataError, match="do not add up"):
        Moments.of(features, columns) + Moments.of(features[:, :3], columns)
    with pytest.raises(DataError, match="give a row for each"):
        Moments.of(features, columns[:5])
    with pytest.raises(DataError, match="give a row for each"):
        Moments.of(features, codes)
    with pytest.raises(DataError, match="columns hold NaN, infinity"):
        Moments.of(features, np.where(columns == 1, np.inf, columns))
