from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import SettingError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import whole
from taskspace.merging.recipe import read_recipe, recipe_of

MODELS = [{"model": "a", "parameters": {"weight": 1.0}}, {"model": "b", "parameters": {"weight": 0.5}}]


def test_keys_of_mergekit_are_read_by_our_names():
    found = recipe_of(
        {
            "merge_method": "task_arithmetic", "base_model": "base", "models": [{"model": "base"}, *MODELS],
            "parameters": {"lambda": 0.7}, "dtype": "bfloat16",
        }
    )  # fmt: skip
    assert (found.method, found.base, found.models) == ("sum", "base", ("a", "b"))
    assert (found.weights, found.scale, found.dtype) == ((1.0, 0.5), 0.7, "BF16")


def test_options_of_models_must_be_one():
    same = [{"model": m, "parameters": {"weight": 1.0, "density": 0.3}} for m in "ab"]
    assert recipe_of({"merge_method": "ties", "base_model": "x", "models": same}).options == {"density": 0.3}
    same[1]["parameters"]["density"] = 0.4
    with pytest.raises(SettingError, match="one for all"):
        recipe_of({"merge_method": "ties", "base_model": "x", "models": same})


def test_slerp_goes_by_t():
    found = recipe_of({"merge_method": "slerp", "models": ["a", "b"], "parameters": {"t": 0.3}})
    assert (found.method, found.options) == ("slerp", {"alpha": 0.3})


def test_other_methods_go_to_mergekit():
    found = recipe_of({"merge_method": "della", "base_model": "x", "models": MODELS, "parameters": {"epsilon": 0.1}})
    assert (found.method, found.options, found.weights) == ("mergekit:della", {"epsilon": 0.1}, (1.0, 0.5))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"slices": []}, "slices"),
        ({"tokenizer_source": "union"}, "tokenizer_source"),
        ({"merge_methods": "x"}, "did you mean 'merge_method'"),
        ({"merge_method": ""}, "no merge_method"),
        ({"models": []}, "no models"),
        ({"models": [{"weight": 1}]}, "no model; give its path"),
        ({"models": ["x"]}, "no model but its base"),
        ({"parameters": {"normalize": False}}, "normalize"),
        ({"parameters": {"weight": [0.1, 0.5]}, "models": ["a"]}, "by layer"),
        ({"dtype": "float"}, "dtype"),
    ],
)
def test_what_is_not_done_here_is_refused(change, match, one_sentence):
    with pytest.raises(SettingError, match=match) as caught:
        recipe_of({"merge_method": "ties", "base_model": "x", "models": MODELS} | change)
    assert one_sentence(caught.value)


def test_a_file_that_is_no_recipe(tmp_path, one_sentence):
    for name, text in (("broken.yml", "merge_method: [a"), ("list.yml", "- a"), ("absent.yml", None)):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(SettingError) as caught:
            read_recipe(tmp_path / name)
        assert one_sentence(caught.value)


def test_a_file_merges_like_the_same_call(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("base", "a", "b"):
        save_file({"w": generator.standard_normal((4, 3)).astype(np.float32)}, tmp_path / f"{name}.safetensors")
    where = {name: str(tmp_path / f"{name}.safetensors") for name in ("base", "a", "b")}
    (tmp_path / "recipe.yml").write_text(
        f"merge_method: ties\nbase_model: {where['base']}\nmodels:\n  - model: {where['a']}\n    parameters:\n"
        f"      weight: 1\n  - model: {where['b']}\n    parameters: {{weight: 0.5}}\n"
        "parameters: {density: 0.5, lambda: 2}\n"
    )
    by_file = read_recipe(tmp_path / "recipe.yml").merged().apply(where["base"])
    vectors = [TaskVector.diff(where[name], where["base"]) for name in "ab"]
    by_call = merge(vectors, "ties", [1, 0.5], density=0.5, scale=2).apply(where["base"])
    np.testing.assert_array_equal(whole(by_file, "w"), whole(by_call, "w"))
