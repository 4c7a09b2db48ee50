"""Sketches against the literal definition, their products against the exact ones, and the space that they make."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from taskspace import Atlas, TaskEmbedding
from taskspace.errors import SettingError, SpaceMismatch, WeightsError
from taskspace.merging import TaskVector
from taskspace.merging.carriers import Factors, Pair, combine
from taskspace.merging.sketch import sketch

SHAPES = {"layer.weight": (9, 7), "layer.bias": (9,), "conv.weight": (4, 3, 2, 2), "scale": (), "none": (0, 5)}


def arrays(seed, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def vector(seed, shapes=SHAPES, name="t"):
    return TaskVector.from_arrays(arrays(seed, shapes), name=name)


def pair(seed, m, n, rank, *, transposed=False, shape=None):
    rng = np.random.default_rng(seed)
    up, down = (rng.standard_normal(s).astype(np.float32) for s in ((m, rank), (rank, n)))
    return Pair(up, down, shape or ((n, m) if transposed else (m, n)), transposed)


def literal(tensors, dims, seed):
    """Entry by entry, as the definition reads."""
    total = np.zeros(dims)
    for name, values in tensors.items():
        matrix = values.reshape(values.shape[0] if values.ndim else 1, -1) if values.size else np.zeros((0, 0))
        rows, columns = (
            drawn(f"{seed}/{axis}/{name}", n) for axis, n in zip(("rows", "columns"), matrix.shape, strict=True)
        )
        for i, j in np.ndindex(*matrix.shape):
            sign = (1 - 2 * (rows[i] % 2)) * (1 - 2 * (columns[j] % 2))
            total[(rows[i] // 2 % dims + columns[j] // 2 % dims) % dims] += sign * float(matrix[i, j])
    return total


def drawn(what, count):
    key = np.frombuffer(hashlib.sha256(what.encode()).digest()[:16], dtype="<u8")
    return [int(draw) for draw in np.random.Philox(key=key).random_raw(count)]


@pytest.mark.parametrize("dims", [1, 2, 7, 64])
def test_the_definition(dims):
    found = sketch(vector(0).carrier, dims=dims, seed=3)
    np.testing.assert_allclose(found, literal(arrays(0), dims, 3), atol=1e-9)


@given(st.integers(1, 80), st.integers(0, 5))
def test_read_in_pieces_it_is_the_same_to_the_bit(stretch, seed):
    carrier = vector(seed).carrier
    assert np.array_equal(sketch(carrier, dims=16, stretch=stretch), sketch(carrier, dims=16))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dims", [1, 15, 256])
def test_factors_are_sketched_as_their_product(transposed, dims):
    one = pair(1, 9, 7, 3, transposed=transposed)
    product = one.up @ one.down
    dense = TaskVector.from_arrays({"w": product.T if transposed else product})
    found = sketch(Factors.of({"w": one}), dims=dims)
    np.testing.assert_allclose(found, sketch(dense.carrier, dims=dims), rtol=1e-4, atol=1e-4)


def test_factors_of_a_convolution_too():
    one = pair(1, 4, 12, 2, shape=(4, 3, 2, 2))
    dense = TaskVector.from_arrays({"w": (one.up @ one.down).reshape(one.shape)})
    np.testing.assert_allclose(sketch(Factors.of({"w": one}), dims=32), sketch(dense.carrier, dims=32), atol=1e-4)


def test_it_is_linear_whatever_the_parts_are():
    factored, dense = TaskVector(Factors.of({"layer.weight": pair(1, 9, 7, 2)})), vector(2)
    both = combine([(2.0, factored.carrier), (-0.5, dense.carrier)])
    wanted = 2 * sketch(factored.carrier, dims=32) - 0.5 * sketch(dense.carrier, dims=32)
    np.testing.assert_allclose(sketch(both, dims=32), wanted, atol=1e-9)


def products(one, two, dims, seeds):
    return np.array([sketch(one, dims=dims, seed=s) @ sketch(two, dims=dims, seed=s) for s in range(seeds)])


def normed(tensors):
    size = np.sqrt(sum(float(np.sum(v.astype(float) ** 2)) for v in tensors.values()))
    return {name: (values / size).astype(np.float32) for name, values in tensors.items()}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (vector(1), vector(2)),
        (vector(1), vector(1) + 0.3 * vector(2)),
        # As bad as it gets: one column, so that every collision of rows counts.
        (TaskVector.from_arrays({"w": np.ones((12, 1), np.float32)}),) * 2,
        (TaskVector.from_arrays({"w": np.ones((12, 12), np.float32)}),) * 2,
        (TaskVector.from_arrays({"w": np.outer([1, 1], [1, 1])[:, :1].astype("f4") @ np.ones((1, 3), "f4")}),) * 2,
    ],
)
def test_inner_products_are_unbiased_and_their_variance_is_as_stated(one, two):
    dims, seeds = 16, 600
    found = products(one.carrier, two.carrier, dims, seeds)
    bound = (6 + 4 / dims) / dims * (one.norm * two.norm) ** 2
    assert abs(found.mean() - one @ two) < 5 * np.sqrt(bound / seeds)
    assert found.var() < bound
    assert found.var() > 0.05 * bound


def test_changes_over_many_directions_have_a_variance_of_one_in_dims():
    shapes = {f"{i}.weight": (40, 40) for i in range(4)}
    one, two = vector(1, shapes), vector(2, shapes)
    found = products(one.carrier, two.carrier, 64, 300) / (one.norm * two.norm)
    assert 0.6 / 64 < found.var() < 1.6 / 64


def test_one_base_is_one_space_whatever_tensors_are_named(tmp_path):
    base = arrays(0)
    save_file(base, tmp_path / "base.safetensors")
    tuned = {name: values + 1 for name, values in base.items()}
    part = {"layer.bias": tuned["layer.bias"]}
    one = TaskVector.diff(tuned, tmp_path / "base.safetensors", name="one").embed(dims=8)
    two = TaskVector.diff({**base, **part}, base, name="two", ignore=["scale"]).embed(dims=8)
    assert one.space == two.space  # the same numbers, from a file and from memory
    assert (one.kind, one.name, one.provenance["tensors"], one.provenance["rank"]) == ("adapter", "one", 5, None)
    assert one.provenance["norm"] == pytest.approx(np.sqrt(sum(values.size for values in base.values())))
    other = {**base, "none": base["none"], "scale": base["scale"] + 1}
    with pytest.raises(SpaceMismatch, match="differ in weights"):
        one.similarity(TaskVector.diff(tuned, other).embed(dims=8))
    with pytest.raises(SpaceMismatch, match="differ in settings"):
        one.similarity(TaskVector.diff(tuned, base).embed(dims=16))
    with pytest.raises(SpaceMismatch, match="differ in seed"):
        one.similarity(TaskVector.diff(tuned, base).embed(dims=8, seed=1))


def test_the_base_stays_known_through_sums_and_files(tmp_path):
    base = arrays(0)
    one, two = (TaskVector.diff({n: v + s for n, v in base.items()}, base, name=f"t{s}") for s in (1, 2))
    mixed = one - 0.5 * two
    assert mixed.embed().space == one.embed().space
    assert mixed.embed().name == "t1 - 0.5*t2"
    wanted = one.embed(dims=64).vector - 0.5 * two.embed(dims=64).vector
    np.testing.assert_allclose(mixed.embed(dims=64).vector, wanted, atol=1e-5)
    mixed.save(tmp_path / "mixed.safetensors")
    again = TaskVector.load(tmp_path / "mixed.safetensors").embed()
    assert again.similarity(mixed.embed()) == pytest.approx(1)


def test_vectors_of_zeros_and_of_nothing_say_nothing():
    one = vector(1)
    nothing = (one - one).embed(dims=8)
    assert not nothing.informative
    assert nothing.provenance["weights"] == {}
    assert one.embed(dims=8).similarity(nothing) == 0


def test_settings_and_numbers_that_make_no_sense():
    with pytest.raises(SettingError, match="dims is 0; give at least 1"):
        vector(1).embed(dims=0)
    broken = TaskVector.from_arrays({"w": np.array([1, np.nan], np.float32)})
    with pytest.raises(WeightsError, match="NaN"):
        broken.embed()


def test_an_atlas_keeps_them_and_ranks_them(tmp_path):
    base = arrays(0)
    tuned = {f"t{seed}": TaskVector.diff({n: base[n] + v for n, v in arrays(seed).items()}, base) for seed in (1, 2, 3)}
    near = 0.9 * tuned["t1"] + 0.2 * tuned["t2"]
    with Atlas(tmp_path / "a.db") as atlas:
        atlas.add(*(v.embed(name) for name, v in tuned.items()))
        assert next(iter(atlas.near(near.embed("mine")))).name == "t1"
        assert {hit.name for hit in atlas.rank(near.embed("mine"))} == set(tuned)
    tuned["t1"].embed("t1").save(tmp_path / "t1.safetensors")
    assert TaskEmbedding.load(tmp_path / "t1.safetensors").space == near.embed().space


def test_content_names_every_number(tmp_path):
    """Also those of a large tensor that a sample of its bytes does not meet."""
    base = {"w": np.zeros((300, 40), np.float32)}
    one, two = ({"w": np.ones((300, 40), np.float32)} for _ in "ab")
    two["w"][111, 7] = 2
    save_file(one, tmp_path / "one.safetensors")
    contents = [TaskVector.diff(t, base).embed(dims=8).content for t in (one, two, tmp_path / "one.safetensors")]
    assert contents[0] == contents[2] != contents[1]
    assert (2 * TaskVector.diff(one, base)).embed(dims=8).content != contents[0]
    factors = [TaskVector(Factors.of({"w": pair(seed, 9, 7, 2)})).embed(dims=8).content for seed in (1, 2, 1)]
    assert factors[0] == factors[2] != factors[1]


@given(st.integers(1, 80))
def test_content_does_not_depend_on_how_much_is_read_at_once(stretch):
    seen = [hashlib.sha256(), hashlib.sha256()]
    sketch(vector(0).carrier, dims=4, stretch=stretch, watch=seen[0].update)
    sketch(vector(0).carrier, dims=4, watch=seen[1].update)
    assert seen[0].digest() == seen[1].digest()
