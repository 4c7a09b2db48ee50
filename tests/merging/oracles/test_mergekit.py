"""Our methods beside mergekit's: equal where conventions agree, and apart by what is said where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole

WEIGHTS = (1.0, 0.5, 0.2)
CLOSE = {"rtol": 1e-5, "atol": 2e-6}


def vectors_of(deltas):
    return [TaskVector.from_arrays({"w": delta}, name=f"t{i}") for i, delta in enumerate(deltas)]


@pytest.fixture
def ours(arrays_of):
    """``ours(deltas, method, weights, **options)``: the merged difference of one tensor."""

    def run(deltas, method, weights="equal", **options):
        return arrays_of(merge(vectors_of(deltas), method, weights, **options))["w"]

    return run


@pytest.fixture
def models():
    """A base and three models near it, of several tensors."""
    generator = np.random.default_rng(3)
    shapes = {"a.weight": (12, 8), "b.weight": (5, 4, 2), "b.bias": (5,)}
    base = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    near = [{n: v + np.float32(0.1) * generator.standard_normal(v.shape, np.float32) for n, v in base.items()}
            for _ in range(3)]  # fmt: skip
    return base, near


@pytest.mark.parametrize(
    ("own", "options", "theirs", "parameters"),
    [
        ("mean", {}, "linear", {}),
        ("sum", {}, "task_arithmetic", {}),
        ("sum", {"scale": 0.3}, "task_arithmetic", {"lambda": 0.3}),
        ("ties", {"density": 0.2}, "ties", {"density": 0.2}),
        ("ties", {"density": 0.55, "scale": 0.7}, "ties", {"density": 0.55, "lambda": 0.7}),
        ("ties", {"density": 1.0}, "ties", {}),
        ("magnitude", {"density": 0.3}, "breadcrumbs", {"density": 0.3, "gamma": 0.0}),
        ("dare", {"density": 1.0}, "dare_linear", {"density": 1.0}),
        ("dare_ties", {"density": 1.0}, "dare_ties", {"density": 1.0, "normalize": True}),
    ],
)
def test_equal_on_whole_models(mergekit, models, own, options, theirs, parameters):
    base, tuned = models
    found = merge([TaskVector.diff(model, base) for model in tuned], own, WEIGHTS, **options).apply(base)
    wanted = mergekit(theirs, None if theirs == "linear" else base, tuned, WEIGHTS, **parameters)
    assert set(found.layout) == set(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(whole(found, name), values, **CLOSE, err_msg=name)
        assert np.abs(values - base[name]).max() > 0.01


def test_lerp_is_linear_with_two_weights(mergekit, models):
    base, (one, two, _) = models
    wanted = mergekit("linear", None, [one, two], (0.75, 0.25))
    found = merge([TaskVector.diff(m, base) for m in (one, two)], "lerp", alpha=0.25).apply(base)
    for name, values in wanted.items():
        np.testing.assert_allclose(whole(found, name), values, **CLOSE)


def test_slerp_of_whole_models_is_theirs(mergekit):
    """Without a base the arc runs between the models, as theirs does between a "base" and another."""
    generator = np.random.default_rng(0)
    one, two = ({"w": generator.standard_normal((9, 7)).astype(np.float32)} for _ in range(2))
    wanted = mergekit("slerp", one, [two], t=0.3)["w"]
    found = merge([TaskVector.diff(m, None) for m in (one, two)], "slerp", alpha=0.3).apply(None)
    np.testing.assert_allclose(whole(found, "w"), wanted, **CLOSE)


def test_slerp_of_differences_is_their_nuslerp_with_a_base(difference, ours, deltas):
    pair = deltas[:2]
    np.testing.assert_allclose(ours(pair, "slerp", alpha=0.3), difference("nuslerp", pair, (0.7, 0.3)), **CLOSE)


def test_slerp_of_models_that_are_almost_parallel(mergekit):
    """From a cosine of 0.9995 on theirs is the line, ours the arc, as far as a sine of 1e-6 goes."""
    generator = np.random.default_rng(0)
    base = generator.standard_normal((60, 50)).astype(np.float32)
    near = base + np.float32(0.02) * generator.standard_normal(base.shape, np.float32)
    cosine = np.vdot(base, near) / np.linalg.norm(base) / np.linalg.norm(near)
    assert cosine > 0.9995
    theirs = mergekit("slerp", {"w": base}, [{"w": near}], t=0.5)["w"]
    np.testing.assert_allclose(theirs, (base + near) / 2, **CLOSE)
    both = [TaskVector.diff({"w": m}, None) for m in (base, near)]
    found = whole(merge(both, "slerp", alpha=0.5).apply(None), "w")
    angle = np.arccos(np.vdot(base, near).astype(np.float64) / np.linalg.norm(base) / np.linalg.norm(near))
    np.testing.assert_allclose(found, (base + near) / 2 / np.cos(angle / 2), **CLOSE)
    assert 1e-5 < np.linalg.norm(found - theirs) / np.linalg.norm(theirs) < 2e-4  # small, and there


def test_ties_without_normalize_is_the_sum_of_what_agrees(difference, ours, deltas):
    """Ours always divides by the weights that agree; their ``normalize: false`` leaves the sum."""
    summed = difference("ties", deltas, WEIGHTS, density=0.4, normalize=False)
    averaged = ours(deltas, "ties", WEIGHTS, density=0.4)
    trimmed = [ours([d], "magnitude", density=0.4) for d in deltas]
    agreeing = sum(w * ((t * summed) > 0) for w, t in zip(WEIGHTS, trimmed, strict=True))
    np.testing.assert_allclose(averaged * agreeing, summed, **CLOSE)
    assert np.abs(averaged - summed).max() > 0.1


def test_a_negative_weight_in_ties(difference, ours):
    """Theirs divides by the signed weights that agree, ours by their sizes: by hand, of one number."""
    one, two = np.full((1, 1), 2.0, np.float32), np.full((1, 1), -3.0, np.float32)
    weights = (1.0, -0.5)  # both pull up: 1 * 2 and -0.5 * -3, 3.5 together
    assert difference("ties", [one, two], weights, density=1.0).item() == pytest.approx(3.5 / (1 - 0.5))
    assert ours([one, two], "ties", weights, density=1.0).item() == pytest.approx(3.5 / (1 + 0.5))


def test_trimming_of_the_whole_vector_is_theirs_of_one_long_tensor(mergekit, arrays_of):
    """They trim each tensor; ``trim="model"`` is the paper's threshold, as theirs is where all is one tensor."""
    generator = np.random.default_rng(1)
    parts = [{"a": generator.standard_normal(60).astype(np.float32),
              "b": 5 * generator.standard_normal(40).astype(np.float32)} for _ in range(2)]  # fmt: skip
    long = [{"w": np.concatenate([p["a"], p["b"]])} for p in parts]
    wanted = mergekit("ties", {"w": np.zeros(100, np.float32)}, long, (1.0, 0.5), density=0.3)["w"]
    vectors = [TaskVector.from_arrays(part) for part in parts]
    model = arrays_of(merge(vectors, "ties", (1.0, 0.5), density=0.3, trim="model"))
    np.testing.assert_allclose(np.concatenate([model["a"], model["b"]]), wanted, **CLOSE)
    tensor = arrays_of(merge(vectors, "ties", (1.0, 0.5), density=0.3))
    assert np.count_nonzero(tensor["a"]) > np.count_nonzero(model["a"])


