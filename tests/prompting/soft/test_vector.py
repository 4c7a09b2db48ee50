from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import PromptError
from taskspace.prompting.soft import PromptVector, SoftPrompt
from taskspace.tuning.identity import BackboneId

SMALL = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
TABLES = arrays(np.float32, (2, 3), elements=SMALL)
NUMBERS = st.floats(-100, 100, allow_subnormal=False)
BACKBONE = BackboneId("org/tiny", "c0ffee", "encoder", 3, 100, "t" * 64)


def vector(values, task="a", init="0"):
    return PromptVector(values, BACKBONE, {task: 1.0}, init)


@st.composite
def vectors(draw):
    return vector(draw(TABLES), draw(st.sampled_from("abc")), draw(st.sampled_from("01")))


def size(*these):
    """A scale for rounding: float32 rounds each number to a 2**-24 of its size."""
    return max(1e-30, *(float(np.abs(v.values).max()) for v in these))


def near(one, other, scale):
    np.testing.assert_allclose(one.values, other.values, rtol=0, atol=4 * 2**-24 * scale + 1e-44)
    for task in {*one.weights, *other.weights}:
        assert one.weights.get(task, 0.0) == pytest.approx(other.weights.get(task, 0.0), rel=1e-9, abs=1e-9)


def same(one, other):
    assert np.array_equal(one.values, other.values)
    assert one.weights == other.weights
    assert one.inits == other.inits


# The laws


@given(vectors(), vectors())
def test_addition_is_commutative(a, b):
    same(a + b, b + a)


@given(vectors(), vectors(), vectors())
def test_addition_is_associative_up_to_rounding(a, b, c):
    near((a + b) + c, a + (b + c), 3 * size(a, b, c))


@given(vectors(), vectors(), NUMBERS)
def test_numbers_distribute_over_vectors(a, b, x):
    near(x * (a + b), x * a + x * b, 2 * abs(x) * size(a, b))


@given(vectors(), NUMBERS, NUMBERS)
def test_vectors_distribute_over_numbers(a, x, y):
    near((x + y) * a, x * a + y * a, (abs(x) + abs(y)) * size(a))


@given(vectors(), NUMBERS, NUMBERS)
def test_products_are_associative(a, x, y):
    near((x * y) * a, x * (y * a), (1 + abs(x)) * (1 + abs(y)) * size(a))


@given(vectors())
def test_each_vector_has_an_inverse(a):
    for zero in (a - a, a + -a, -a + a, 0 * a):
        assert not zero.values.any()
        assert zero.weights == {}
        assert zero.inits == ()
    same(a + (a - a), a)


@given(vectors(), vectors())
def test_the_neutral_ones(a, b):
    same(1 * a, a)
    same(a * 1.0, a)
    same(negative := -a, 0 * a - a)
    same(-negative, a)
    same(a - b, a + -b)
    same(2 * a, a + a)
    same(a / 2, 0.5 * a)
    same(sum([a, b]), a + b)


@given(vectors(), vectors(), st.floats(0.01, 100))
def test_cosine_is_of_directions(a, b, x):
    assert -1 <= a.cosine(b) <= 1
    assert a.cosine(b) == b.cosine(a)
    assert (x * a).cosine(b) == pytest.approx(a.cosine(b), abs=1e-6)
    assert (-a).cosine(b) == pytest.approx(-a.cosine(b), abs=1e-12)
    if a.values.any():
        assert a.cosine(a) == pytest.approx(1, abs=1e-12)


# There and back

WIDE = arrays(np.float32, (2, 3), elements=st.floats(width=32, min_value=-(2.0**100), max_value=2.0**100))


@given(WIDE, WIDE)
def test_the_own_init_gives_the_prompt_back_to_one_last_place(tokens, init):
    prompt = SoftPrompt(tokens, BACKBONE, "p", init, ("a",))
    again = prompt.vector.apply(prompt.init).tokens.astype(np.float64)
    larger = np.maximum(np.abs(tokens), np.abs(init))
    assert (np.abs(again - tokens) <= np.spacing(larger)).all()


