from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taskspace.learners._coordinates import Coordinates, cached, fit_coordinates, raw_features
from taskspace.learners.response import pool_coordinates
from taskspace.task import Inputs, Pool


@pytest.fixture(scope="module")
def raw(encoder, mixed_pool):
    return raw_features(encoder, mixed_pool.inputs)


def scaled_by_hand(raw, is_pair, layers=2):
    """Each block of each layer divided by the root of its summed variance: over all rows, or over the pairs."""
    out = raw.copy()
    width = raw.shape[1] // (3 * layers)
    for block in range(3 * layers):
        columns = slice(block * width, (block + 1) * width)
        rows = raw[:, columns] if block < layers else raw[is_pair][:, columns]
        spread = np.sqrt(((rows - rows.mean(axis=0)) ** 2).mean(axis=0).sum())
        out[:, columns] /= spread
    return out


def test_raw_features_by_hand(encoder):
    texts = ["red rain", "snow", "red rain"]
    seconds = ["soup", None, ""]
    u, v = (
        encoder.features(["red rain", "snow", "soup"]).astype(float)[[0, 1]],
        encoder.features(["soup"])[0].astype(float),
    )
    zeros = np.zeros(32)
    expected = np.stack(
        [
            np.concatenate([(u[0] + v) / 2, abs(u[0] - v), u[0] * v]),
            np.concatenate([u[1], zeros, zeros]),
            np.concatenate([u[0], zeros, zeros]),
        ]
    )
    raw = raw_features(encoder, Inputs.of(texts, seconds))
    assert raw.dtype == np.float64
    np.testing.assert_allclose(raw, expected, rtol=1e-12)


def test_a_pair_reads_the_same_from_both_sides(encoder):
    one, other = raw_features(encoder, Inputs.of(["red rain", "soup"], ["soup", "red rain"]))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("components", [3, 40, 1000])
