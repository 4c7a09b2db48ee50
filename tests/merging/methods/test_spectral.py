"""Singular directions by Gram matrices and a few rows at a time, beside decompositions of whole matrices in float64."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.merging import TaskVector, merge
from taskspace.merging.carriers import Factors, Pair
from taskspace.merging.checkpoint import whole

WEIGHTS = (1.0, 0.5, -0.3)


def drawn(shape, count=3):
    generator = np.random.default_rng(4)
    return [generator.standard_normal(shape).astype(np.float32) for _ in range(count)]


def merged(deltas, method, weights="equal", **options):
    vectors = [TaskVector.from_arrays({"w": delta}) for delta in deltas]
    found = merge(vectors, method, weights, **options)
    return whole(found.apply({"w": np.zeros_like(deltas[0])}), "w").astype(np.float64)


def literal_tsv(deltas, weights, keep):
    us, ss, vs = zip(*(np.linalg.svd(d.astype(np.float64), full_matrices=False) for d in deltas), strict=True)
    u, v = np.hstack([u[:, :keep] for u in us]), np.vstack([v[:keep] for v in vs])
    s = np.concatenate([w * s[:keep] for w, s in zip(weights, ss, strict=True)])
    one, two = (p @ q for p, _, q in (np.linalg.svd(m, full_matrices=False) for m in (u, v)))
    return one @ np.diag(s) @ two


SHAPES = [(3000, 100), (100, 3000), (64, 64), (30, 7), (5, 5), (1, 9), (9, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_tsv_is_the_algorithm_of_whole_matrices(shape):
    deltas = drawn(shape)
    keep = max(min(shape) // 3, 1)
    if min(shape) < 3:  # three directions do not fit into one: theirs makes some up, so one task is looked at
        deltas, weights = deltas[:1], WEIGHTS[:1]
        keep = min(shape)
    else:
        weights = WEIGHTS
    found, wanted = merged(deltas, "tsv", weights, rank=keep), literal_tsv(deltas, weights, keep)
    assert np.linalg.norm(found - wanted) < 2e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize("shape", SHAPES)
def test_iso_is_the_algorithm_of_whole_matrices(shape):
    deltas = drawn(shape)
    total = sum(w * d.astype(np.float64) for w, d in zip(WEIGHTS, deltas, strict=True))
    u, s, v = np.linalg.svd(total, full_matrices=False)
    found, wanted = merged(deltas, "iso", WEIGHTS), s.mean() * u @ v
    assert np.linalg.norm(found - wanted) < 2e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize("shape", [(3000, 100), (100, 3000)])
def test_iso_keeps_the_directions_that_there_are(shape):
    """Of rank 5: five equal singular values, the nuclear norm of the sum, and nothing made of rounding."""
    generator = np.random.default_rng(0)
    low = (generator.standard_normal((shape[0], 5)) @ generator.standard_normal((5, shape[1]))).astype(np.float32)
    s = np.linalg.svd(merged([low], "iso"), compute_uv=False)
    np.testing.assert_allclose(s[:5], np.linalg.svd(low.astype(np.float64), compute_uv=False)[:5].mean(), rtol=1e-5)
    assert s[5] < 1e-4 * s[0]


@pytest.mark.parametrize("shape", [(3000, 100), (100, 3000)])
def test_tasks_that_are_one_are_taken_as_one(shape):
    """Twice the same vector: the sum of both, of half their size each, and no direction that neither has."""
    (delta,) = drawn(shape, 1)
    u, s, v = np.linalg.svd(delta.astype(np.float64), full_matrices=False)
    wanted = (u[:, :50] * s[:50]) @ v[:50]
    found = merged([delta, delta], "tsv", rank=50)
    assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)


def test_directions_that_are_rounding_are_left_out():
    generator = np.random.default_rng(1)
    low = [(generator.standard_normal((80, 2)) @ generator.standard_normal((2, 60))).astype(np.float32) for _ in "ab"]
    found = merged(low, "tsv", rank=30)
    assert np.linalg.norm(found - literal_tsv(low, (1, 1), 2)) < 1e-5 * np.linalg.norm(found)


def test_singular_values_over_four_orders_stay_exact():
    generator = np.random.default_rng(2)
    u, v = (np.linalg.qr(generator.standard_normal((120, 40)))[0] for _ in range(2))
    steep = ((u * np.logspace(0, -3.5, 40)) @ v.T).astype(np.float32)
    assert np.linalg.norm(merged([steep], "tsv", rank=40) - steep) < 2e-6 * np.linalg.norm(steep)


def test_a_zero_vector_adds_nothing():
    (delta,) = drawn((40, 30), 1)
    found = merged([delta, np.zeros_like(delta)], "tsv", rank=15)
    u, s, v = np.linalg.svd(delta.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(found, (u[:, :15] * s[:15]) @ v[:15], atol=1e-5)
    for method in ("tsv", "iso"):
        assert not merged([np.zeros_like(delta)], method).any()


@pytest.mark.parametrize("method", ["tsv", "iso"])
@pytest.mark.parametrize("stretch", [1 << 18, 70_001, 900_000])
def test_streamed_equals_in_memory_bit_for_bit_for_tensors_of_several_windows(tmp_path, method, stretch):
    shapes = {"tall": (6100, 90), "wide": (90, 6100), "square": (600, 600), "line": (300_000,)}
    files = []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        files.append(tmp_path / f"m{seed}.safetensors")
        save_file({n: generator.standard_normal(s).astype(np.float16) for n, s in shapes.items()}, files[-1])
    base, *tuned = files
    found = merge([TaskVector.diff(file, base) for file in tuned], method)
    held = found.apply(base)
    written = found.apply(base, tmp_path / "out.safetensors", stretch=stretch)
    for name in shapes:
        np.testing.assert_array_equal(whole(held, name), whole(written, name), err_msg=name)


def test_sums_of_factors_and_merged_vectors_go_in(tmp_path):
    """A carrier of whole tensors is read once for each matrix."""
    up, down = drawn((40, 3), 1)[0], drawn((3, 20), 1)[0]
    pair = TaskVector(Factors.of({"w": Pair(up, down, (40, 20))}), {"a": 1.0})
    other = TaskVector.from_arrays({"w": drawn((40, 20), 1)[0]})
    nested = merge([pair, merge([other, pair], "slerp")], "tsv", rank=4)
    parts = [whole(v.apply({"w": np.zeros((40, 20), np.float32)}), "w") for v in (pair, merge([other, pair], "slerp"))]
    found = whole(nested.apply({"w": np.zeros((40, 20), np.float32)}), "w")
    np.testing.assert_allclose(found, merged(parts, "tsv", rank=4), atol=1e-5)