@given(WIDE, arrays(np.float64, (2, 3), elements=st.floats(0.5, 2)))
def test_bit_for_bit_where_both_are_within_a_factor_of_two(init, factor):
    tokens = (init * factor).astype(np.float32)
    near_enough = (np.abs(tokens) <= 2 * np.abs(init)) & (np.abs(init) <= 2 * np.abs(tokens))
    again = SoftPrompt(tokens, BACKBONE, "p", init).vector.apply(init).tokens
    assert (again == tokens)[near_enough].all()


@given(arrays(np.int32, (2, 3), elements=st.integers(-(2**22), 2**22)))
def test_bit_for_bit_on_a_grid(steps):
    init = (steps * 2.0**-10).astype(np.float32)
    tokens = (steps[::-1] * 2.0**-10).astype(np.float32)
    assert SoftPrompt(tokens, BACKBONE, "p", init).vector.apply(init).tokens.tobytes() == (tokens + 0.0).tobytes()


def test_the_size_of_prompts_and_vocabulary_rows_comes_back_exactly_enough(rng):
    """Tiny vocabulary rows under a large tuned prompt: what the float32 of the vector loses, the sum does not need."""
    init = rng.standard_normal((50, 64)).astype(np.float32) * 0.01
    tokens = rng.standard_normal((50, 64)).astype(np.float32) * 5
    again = SoftPrompt(tokens, None, "p", init).vector.apply(init).tokens
    assert np.abs(again - tokens).max() <= np.spacing(np.abs(tokens).max())


def test_apply_by_hand():
    tau = vector([[1.0, -2.0, 0.5]], "a") - vector([[0.0, 1.0, 0.5]], "b")
    start = tau.apply(np.array([[10.0, 10.0, 10.0]]), 0.5)
    assert start.tokens.tolist() == [[10.5, 8.5, 10.0]]
    assert start.init.tolist() == [[10.0, 10.0, 10.0]]
    assert start.weights == {"a": 0.5, "b": -0.5}
    assert start.tasks == ("a", "b")
    assert start.name == "+0.5 a -0.5 b"
    assert start.backbone == BACKBONE
    assert start.provenance["scale"] == 0.5
    again = start.vector
    assert again.weights == {"a": 0.5, "b": -0.5}
    assert again.values.tolist() == [[0.5, -1.5, 0.0]]


def test_scale_zero_is_the_init_of_no_task():
    start = vector(np.ones((1, 3))).apply(np.full((1, 3), 2.0), 0)
    assert start.tokens.tolist() == start.init.tolist()
    assert start.tasks == ()


# What it is made of


def test_tuned_minus_init(make_prompt):
    prompt = make_prompt("mnli", seed=1, init=2)
    tau = prompt.vector
    np.testing.assert_array_equal(tau.values, prompt.tokens - prompt.init)
    assert tau.weights == {"mnli": 1.0}
    assert tau.init_id == SoftPrompt(prompt.init).fingerprint
    (source,) = tau.sources.values()
    assert source["name"] == "mnli"
    assert source["provenance"] == {"seed": 1}


def test_weights_are_signed_and_merge(make_prompt):
    a, b = make_prompt("a", seed=1).vector, make_prompt("b", seed=2).vector
    assert (a - b).weights == {"a": 1, "b": -1}
    assert (2 * a - b / 2).weights == {"a": 2, "b": -0.5}
    assert (a + b - a).weights == {"b": 1}
    assert (0.1 * a + 0.2 * a - 0.3 * a).weights == {}
    assert repr(2 * a - b) == "PromptVector(+2 a -b, 3 x 4 input, on org/tiny)"
    assert repr(a - a) == "PromptVector(0, 3 x 4 input, on org/tiny)"