def test_the_pool_comes_out_white(raw, mixed_pool, components):
    coordinates = fit_coordinates(raw, mixed_pool.inputs.is_pair, layers=2, components=components)
    phi = coordinates.of(raw)
    assert phi.shape == (len(mixed_pool), coordinates.size)
    scaled = scaled_by_hand(raw, mixed_pool.inputs.is_pair)
    singular = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False)
    assert coordinates.size == min(components, (singular**2 > 1e-9 * singular[0] ** 2).sum())
    np.testing.assert_allclose(phi.T @ phi / len(phi), np.eye(coordinates.size), atol=1e-8)
    np.testing.assert_allclose(phi.mean(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize("components", [1, 7, 40])
def test_they_are_the_principal_components_of_the_scaled_features(raw, mixed_pool, components):
    """Any basis of the same subspace has the same Gram matrix, so signs and rotations do not matter here."""
    scaled = scaled_by_hand(raw, mixed_pool.inputs.is_pair)
    left, _, _ = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    expected = left[:, :components] @ left[:, :components].T * len(raw)
    phi = fit_coordinates(raw, mixed_pool.inputs.is_pair, layers=2, components=components).of(raw)
    np.testing.assert_allclose(phi @ phi.T, expected, atol=1e-6)


def test_other_texts_are_mapped_by_the_pools_statistics(raw, mixed_pool, encoder, tasks):
    coordinates = fit_coordinates(raw, mixed_pool.inputs.is_pair, layers=2, components=10)
    some = raw_features(encoder, tasks["echo"].inputs)
    alone = np.concatenate([coordinates.of(row[None]) for row in some])
    np.testing.assert_allclose(alone, coordinates.of(some), atol=1e-12)


def test_signs_are_settled(raw, mixed_pool):
    directions = fit_coordinates(raw, mixed_pool.inputs.is_pair, layers=2, components=20).directions
    for column in directions.T:
        assert column[np.abs(column).argmax()] > 0


def test_without_pairs_in_the_pool_relations_carry_nothing(encoder, tasks):
    pool = Pool.from_tasks([tasks["mood"], tasks["topic"]], size=60)
    raw = raw_features(encoder, pool.inputs)
    coordinates = fit_coordinates(raw, pool.inputs.is_pair, layers=2, components=20)
    assert coordinates.size == 20
    assert not coordinates.directions[64:].any()
    some = raw_features(encoder, tasks["echo"].inputs)
    without = some.copy()
    without[:, 64:] = 0
    assert some[:, 64:].any()
    np.testing.assert_allclose(coordinates.of(some), coordinates.of(without), atol=1e-12)
    assert np.isfinite(coordinates.of(some)).all()


@pytest.mark.parametrize("pool", [Pool(["one text"]), Pool(["the same"] * 4), Pool(["a pair"], ["of texts"])])
def test_a_pool_in_which_nothing_differs(encoder, pool):
    raw = raw_features(encoder, pool.inputs)
    coordinates = fit_coordinates(raw, pool.inputs.is_pair, layers=2, components=5)
    assert coordinates.size == 0
    assert coordinates.of(raw).shape == (len(pool), 0)


def test_a_pool_with_one_pair(encoder):
    pool = Pool(["red rain", "snow", "soup"], [None, "fog", None])
    raw = raw_features(encoder, pool.inputs)
    phi = fit_coordinates(raw, pool.inputs.is_pair, layers=2, components=5).of(raw)
    np.testing.assert_allclose(phi.T @ phi / 3, np.eye(2), atol=1e-9)


# The cache


def some_coordinates(seed=0):
    rng = np.random.default_rng(seed)
    return Coordinates(rng.random(6), rng.random(6), rng.random((6, 4)))


def assert_same(one, other):
    for field in ("scale", "mean", "directions"):
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes()
        assert getattr(one, field).shape == getattr(other, field).shape


def never():
    raise AssertionError("fitted again")


def test_fitted_once_and_read_back_bit_for_bit(tmp_path):
    made = some_coordinates()
    assert_same(cached(lambda: made, ["a", 1]), made)
    assert_same(cached(never, ["a", 1]), made)
    assert len(list((tmp_path / "home" / "coordinates").iterdir())) == 1
    with pytest.raises(AssertionError, match="fitted again"):
        cached(never, ["a", 2])


def cut(file):
    file.write_bytes(file.read_bytes()[:-200])


def flip(file):
    data = bytearray(file.read_bytes())
    data[200] ^= 255  # within the numbers of the first array
    file.write_bytes(bytes(data))


DAMAGE = {
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("no arrays here"),
    "cut": cut,
    "flipped": flip,
    "an array is missing": lambda file: np.savez(file, scale=np.ones(6), mean=np.ones(6)),
    "objects": lambda file: np.savez(file, scale=np.array([{}], dtype=object), mean=1, directions=1),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_replaced(tmp_path, damage):
    made = some_coordinates()
    cached(lambda: made, ["a"])
    (file,) = (tmp_path / "home" / "coordinates").iterdir()
    DAMAGE[damage](file)
    other = some_coordinates(1)
    assert_same(cached(lambda: other, ["a"]), other)
    assert_same(cached(never, ["a"]), other)
    assert list((tmp_path / "home" / "coordinates").iterdir()) == [file]


def test_a_place_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "home").write_text("in the way")
    made = some_coordinates()
    assert_same(cached(lambda: made, ["a"]), made)
    assert_same(cached(lambda: made, ["a"]), made)


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    made = some_coordinates()
    assert_same(cached(lambda: made, ["a"]), made)
    assert list((tmp_path / "home" / "coordinates").iterdir()) == []


def test_cached_equal_fresh_and_go_by_surrogate_pool_and_size(ground, with_seed, tmp_path):
    fresh = pool_coordinates(ground, 12)
    assert_same(pool_coordinates(ground, 12), fresh)
    assert_same(pool_coordinates(with_seed(ground, 7), 12), fresh)
    folder = tmp_path / "home" / "coordinates"
    assert len(list(folder.iterdir())) == 1
    assert pool_coordinates(ground, 13).size == 13
    pool = Pool(ground.pool.texts[::-1], ground.pool.text_pairs[::-1])
    pool_coordinates(replace(ground, pool=pool), 12)
    assert len(list(folder.iterdir())) == 3
