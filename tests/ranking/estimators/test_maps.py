from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import DataError, EmbeddingError, SettingError
from taskspace.ranking.estimators import Moments, SpaceMap, fit_map, logme, one_hot
from taskspace.ranking.estimators._ridge import RIDGES, LeaveOneOut


@pytest.fixture(params=[(90, 6), (20, 30)], ids=["long", "wide"])
def pair(request):
    rows, width = request.param
    draw = np.random.default_rng(0)
    base = draw.normal(size=(rows, width)) + 2
    tuned = base + base @ draw.normal(size=(width, width)) / 5 + draw.normal(size=width)
    return base.astype(np.float32), (tuned + 0.3 * draw.normal(size=(rows, width))).astype(np.float32)


def augmented(base, tuned, ridge):
    """Least squares with a row of √λ per direction below the features: A float64[d, d], and those features."""
    base, residual = base.astype(np.float64), tuned.astype(np.float64) - base
    values, changes = base - base.mean(axis=0), residual - residual.mean(axis=0)
    width = base.shape[1]
    values = np.vstack([values, np.sqrt(ridge * (values**2).sum()) * np.eye(width)])
    slope = np.linalg.lstsq(values, np.vstack([changes, np.zeros((width, width))]), rcond=None)[0]
    return slope, values