def test_different_inits_add_and_all_are_kept(make_prompt):
    a, b = make_prompt("a", init=1).vector, make_prompt("b", init=2).vector
    both = a + b
    assert both.inits == tuple(sorted([a.init_id, b.init_id]))
    assert both.init_id == ""
    assert (both - b).init_id == a.init_id
    assert (a + make_prompt("c", init=1).vector).init_id == a.init_id


def test_one_task_from_two_inits_may_cancel_as_a_task_only(make_prompt):
    a, b = make_prompt("a", init=1, seed=1).vector, make_prompt("a", init=2, seed=2).vector
    difference = a - b
    assert difference.weights == {}
    assert difference.values.any()
    assert sorted(source["weight"] for source in difference.sources.values()) == [-1, 1]
    assert len(difference.inits) == 2


def test_the_better_known_backbone_stays(make_prompt, backbone_of):
    named = make_prompt(backbone=backbone_of(table="")).vector
    unknown = make_prompt(backbone=None).vector
    known = make_prompt().vector
    for sum_ in (named + known, known + named, unknown + known, known + unknown):
        assert sum_.backbone == backbone_of()
    assert (unknown + unknown).backbone is None


# What does not fit


def test_what_does_not_add(make_prompt, backbone_of, one_sentence):
    a = make_prompt().vector
    for other, said in (
        (make_prompt(backbone=backbone_of(name="org/other", table="u" * 64)), "org/tiny and on org/other"),
        (make_prompt(backbone=backbone_of(name="org/other", table="")), "org/tiny and on org/other"),
        (make_prompt(backbone=backbone_of(table="u" * 64)), "not known to be the same"),
        (make_prompt(backbone=None, width=5), "4 wide and one 5"),
        (make_prompt(m=2), "3 tokens and one 2"),
        (make_prompt(layout="prefix"), "for the input and one for the prefix"),
    ):
        for act in (a.__add__, a.__sub__, a.cosine):
            with pytest.raises(PromptError, match=said) as caught:
                act(other.vector)
            assert one_sentence(caught.value)
        with pytest.raises(PromptError, match=said):
            a.apply(other)


def test_the_table_counts_more_than_the_name(make_prompt, backbone_of):
    a = make_prompt().vector
    assert (a + make_prompt(backbone=backbone_of(name="/models/mine")).vector).length == 3
    short = make_prompt(backbone=backbone_of(name="Tiny", table="")).vector
    assert (a + short).length == 3


def test_an_unknown_among_many_does_not_hide_that_the_others_differ(make_prompt, backbone_of):
    from taskspace.prompting.soft.combine import total

    unknown = make_prompt(backbone=None).vector
    other = make_prompt(backbone=backbone_of(table="u" * 64)).vector
    with pytest.raises(PromptError, match="not known to be the same"):
        total([unknown, make_prompt().vector, other])


@pytest.mark.parametrize("act", [
    lambda v: v / 0, lambda v: v * float("nan"), lambda v: float("inf") * v, lambda v: v / float("nan"),
    lambda v: v / 5e-324, lambda v: 1e39 * v, lambda v: 1e300 * (1e30 * v),
    lambda v: v.apply(np.ones((2, 3)), float("nan")),
    lambda v: v.apply(np.ones((2, 3)), 1e39), lambda v: v.apply(np.full((2, 3), np.nan)), lambda v: v.apply([[1.0]]),
])  # fmt: skip
def test_numbers_that_cannot_be(act, one_sentence):
    with pytest.raises(PromptError) as caught:
        act(vector(np.full((2, 3), 2.0)))
    assert one_sentence(caught.value)


def test_prompts_too_far_apart_for_float32(one_sentence):
    huge = np.full((1, 3), 3e38)
    with pytest.raises(PromptError, match="too large") as caught:
        _ = SoftPrompt(huge, BACKBONE, "p", -huge).vector
    assert one_sentence(caught.value)


