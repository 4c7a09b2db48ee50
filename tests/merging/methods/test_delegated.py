"""Methods of mergekit through ours, beside mergekit's own calls on the same numbers."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from taskspace.errors import SettingError, WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole
from taskspace.merging.recipe import recipe_of

SHAPES = {"a.weight": (9, 6), "b.weight": (4, 3, 2), "b.bias": (12,)}
WEIGHTS = (1.0, 0.5, 0.25)


@pytest.fixture(scope="module")
def mergekit():
    """Its API; the import takes seconds and warns of what is its own."""
    pytest.importorskip("mergekit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mergekit.merge_methods import api
    return api


def tensors(seed):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture
def base():
    return tensors(0)


@pytest.fixture
def tuned(base):
    return [{name: base[name] + 0.1 * delta for name, delta in tensors(seed).items()} for seed in (1, 2, 3)]


@pytest.fixture
def theirs(mergekit, base, tuned):
    """``theirs(method, count, **parameters)``: what ``merge_state_dicts`` makes of the base and so many models."""

    def run(method, count=3, *, based=True, **parameters):
        import torch

        states = {"base": base} if based else {}
        states |= {f"m{i}": model for i, model in enumerate(tuned[:count])}
        as_torch = {key: {n: torch.from_numpy(v) for n, v in state.items()} for key, state in states.items()}
        weight = {"weight": dict(zip([f"m{i}" for i in range(count)], WEIGHTS, strict=False))}
        merged = mergekit.merge_state_dicts(
            as_torch, method, parameters={**parameters, **(weight if parameters.get("weight") is WEIGHTS else {})},
            base="base" if based else None,
        )  # fmt: skip
        return {name: values.numpy() for name, values in merged.items()}

    return run


def vectors_of(tuned, base):
    return [TaskVector.diff(model, base, name=f"t{i}") for i, model in enumerate(tuned)]


def ours(tuned, base, method, weights="equal", **parameters):
    found = merge(vectors_of(tuned, base), f"mergekit:{method}", weights, **parameters).apply(base)
    return {name: whole(found, name) for name in found.layout}


def assert_same(found, wanted, **close):
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, **{"rtol": 1e-6, "atol": 1e-6, **close}, err_msg=name)


WEIGHTED = {
    "ties": {"density": 0.4},
    "task_arithmetic": {"lambda": 0.7},
    "breadcrumbs": {"density": 0.5, "gamma": 0.1},
    "breadcrumbs_ties": {"density": 0.5, "gamma": 0.2},
    "multislerp": {},
}
PLAIN = {"model_stock": {}, "sce": {"select_topk": 0.5}, "ram": {}, "ramplus_tl": {"r": 0.2}}


@pytest.mark.parametrize("method", WEIGHTED)
def test_weights_and_parameters_go_to_mergekit(theirs, base, tuned, method):
    parameters = WEIGHTED[method]
    assert_same(ours(tuned, base, method, WEIGHTS, **parameters), theirs(method, weight=WEIGHTS, **parameters))


@pytest.mark.parametrize("method", PLAIN)
def test_methods_without_weights(theirs, base, tuned, method):
    assert_same(ours(tuned, base, method, **PLAIN[method]), theirs(method, **PLAIN[method]))


@pytest.mark.parametrize(("method", "count"), [("nuslerp", 2), ("slerp", 1), ("nearswap", 1), ("arcee_fusion", 1)])
def test_methods_of_two_models(theirs, base, tuned, method, count):
    """``nuslerp`` takes two beside the base; the others go from the base to one."""
    given = {"nuslerp": {"weight": WEIGHTS}, "slerp": {"t": 0.3}, "nearswap": {"t": 0.05}}.get(method, {})
    own = {key: value for key, value in given.items() if key != "weight"}
    assert_same(ours(tuned[:count], base, method, WEIGHTS[:count], **own), theirs(method, count, **given))


@pytest.mark.parametrize(("method", "given"), [("linear", {"weight": WEIGHTS}), ("karcher", {"max_iter": 5})])
def test_methods_that_see_no_base(theirs, base, tuned, method, given):
    wanted = theirs(method, based=False, **given)
    own = {key: value for key, value in given.items() if key != "weight"}
    assert_same(ours(tuned, base, method, WEIGHTS, **own), wanted)
    alone = merge([TaskVector.diff(model, None) for model in tuned], f"mergekit:{method}", WEIGHTS, **own).apply(None)
    assert_same({name: whole(alone, name) for name in alone.layout}, wanted, rtol=0, atol=0)


def test_a_parameter_for_each_model_by_its_place(theirs, base, tuned):
    wanted = theirs("ties", weight=1.0, density=[0.2, 0.6, 1.0])
    for given in (
        {1: 0.2, 2: 0.6, 3: 1.0},
        {"1": 0.2, "2": 0.6, "3": 1.0},
        {1: 0.2, 2: 0.6},
        {1: 0.2, 2: 0.6, 3: None},
    ):
        assert_same(ours(tuned, base, "ties", density=given), wanted)


@pytest.mark.parametrize("method", ["della", "della_linear", "dare_linear", "dare_ties"])
def test_what_is_drawn_depends_on_the_seed_and_the_name_alone(mergekit, base, tuned, method):
    import torch

    before = torch.random.get_rng_state()
    one, again, other = (ours(tuned, base, method, density=0.5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same(one, again, rtol=0, atol=0)
    assert any(np.abs(one[name] - other[name]).max() > 0.01 for name in one)
    few = {name: base[name] for name in list(base)[1:]}
    rest = ours([{name: model[name] for name in few} for model in tuned], few, method, density=0.5, seed=1)
    assert_same(rest, {name: one[name] for name in few}, rtol=0, atol=0)


def test_della_keeps_large_numbers_more_often(mergekit):
    """Probabilities run from density - epsilon for the smallest to density + epsilon for the largest of a row."""
    base = {"w": np.zeros((200, 11), np.float32)}
    tuned = [{"w": np.tile(np.linspace(0.1, 1.1, 11, dtype=np.float32), (200, 1))}]
    kept = [ours(tuned, base, "della", density=0.5, epsilon=0.4, seed=seed)["w"] != 0 for seed in range(5)]
    found = np.mean(kept, axis=(0, 1))
    np.testing.assert_allclose(found, np.linspace(0.1, 0.9, 11), atol=4 * np.sqrt(0.25 / 1000))


@pytest.fixture
def files(base, tuned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, state in [("base", base), *((f"m{i}", model) for i, model in enumerate(tuned))]:
        save_file({key: values.astype(np.float16) for key, values in state.items()}, f"{name}.safetensors")
    return ["m0.safetensors", "m1.safetensors", "m2.safetensors"]


@pytest.mark.parametrize("stretch", [1, 7, 10_000])
@pytest.mark.parametrize(("method", "parameters"), [("della", {"density": 0.5}), ("sce", {"select_topk": 0.5})])
def test_streamed_equals_in_memory_bit_for_bit(mergekit, files, tmp_path, method, parameters, stretch):
    merged = merge([TaskVector.diff(f, "base.safetensors") for f in files], f"mergekit:{method}", **parameters)
    held = merged.apply("base.safetensors")
    merged.apply("base.safetensors", "out.safetensors", stretch=stretch)
    written = load_file("out.safetensors")
    for name in held.layout:
        np.testing.assert_array_equal(whole(held, name), written[name], err_msg=name)


@pytest.fixture
def command(monkeypatch):
    """Run ``taskspace merge`` in this process; gives the exit code."""
    from taskspace.cli import main

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["taskspace", "merge", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0

    return run


def test_by_the_command_and_by_a_recipe(command, mergekit, files, theirs, tmp_path):
    """The recipe is mergekit's own file; what has no method of ours goes to it."""
    options = ("--method", "mergekit:sce", "--set", "select_topk=0.5")
    assert command(*files, "--base", "base.safetensors", "-o", "one.safetensors", *options) == 0
    said = {
        "merge_method": "sce", "base_model": "base.safetensors", "models": [{"model": file} for file in files],
        "parameters": {"select_topk": 0.5}, "dtype": "float32",
    }  # fmt: skip
    (tmp_path / "recipe.yml").write_text(json.dumps(said))
    assert command("--recipe", "recipe.yml", "-o", "two.safetensors") == 0
    wanted = theirs("sce", select_topk=0.5)
    assert_same(load_file("two.safetensors"), wanted, rtol=2e-3, atol=2e-3)  # the files are float16
    assert load_file("two.safetensors")["a.weight"].dtype == np.float32
    assert_same(load_file("one.safetensors"), wanted, rtol=2e-3, atol=2e-3)