@pytest.mark.parametrize("ridge", [1e-4, 0.1])
def test_equals_least_squares_on_the_augmented_system(pair, ridge):
    base, tuned = pair
    slope, _ = augmented(base, tuned, ridge)
    fitted = fit_map(base, tuned, ridge=ridge)
    np.testing.assert_allclose(fitted.factors[0], slope, atol=1e-6)
    np.testing.assert_allclose(fitted.weight, np.eye(len(slope)) + slope, atol=1e-6)
    np.testing.assert_allclose(fitted.apply(base).mean(axis=0), tuned.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(fitted.apply(base), base @ fitted.weight + fitted.bias, atol=1e-4)


def test_low_rank_is_the_best_of_its_rank(pair):
    base, tuned = pair
    slope, values = augmented(base, tuned, 0.01)
    left, sizes, right = np.linalg.svd(values @ slope, full_matrices=False)
    best = np.linalg.lstsq(values, (left[:, :2] * sizes[:2]) @ right[:2], rcond=None)[0]
    fitted = fit_map(base, tuned, ridge=0.01, rank=2)
    down, up = fitted.factors
    assert down.shape == (base.shape[1], 2)
    np.testing.assert_allclose(down.astype(np.float64) @ up, best, atol=1e-6)
    np.testing.assert_allclose(fitted.apply(base).mean(axis=0), tuned.mean(axis=0), atol=1e-5)
    assert fitted.nbytes == 4 * (2 * 2 * base.shape[1] + base.shape[1])
    whole = fit_map(base, tuned, ridge=0.01, rank=base.shape[1])
    np.testing.assert_allclose(whole.weight, fit_map(base, tuned, ridge=0.01).weight, atol=1e-5)


def test_a_large_ridge_leaves_features_where_they_are(pair):
    base, tuned = pair
    moved = fit_map(base, tuned, ridge=1e9).apply(base)
    shift = (tuned.astype(np.float64) - base).mean(axis=0)
    np.testing.assert_allclose(moved, base + shift, atol=1e-5)


def test_what_fine_tuning_did_is_recovered():
    draw = np.random.default_rng(1)
    base, change, shift = (
        draw.normal(size=(400, 8)),
        draw.normal(size=(8, 2)) @ draw.normal(size=(2, 8)),
        draw.normal(8),
    )
    fitted = fit_map(base, base + base @ change + shift, rank=2)
    np.testing.assert_allclose(fitted.weight, np.eye(8) + change, atol=1e-4)
    np.testing.assert_allclose(fitted.bias, np.full(8, shift), atol=1e-4)


def test_the_ridge_is_chosen_by_leaving_rows_out(pair):
    base, tuned = pair
    fitted = fit_map(base, tuned, provenance={"source": "mnli", "rank": "mine"})
    residual = tuned.astype(np.float64) - base
    values = base - base.mean(axis=0, dtype=np.float64)
    judge = LeaveOneOut(values, residual - residual.mean(axis=0))
    least = min(RIDGES, key=lambda ridge: (judge.errors(ridge) ** 2).sum())
    assert fitted.provenance == {"rows": len(base), "ridge": least, "rank": "mine", "source": "mnli"}


def test_constant_features_only_shift():
    fitted = fit_map(np.full((5, 3), 0.1), np.arange(15.0).reshape(5, 3))
    assert not fitted.factors[0].any()
    np.testing.assert_allclose(fitted.apply([[0.1] * 3]), [[6, 7, 8]], atol=1e-6)


def test_a_target_scores_through_a_map_without_its_features(pair):
    base, tuned = pair
    codes = (base[:, 0] > 2).astype(int)
    fitted = fit_map(base, tuned)
    through = Moments.of(base, one_hot(codes, 2)).mapped(fitted.weight, fitted.bias)
    assert through.logme() == pytest.approx(logme(fitted.apply(base), codes), abs=1e-5)


# The value and its file


def test_saved_and_read_back(pair, tmp_path):
    base, tuned = pair
    for rank in (None, 3):
        fitted = fit_map(base, tuned, rank=rank, provenance={"source": "mnli"})
        again = SpaceMap.load(fitted.save(tmp_path / "map.safetensors"))
        assert again.provenance == fitted.provenance
        assert len(again.factors) == len(fitted.factors)
        np.testing.assert_array_equal(again.apply(base), fitted.apply(base))
        assert (tmp_path / "map.safetensors").stat().st_size < fitted.nbytes + 1000
    assert [path.name for path in tmp_path.iterdir()] == ["map.safetensors"]


def test_a_map_cannot_be_changed(pair):
    fitted = fit_map(*pair)
    with pytest.raises(ValueError, match="read-only"):
        fitted.bias[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        fitted.factors[0][0] = 1
    assert "rank" in repr(fitted)


def test_the_callers_arrays_stay_theirs():
    factor, bias = np.zeros((2, 2), dtype=np.float32), np.zeros(2, dtype=np.float32)
    made = SpaceMap((factor,), bias)
    bias[0] = 5
    factor[0] = 5
    assert not made.bias.any()
    assert not made.factors[0].any()


@pytest.mark.parametrize(
    ("factors", "bias"),
    [
        ([np.zeros((2, 3))], np.zeros(2)),
        ([np.zeros((2, 2))], np.zeros(3)),
        ([np.zeros((2, 1)), np.zeros((2, 2))], np.zeros(2)),
        ([np.zeros((2, 2))] * 3, np.zeros(2)),
        ([], np.zeros(2)),
        ([np.zeros(2)], np.zeros(2)),
        ([np.zeros((2, 2))], np.float32(0)),
    ],
)
def test_parts_that_do_not_fit_are_refused(factors, bias):
    with pytest.raises(EmbeddingError, match="fit the map again"):
        SpaceMap(tuple(factors), bias)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(EmbeddingError, match="NaN"):
        SpaceMap((np.full((2, 2), np.nan),), np.zeros(2))


def test_files_that_hold_no_map_are_refused(tmp_path):
    path = tmp_path / "map.safetensors"
    with pytest.raises(EmbeddingError, match="no file"):
        SpaceMap.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(EmbeddingError, match="not a readable"):
        SpaceMap.load(path)
    bias = {"bias": np.zeros(2, dtype=np.float32)}
    for metadata, message in [
        (None, "not a map"),
        ({"taskspace-map": json.dumps({"format": 2})}, "upgrade taskspace"),
        ({"taskspace-map": json.dumps({"format": 1})}, "KeyError"),
        ({"taskspace-map": "{"}, "JSONDecodeError"),
        ({"taskspace-map": json.dumps({"format": 1, "provenance": {}})}, "fit the map again"),
    ]:
        save_file(bias, path, metadata)
        with pytest.raises(EmbeddingError, match=message):
            SpaceMap.load(path)
    with pytest.raises(EmbeddingError, match="cannot write"):
        SpaceMap((np.zeros((2, 2)),), np.zeros(2)).save(tmp_path / "nowhere" / "map.safetensors")


def test_features_that_do_not_fit_are_refused(pair):
    base, tuned = pair
    with pytest.raises(DataError, match="do not match"):
        fit_map(base, tuned[1:])
    with pytest.raises(DataError, match="do not match"):
        fit_map(base[:1], tuned[:1])
    with pytest.raises(DataError, match="do not fit a map"):
        fit_map(base, tuned).apply(base[:, :2])
    for settings in ({"ridge": 0}, {"ridge": float("nan")}, {"rank": 0}, {"rank": base.shape[1] + 1}):
        with pytest.raises(SettingError, match="give"):
            fit_map(base, tuned, **settings)