@pytest.mark.parametrize("other", ["2", None, [1.0], np.ones(3), 1j])
def test_what_is_no_number_is_a_type_error(other):
    v = vector(np.ones((2, 3)))
    for act in (lambda: v * other, lambda: other * v, lambda: v + other, lambda: v / other, lambda: v - other):
        with pytest.raises(TypeError):
            act()


def test_numbers_of_numpy_on_either_side():
    v = vector(np.ones((2, 3)))
    for two in (2, 2.0, np.float32(2), np.float64(2), np.int64(2)):
        same(two * v, 2 * v)
        same(v * two, 2 * v)


def test_a_vector_of_zeros():
    zero, one = vector(np.zeros((2, 3))), vector(np.ones((2, 3)))
    assert zero.norm == 0
    assert zero.cosine(one) == one.cosine(zero) == zero.cosine(zero) == 0
    assert zero.apply(np.ones((2, 3))).tokens.tolist() == np.ones((2, 3)).tolist()


def test_norm_and_cosine_by_hand():
    a, b = vector([[3.0, 0.0, 4.0]]), vector([[3.0, 4.0, 0.0]])
    assert a.norm == 5
    assert a.cosine(b) == pytest.approx(9 / 25, abs=1e-15)


def test_norms_of_large_numbers_do_not_overflow():
    assert vector(np.full((1, 3), 1e30)).norm == pytest.approx(3**0.5 * 1e30)


# Files


def test_there_and_back(tmp_path, make_prompt):
    v = make_prompt("a", init=1).vector - 0.5 * make_prompt("b", init=2).vector
    path = v.save(tmp_path / "v.safetensors")
    again = PromptVector.load(path)
    same(again, v)
    assert again.backbone == v.backbone
    assert again.sources == v.sources
    same(again + v, 2 * v)
    assert [child.name for child in tmp_path.iterdir()] == ["v.safetensors"]


def test_a_vector_that_cannot_be_saved_leaves_the_old_one(tmp_path, make_prompt, one_sentence):
    path = make_prompt("a").vector.save(tmp_path / "v.safetensors")
    before = path.read_bytes()
    odd = replace(make_prompt("b").vector, provenance={"recipe": object()})
    for target, said in (
        (path, "JSON"),
        (tmp_path / "no" / "v.safetensors", "cannot write"),
        (tmp_path, "cannot write"),
    ):
        with pytest.raises(PromptError, match=said) as caught:
            (odd if said == "JSON" else make_prompt().vector).save(target)
        assert one_sentence(caught.value)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["v.safetensors"]


def test_files_that_are_no_vector(tmp_path, make_prompt, one_sentence):
    from safetensors.numpy import save_file

    good = make_prompt().vector.save(tmp_path / "good.safetensors").read_bytes()
    (tmp_path / "text.safetensors").write_text("hello, hello, hello")
    (tmp_path / "cut.safetensors").write_bytes(good[:-4])
    save_file({"vector": np.ones((2, 2), np.float32)}, tmp_path / "plain.safetensors")
    for name, header in (
        ("newer", {"format": 2}), ("list", [1]), ("bare", {"format": 1, "kind": "prompt vector"}),
        ("odd", {"format": 1, "kind": "prompt vector", "backbone": {"no": 1}, "weights": {}, "init_id": "",
                 "provenance": {}, "layout": "input"}),
    ):  # fmt: skip
        save_file(
            {"vector": np.ones((2, 2), np.float32)}, tmp_path / f"{name}.safetensors", {"taskspace": json.dumps(header)}
        )
    save_file({"vector": np.ones((2, 2), np.float32)}, tmp_path / "broken.safetensors", {"taskspace": "{"})
    for name in ("text", "cut", "plain", "newer", "list", "bare", "odd", "broken", "missing"):
        with pytest.raises(PromptError, match=f"{name}.safetensors") as caught:
            PromptVector.load(tmp_path / f"{name}.safetensors")
        assert one_sentence(caught.value), caught.value
    with pytest.raises(PromptError, match="cannot read"):
        PromptVector.load(tmp_path)