def test_a_recipe_says_parameters_of_single_models(mergekit, files, theirs):
    models = [
        {"model": "base.safetensors"},
        {"model": files[0], "parameters": {"weight": 1.0, "density": 0.4}},
        {"model": files[1], "parameters": {"weight": 0.5}},
        {"model": files[2], "parameters": {"weight": 0.25, "gamma": 0.2}},
    ]
    recipe = recipe_of({"merge_method": "breadcrumbs", "base_model": "base.safetensors", "models": models})
    assert recipe.method == "mergekit:breadcrumbs"
    found = recipe.merged().apply("base.safetensors", dtype="F32")
    wanted = theirs("breadcrumbs", weight=WEIGHTS, density=[0.4, 1.0, 1.0], gamma=[0.01, 0.01, 0.2])
    assert_same({name: whole(found, name) for name in found.layout}, wanted, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(
    ("method", "parameters", "hint"),
    [
        ("della_liner", {}, "did you mean 'della_linear'?"),
        ("ties", {"densty": 0.2}, "did you mean 'density'?"),
        ("ties", {"density": "much"}, "density is 'much'"),
        ("ties", {"density": [0.2, 0.4, 0.6]}, "by its place"),
        ("ties", {"density": {1: 0.2, 4: 0.3}}, "each place from 1 to 3"),
        ("model_stock", {"filter_wise": "perhaps"}, "filter_wise is 'perhaps'"),
        ("nearswap", {"t": 0.1}, "exactly 2 inputs"),
        ("della", {"density": 0.9, "epsilon": 0.2}, "density +/- epsilon"),
        ("ramplus_tl", {"seed": "one"}, "whole number"),
    ],
)
def test_one_sentence_for_what_mergekit_does_not_take(mergekit, base, tuned, one_sentence, method, parameters, hint):
    with pytest.raises(SettingError) as caught:
        merge(vectors_of(tuned, base), f"mergekit:{method}", **parameters)
    assert hint in str(caught.value)
    assert one_sentence(caught.value)


def test_the_command_says_it_too(command, mergekit, files, capsys, tmp_path):
    words = (*files, "--base", "base.safetensors", "-o", "out.safetensors", "--method", "mergekit:ties")
    assert command(*words, "--set", "densty=0.2") == 2
    assert "did you mean 'density'?" in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()


def test_a_missing_parameter_and_too_few_models(mergekit, base, tuned, one_sentence):
    for count, method, hint in ((1, "slerp", "parameter t"), (1, "model_stock", "at least 3 inputs")):
        with pytest.raises(SettingError, match=hint) as caught:
            merge(vectors_of(tuned[:count], base), f"mergekit:{method}")
        assert one_sentence(caught.value)


def test_sums_adapters_and_missing_bases_are_refused(mergekit, base, tuned, tmp_path, one_sentence):
    from taskspace.merging.carriers import Factors, Pair

    a, b, c = vectors_of(tuned, base)
    pair = Pair(np.ones((9, 2), np.float32), np.ones((2, 6), np.float32), (9, 6))
    adapter = TaskVector(Factors.of({"a.weight": pair}), {"adapter": 1.0})
    for wrong in ([a + b, c], [a, adapter], [TaskVector.diff(tuned[0], None), TaskVector.diff(tuned[1], None)]):
        with pytest.raises(WeightsError, match="sees models") as caught:
            merge(wrong, "mergekit:ties", density=0.5)
        assert one_sentence(caught.value)


def test_a_tensor_that_mergekit_cannot_do_is_named(mergekit, one_sentence):
    """DELLA ranks the numbers of a row, and one number alone has no rank to divide by."""
    base = {"w": np.ones((3, 4), np.float32), "scale": np.ones(1, np.float32)}
    merged = merge([TaskVector.diff({n: v + 1 for n, v in base.items()}, base)], "mergekit:della", density=0.5)
    with pytest.raises(SettingError, match="'scale'") as caught:
        merged.apply(base)
    assert one_sentence(caught.value)


def test_empty_tensors_and_scalars(mergekit):
    base = {"none": np.zeros((0, 4), np.float32), "one": np.float32(1.0)}
    found = ours([{**base, "one": np.float32(3.0)}], base, "task_arithmetic", [0.5])
    assert found["none"].shape == (0, 4)
    assert found["one"] == 2.0