def test_equal_numbers_at_the_threshold(difference, ours):
    """Which of them stays is left to their sort; ours keeps the first places.  As many stay."""
    equal = np.ones((5, 8), np.float32)
    theirs, mine = difference("ties", [equal], (1.0,), density=0.25), ours([equal], "ties", density=0.25)
    assert np.count_nonzero(theirs) == np.count_nonzero(mine) == 10
    np.testing.assert_array_equal(np.flatnonzero(mine), np.arange(10))


def test_dare_rescales_to_the_old_sum_of_sizes_there_and_by_the_density_here(difference, ours):
    delta = np.linspace(-1, 2, 40, dtype=np.float32).reshape(5, 8)
    theirs, mine = difference("dare_linear", [delta], (1.0,), density=0.25), ours([delta], "dare", density=0.25)
    kept = theirs != 0
    np.testing.assert_allclose(theirs[kept] / delta[kept], np.abs(delta).sum() / np.abs(delta[kept]).sum(), rtol=1e-5)
    np.testing.assert_allclose(mine[mine != 0] / delta[mine != 0], 4.0, rtol=1e-6)
    unscaled = difference("dare_linear", [delta], (1.0,), density=0.25, rescale=False)
    np.testing.assert_array_equal(unscaled[kept], delta[kept])  # the same draw, by the same seed


def test_dare_on_large_tensors_is_one_thing(difference, ours):
    """Where the law of large numbers holds, both factors are 1 / density, and both means the sum."""
    generator = np.random.default_rng(2)
    deltas = [generator.standard_normal((300, 300)).astype(np.float32) for _ in range(2)]
    for found in (difference("dare_linear", deltas, (1.0, 0.5), density=0.25),
                  ours(deltas, "dare", (1.0, 0.5), density=0.25)):  # fmt: skip
        total = deltas[0] + 0.5 * deltas[1]
        slope = np.vdot(found, total) / np.vdot(total, total)  # 1 in the mean, sd sqrt(3 / 90,000)
        assert slope == pytest.approx(1, abs=5 * np.sqrt(3 / 90_000))
        spread = np.var(found - total)
        assert spread == pytest.approx(3 * (1 + 0.25), rel=0.05)  # (1 / density - 1) times the sum of squares


