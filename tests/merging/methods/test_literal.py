"""Each method beside a literal reference of a few lines in float64, on whole tensors."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole
from taskspace.merging.methods import METHODS
from taskspace.merging.methods.dare import keeps
from taskspace.merging.window import Window

WEIGHTS = (1.0, 0.5, -0.3)


def arrays(vector):
    zero = {name: np.zeros(spec.shape, np.float32) for name, spec in vector.layout.items()}
    out = TaskVector(vector.carrier).apply(zero)
    return {name: whole(out, name).astype(np.float64) for name in out.layout}


def top(delta, density):
    flat = np.abs(delta).ravel()
    keep = max(int(density * flat.size), 1)
    chosen = np.argsort(-flat, kind="stable")[:keep]
    mask = np.zeros(flat.size, bool)
    mask[chosen] = True
    return np.where(mask.reshape(delta.shape), delta, 0)


def elected(deltas, weights):
    votes = sum(w * d for w, d in zip(weights, deltas, strict=True))
    sign = np.where(votes >= 0, 1, -1)
    agree = [(np.sign(w * d) == sign) & (d != 0) for w, d in zip(weights, deltas, strict=True)]
    above = sum(np.where(a, w * d, 0) for a, w, d in zip(agree, weights, deltas, strict=True))
    below = sum(np.where(a, abs(w), 0.0) for a, w in zip(agree, weights, strict=True))
    return np.where(below > 0, above / np.where(below > 0, below, 1), 0)


def reference_sum(deltas, weights):
    return sum(w * d for w, d in zip(weights, deltas, strict=True))


def reference_mean(deltas, weights):
    return reference_sum(deltas, weights) / sum(weights)


def reference_magnitude(deltas, weights):
    return reference_sum([top(d, 0.3) for d in deltas], weights)


def reference_ties(deltas, weights):
    return elected([top(d, 0.3) for d in deltas], weights)


def reference_tsv(deltas, weights):
    if deltas[0].ndim != 2:
        return reference_mean(deltas, weights)
    keep = max(min(deltas[0].shape) // len(deltas), 1)
    us, ss, vs = zip(*(np.linalg.svd(d, full_matrices=False) for d in deltas), strict=True)
    u, v = np.hstack([u[:, :keep] for u in us]), np.vstack([v[:keep] for v in vs])
    s = np.concatenate([w * s[:keep] for w, s in zip(weights, ss, strict=True)])
    orthogonal = [p @ q for p, _, q in (np.linalg.svd(m, full_matrices=False) for m in (u, v))]
    return orthogonal[0] @ np.diag(s) @ orthogonal[1]


def reference_iso(deltas, weights):
    if deltas[0].ndim != 2:
        return reference_mean(deltas, weights)
    u, s, v = np.linalg.svd(reference_sum(deltas, weights), full_matrices=False)
    return u @ np.diag(np.full(len(s), s.mean())) @ v


def reference_lore(models, weights):
    if models[0].ndim != 2:
        return reference_mean(models, weights)
    base = sum(models) / len(models)
    for _ in range(20):
        parts = [np.linalg.svd(model - base, full_matrices=False) for model in models]
        low = [u @ np.diag(np.maximum(s - 0.05, 0)) @ v for u, s, v in parts]  # mu / 2
        base = sum(model - each for model, each in zip(models, low, strict=True)) / len(models)
    return base + reference_mean(low, weights)


CASES = {
    "sum": (reference_sum, {}),
    "mean": (reference_mean, {}),
    "magnitude": (reference_magnitude, {"density": 0.3}),
    "ties": (reference_ties, {"density": 0.3}),
    "tsv": (reference_tsv, {}),
    "iso": (reference_iso, {}),
    "lore": (reference_lore, {"mu": 0.1, "iterations": 20, "tolerance": 0.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_its_formula(vectors, name):
    reference, options = CASES[name]
    merged = arrays(merge(vectors, name, WEIGHTS, **options))
    parts = [arrays(vector) for vector in vectors]
    for tensor, found in merged.items():
        np.testing.assert_allclose(found, reference([p[tensor] for p in parts], WEIGHTS), atol=2e-6, err_msg=tensor)


@pytest.mark.parametrize(("name", "reference"), [("dare", reference_sum), ("dare_ties", elected)])
def test_what_the_mask_leaves_is_divided_and_added(vectors, name, reference):
    merged = arrays(merge(vectors, name, WEIGHTS, density=0.4, seed=7))
    parts = [arrays(vector) for vector in vectors]
    for tensor, found in merged.items():
        window = Window(tensor, 0, found.size)
        masks = [keeps(window, 0.4, seed=7, vector=place).reshape(found.shape) for place in range(3)]
        dropped = [mask * part[tensor] / 0.4 for mask, part in zip(masks, parts, strict=True)]
        np.testing.assert_allclose(found, reference(dropped, WEIGHTS), atol=2e-6, err_msg=tensor)


def test_ties_of_the_whole_vector_has_one_threshold(vectors):
    merged = arrays(merge(vectors, "ties", trim="model", density=0.4))
    parts = [arrays(vector) for vector in vectors]
    names = list(parts[0])
    flats = [top(np.concatenate([p[n].ravel() for n in names]), 0.4) for p in parts]
    wanted = elected(flats, [1, 1, 1])
    np.testing.assert_allclose(np.concatenate([merged[n].ravel() for n in names]), wanted, atol=1e-6)


def test_slerp_is_the_arc(vectors):
    one, two = (arrays(vector) for vector in vectors[:2])
    merged = arrays(merge(vectors[:2], "slerp", alpha=0.3))
    for name, found in merged.items():
        a, b = one[name].ravel(), two[name].ravel()
        angle = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
        if np.sin(angle) < 1e-6:  # a single number has only two directions
            np.testing.assert_allclose(found.ravel(), 0.7 * a + 0.3 * b, atol=1e-6)
            continue
        wanted = (np.sin(0.7 * angle) * a + np.sin(0.3 * angle) * b) / np.sin(angle)
        np.testing.assert_allclose(found.ravel(), wanted, atol=1e-6)


def test_slerp_of_equal_directions_is_the_line(base):
    one = TaskVector.from_arrays({"w": np.ones((2, 2), np.float32)})
    np.testing.assert_allclose(arrays(merge([one, 3 * one], "slerp", alpha=0.5))["w"], 2.0)


def test_lerp_of_models_without_a_base(base):
    other = {name: values + 1 for name, values in base.items()}
    between = merge([TaskVector.diff(base, None), TaskVector.diff(other, None)], "lerp", alpha=0.25).apply(None)
    for name, values in base.items():
        np.testing.assert_allclose(whole(between, name), values + 0.25, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"), [("ties", {"density": 1.0}), ("tsv", {}), ("dare", {"density": 1.0}), ("mean", {})]
)
def test_one_vector_alone_stays_as_it_is(vectors, name, options):
    alone, merged = arrays(vectors[0]), arrays(merge(vectors[:1], name, **options))
    for tensor, values in alone.items():
        np.testing.assert_allclose(merged[tensor], values, atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "ties", "dare_ties"])
def test_a_common_factor_of_the_weights_is_lost(vectors, name):
    few, many = (arrays(merge(vectors[:2], name, weights)) for weights in ([2, 1], [10, 5]))
    for tensor in few:
        np.testing.assert_allclose(few[tensor], many[tensor], atol=1e-6)


@pytest.mark.parametrize("name", ["sum", "dare", "magnitude", "tsv", "iso"])
def test_a_common_factor_of_the_weights_scales_matrices(vectors, name):
    few, many = (arrays(merge(vectors[:2], name, weights)) for weights in ([2, 1], [10, 5]))
    np.testing.assert_allclose(5 * few["a.weight"], many["a.weight"], atol=1e-5)


def test_equal_numbers_at_the_threshold_keep_the_first_places():
    flat = np.array([1, -2, 1, 1, 3, -1], np.float32)
    merged = arrays(merge([TaskVector.from_arrays({"w": flat})], "magnitude", density=4 / 6))
    np.testing.assert_array_equal(merged["w"], [1, -2, 1, 0, 3, 0])


def test_iso_keeps_the_nuclear_norm(vectors):
    summed, flat = arrays(merge(vectors, "sum")), arrays(merge(vectors, "iso"))
    for name in ("a.weight", "b.weight"):
        nuclear = [np.linalg.svd(m[name], compute_uv=False).sum() for m in (summed, flat)]
        assert nuclear[0] == pytest.approx(nuclear[1], rel=1e-5)


def test_dare_is_unbiased():
    vector = TaskVector.from_arrays({"w": np.linspace(-1, 1, 400, dtype=np.float32)})
    draws = [arrays(merge([vector], "dare", density=0.25, seed=seed))["w"] for seed in range(200)]
    kept = np.mean([np.mean(draw != 0) for draw in draws])
    assert kept == pytest.approx(0.25, abs=0.01)
    error = np.abs(np.mean(draws, axis=0) - arrays(vector)["w"])
    assert error.max() < 5 * np.sqrt(3 / 200)  # the variance of one entry is (1/density - 1) x^2


def test_dare_draws_another_mask_for_each_vector_and_tensor():
    vector = TaskVector.from_arrays({"w": np.ones(4000, np.float32), "v": np.ones(4000, np.float32)})
    one = arrays(merge([vector], "dare", density=0.5))
    assert 0.4 < np.mean((one["w"] != 0) == (one["v"] != 0)) < 0.6
    both = arrays(merge([vector, vector], "dare", density=0.5))["w"]
    assert np.mean(both == 2) == pytest.approx(0.5, abs=0.05)  # kept once only in half of the places


def test_lore_finds_a_planted_base_and_low_rank_differences():
    generator = np.random.default_rng(0)
    shared = generator.standard_normal((20, 16))
    low = [np.outer(generator.standard_normal(20), generator.standard_normal(16)) for _ in range(4)]
    models = [TaskVector.from_arrays({"w": (shared + d).astype(np.float32)}) for d in low]
    merged = arrays(merge(models, "lore", mu=0.4, iterations=400))["w"]
    error = np.linalg.norm(merged - shared - np.mean(low, axis=0)) / np.linalg.norm(shared)
    assert error < 0.02
    from taskspace.merging.methods.lore import Lore

    base, _ = Lore(mu=0.4, iterations=400).split([shared + d for d in low])
    plain = np.linalg.norm(np.mean([shared + d for d in low], axis=0) - shared)
    assert np.linalg.norm(base - shared) < plain  # nearer to the base than the mean of the models is


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_finite_numbers_of_every_shape(vectors, name, base):
    merged = merge(vectors[:2], name).apply(base)
    for tensor, values in base.items():
        assert whole(merged, tensor).shape == values.shape
        assert np.isfinite(whole(merged, tensor)).all()


def test_what_is_not_known_is_refused(vectors, one_sentence):
    for wrong in (
        lambda: merge(vectors, "tie"),
        lambda: merge(vectors, "ties", densty=0.3),
        lambda: merge(vectors, "ties", density=0.0),
        lambda: merge(vectors, "ties", trim="all"),
        lambda: merge(vectors, "sum", [1.0]),
        lambda: merge(vectors, "sum", "norms"),
        lambda: merge(vectors, "sum", [1, 2, float("nan")]),
        lambda: merge(vectors, "slerp"),
        lambda: merge([], "sum"),
        lambda: merge(vectors, "tsv", rank=0),
        lambda: merge(vectors, "lore", mu=-1),
    ):
        with pytest.raises(SettingError) as caught:
            wrong()
        assert one_sentence(caught.value)


def test_momentum_is_the_loop(vectors):
    wanted = arrays(vectors[0])["a.weight"]
    for vector in vectors[1:]:
        wanted = 0.7 * wanted + 0.3 * arrays(vector)["a.weight"]
    np.testing.assert_allclose(arrays(merge(vectors, "ema", momentum=0.7))["a.weight"], wanted, atol=1e-6)


def test_remove_drops_what_opposes_the_guard_and_keeps_the_length():
    delta = TaskVector.from_arrays({"w": np.array([3, -4, 5, 1], np.float32)})
    guard = TaskVector.from_arrays({"w": np.array([1, 1, 0, -2], np.float32)})
    kept = np.array([3, 0, 5, 0])
    np.testing.assert_array_equal(arrays(merge([delta, guard], "remove", recalibrate=False))["w"], kept)
    longer = kept * np.sqrt(51 / 34)
    np.testing.assert_allclose(arrays(merge([delta, guard], "remove"))["w"], longer, atol=1e-6)


def test_a_graft_keeps_the_largest_changes_of_the_whole_vector(vectors):
    parts = arrays(vectors[0])
    flat = np.concatenate([p.ravel() for p in parts.values()])
    found = arrays(merge(vectors[:1], "magnitude", density=0.1, trim="model"))
    np.testing.assert_allclose(np.concatenate([f.ravel() for f in found.values()]), top(flat, 0.1), atol=1e-7)