def test_dare_ties_draws_from_one_distribution(difference, ours):
    """Two constant vectors have four outcomes, worked out by hand; theirs needs ``normalize: true``."""
    ones, opposing = np.full((150, 150), 1.0, np.float32), np.full((150, 150), -0.6, np.float32)
    wanted = {2.0: 0.5, -1.2: 0.25, 0.0: 0.25}  # the first kept; only the second; none
    for found in (difference("dare_ties", [ones, opposing], (1.0, 1.0), density=0.5, normalize=True),
                  ours([ones, opposing], "dare_ties", density=0.5)):  # fmt: skip
        for value, share in wanted.items():
            assert np.mean(np.abs(found - value) < 0.05) == pytest.approx(share, abs=5 * 0.5 / 150)


def test_dare_ties_there_adds_what_agrees_unless_told_to_normalize(difference, ours, deltas):
    summed, averaged = (difference("dare_ties", deltas, WEIGHTS, density=1.0, normalize=n) for n in (False, True))
    np.testing.assert_allclose(ours(deltas, "dare_ties", WEIGHTS, density=1.0), averaged, **CLOSE)
    assert np.abs(summed - averaged).max() > 0.1


def test_what_a_common_factor_of_the_weights_does(difference, ours, deltas):
    pair = deltas[:2]
    for own, theirs, given, factor in (("sum", "task_arithmetic", {}, 5), ("ties", "ties", {"density": 0.4}, 1)):
        few, many = ((ours(pair, own, w, **given), difference(theirs, pair, w, **given)) for w in ((2, 1), (10, 5)))
        for one, two in zip(few, many, strict=True):
            np.testing.assert_allclose(two, factor * one, **CLOSE)


def test_weights_that_add_up_to_nothing(mergekit, deltas):
    """Their mean divides by zero, ours is refused."""
    with np.errstate(all="ignore"):
        theirs = mergekit("linear", None, [{"w": d} for d in deltas[:2]], (1.0, -1.0))["w"]
    assert not np.isfinite(theirs).any()
    with pytest.raises(SettingError, match="add up to 0"):
        merge(vectors_of(deltas[:2]), "mean", (1.0, -1.0)).apply({"w": np.zeros((40, 30), np.float32)})


def test_half_precision_is_summed_in_single_here_and_in_half_there(mergekit):
    """Ours is the exact sum, rounded once; theirs is too with ``dtype: float32`` and rounds at every step without."""
    import torch

    generator = np.random.default_rng(5)
    base = {"w": generator.standard_normal((200, 50)).astype(np.float16)}
    tuned = [{"w": base["w"] + (0.01 * generator.standard_normal((200, 50))).astype(np.float16)} for _ in range(4)]
    weights = (0.3, 0.3, 0.3, 0.3)
    exact = base["w"].astype(np.float64) + sum(0.3 * (m["w"].astype(np.float64) - base["w"]) for m in tuned)
    merged = merge([TaskVector.diff(m, base) for m in tuned], "sum", weights).apply(base)
    found = whole(merged, "w")
    theirs = mergekit("task_arithmetic", base, tuned, weights)["w"]
    single = mergekit("task_arithmetic", base, tuned, weights, dtype=torch.float32)["w"].astype(np.float16)
    assert merged.layout["w"].dtype == "F16"
    assert theirs.dtype == np.float16
    half = np.spacing(np.abs(exact).astype(np.float16)).astype(np.float64) / 2
    assert np.max(np.abs(found - exact) / half) <= 1.001
    assert np.max(np.abs(theirs - exact) / half) > 1.5
    np.testing.assert_array_equal(found, single)


def test_they_have_none_of_the_spectral_methods(mergekit):
    from mergekit.merge_methods import registered_methods

    names = {method.spec.name for method in registered_methods()}
    assert not names & {"tsv", "tsv_m", "iso", "iso_c", "lore", "magnitude", "remove", "ema"}
    assert {"linear", "ties", "della", "breadcrumbs", "model_stock", "sce", "karcher"} <= names


def test_a_base_that_is_listed_among_the_models_counts_there(mergekit, models):
    """``linear`` sees models and no base: with the base as one of them, its weight thins the others' out."""
    base, (one, *_) = models
    theirs = mergekit("linear", None, [base, one], (1.0, 1.0))
    among = merge([TaskVector.diff(base, base), TaskVector.diff(one, base)], "mean").apply(base)
    half = (0.5 * TaskVector.diff(one, base)).apply(base)
    for name, values in theirs.items():
        np.testing.assert_allclose(whole(among, name), values, **CLOSE)
        np.testing.assert_allclose(whole(half, name), values, **CLOSE)
