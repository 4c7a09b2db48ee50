from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import SettingError, WeightsError
from taskspace.merging import TaskVector, merge
from taskspace.merging.checkpoint import Checkpoint, whole
from taskspace.merging.recipe import Recipe, read_recipe, recipe_of
from taskspace.merging.spelled import spelled

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


def test_what_a_file_does_not_say_is_as_mergekit_has_it():
    said = {"base_model": "x", "models": ["a", "b"]}
    for method in ("ties", "dare_linear"):
        assert recipe_of(said | {"merge_method": method}).options == {"density": 1.0}
    averaged = said | {"merge_method": "dare_ties", "parameters": {"normalize": True, "rescale": True}}
    assert recipe_of(averaged).options == {"density": 1.0}
    with pytest.raises(SettingError, match="mergekit:dare_ties"):
        recipe_of(said | {"merge_method": "dare_ties"})
    with pytest.raises(SettingError, match="rescale is True"):
        recipe_of(said | {"merge_method": "ties", "parameters": {"rescale": True}})
    with pytest.raises(SettingError, match="tsv has no normalize"):
        recipe_of(said | {"merge_method": "tsv", "parameters": {"normalize": True}})
    assert recipe_of(said | {"merge_method": "task_arithmetic", "parameters": {"density": 1.0}}).options == {}


def test_those_defaults_are_those_of_mergekit():
    methods = pytest.importorskip("mergekit.merge_methods").registered_methods()
    given = {m.spec.name: {p.name: p.default for p in m.spec.parameters if not p.required} for m in methods}
    for name in ("ties", "dare_linear", "dare_ties"):
        assert given[name]["density"] == 1.0
    normalize = {name: given[name]["normalize"] for name in ("linear", "task_arithmetic", "ties", "dare_linear")}
    assert normalize == {"linear": True, "task_arithmetic": False, "ties": True, "dare_linear": False}
    assert given["dare_ties"]["normalize"] is False
    rescale = {name: given[name]["rescale"] for name in ("task_arithmetic", "ties", "dare_linear", "dare_ties")}
    assert rescale == {"task_arithmetic": False, "ties": False, "dare_linear": True, "dare_ties": True}


def test_slerp_goes_by_t():
    found = recipe_of({"merge_method": "slerp", "models": ["a", "b"], "parameters": {"t": 0.3}})
    assert (found.method, found.options) == ("slerp", {"alpha": 0.3})


def test_slerp_from_a_base_goes_between_the_models():
    """As mergekit has it: the base is one end of the arc."""
    said = {"merge_method": "slerp", "base_model": "a", "models": ["a", "b"], "parameters": {"t": 0.3}}
    found = recipe_of(said)
    assert (found.models, found.base, found.options) == (("a", "b"), None, {"alpha": 0.3})


def test_a_base_that_is_listed_counts_in_a_mean_and_nowhere_else(tmp_path):
    generator = np.random.default_rng(0)
    made = {name: generator.standard_normal((4, 3)).astype(np.float32) for name in ("base", "a")}
    base, tuned = (str(tmp_path / f"{name}.safetensors") for name in made)
    for name, values in made.items():
        save_file({"w": values}, tmp_path / f"{name}.safetensors")
    models = [{"model": base, "parameters": {"weight": 3}}, {"model": tuned, "parameters": {"weight": 1}}]
    said = {"merge_method": "linear", "base_model": base, "models": models}
    mean = recipe_of(said).merged().apply(base)
    np.testing.assert_allclose(whole(mean, "w"), 0.75 * made["base"] + 0.25 * made["a"], atol=1e-6)
    total = recipe_of(said | {"merge_method": "task_arithmetic"}).merged().apply(base)
    np.testing.assert_allclose(whole(total, "w"), made["a"], atol=1e-6)


def test_weights_of_all_in_one_place():
    said = {"merge_method": "ties", "base_model": "x", "models": ["a", "b"]}
    assert recipe_of(said | {"weights": [1, 0.5]}).weights == (1.0, 0.5)
    assert recipe_of(said | {"weights": "norm"}).weights == "norm"


def test_one_pattern_is_no_list_of_letters():
    found = recipe_of({"merge_method": "ties", "base_model": "x", "models": ["a"], "ignore": "classifier.*"})
    assert found.ignore == ("classifier.*",)


def test_models_are_named_by_as_little_as_tells_them_apart():
    assert recipe_of({"merge_method": "sum", "models": ["x/a", "x/b.safetensors"]}).names() == ["a", "b"]
    assert recipe_of({"merge_method": "sum", "models": ["x/m", "y/m"]}).names() == ["x/m", "y/m"]
    assert recipe_of({"merge_method": "sum", "models": ["m", "m"]}).names() == ["m", "m"]


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
        ({"models": "a"}, "give a list"),
        ({"base_model": 3}, "base_model is 3"),
        ({"parameters": [1]}, "give keys with values"),
        ({"weights": {"a": 1}}, "the name of a rule, or a list"),
        ({"weights": [1, 2]}, "no weight of single models"),
        ({"ignore": [1]}, "give patterns"),
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


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A base and two tuned models in files, and in memory."""
    monkeypatch.chdir(tmp_path)
    made = {}
    for seed, name in enumerate(("base", "a", "b")):
        rng = np.random.default_rng(seed)
        made[name] = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in SHAPES.items()}
        save_file(made[name], f"{name}.safetensors")
    return made


SHAPES = {"w": (6, 5), "v": (5,)}
FILES = ("a.safetensors", "b.safetensors")
BASE = "base.safetensors"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("sum", FILES, BASE, (0.5, 0.25), scale=0.7),
        Recipe("mean", FILES, None, (2.0, 1.0)),
        Recipe("mean", (BASE, *FILES), BASE, (2.0, 1.0, 0.5)),
        Recipe("sum", FILES, BASE, "norm", ignore=("v",)),
        Recipe("ties", FILES, BASE),
        Recipe("ties", FILES, BASE, options={"density": 0.4, "trim": "model"}, dtype="BF16"),
        Recipe("dare", FILES, BASE, options={"seed": 3}),
        Recipe("dare_ties", FILES, BASE, (1.0, 0.5)),
        Recipe("tsv", FILES, BASE, options={"rank": 2}),
        Recipe("iso", FILES, BASE),
        Recipe("lore", FILES, None, options={"share": 0.5}),
        Recipe("slerp", FILES, BASE, options={"alpha": 0.3}),
        Recipe("slerp", FILES, None),
        Recipe("ema", FILES, BASE),
        Recipe("remove", FILES, BASE, options={"recalibrate": False}),
        Recipe("graft", FILES[:1], BASE, options={"density": 0.3}),
        Recipe("mergekit:breadcrumbs", FILES, BASE, (1.0, 0.5), {"density": {1: 0.4, 2: 0.6}, "gamma": 0.1}, 0.5),
    ],
    ids=lambda recipe: f"{recipe.method}",
)
def test_what_is_spelled_is_read_as_the_same_merge(saved, tmp_path, recipe):
    if recipe.method.startswith("mergekit:"):
        pytest.importorskip("mergekit")
    (tmp_path / "again.json").write_text(json.dumps(spelled(recipe)))
    again = read_recipe("again.json")
    for each, out in ((recipe, "one.safetensors"), (again, "two.safetensors")):
        each.merged().apply(each.base, out, dtype=each.dtype)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    assert json.dumps(spelled(again)) == json.dumps(spelled(recipe))


def test_what_weights_were_fitted_on_is_handed_on():
    recipe = Recipe("sum", FILES, BASE, (0.5, 0.2), fitted=("rows.jsonl (by its labels)",))
    assert recipe_of(spelled(recipe)).fitted == recipe.fitted


def test_a_saved_vector_is_no_model(saved):
    (TaskVector.diff(FILES[0], BASE) * 0.5).save("half.tv.safetensors")
    by_vector = Recipe("sum", ("half.tv.safetensors", FILES[1]), BASE).merged()
    assert by_vector.weights == {"a": 0.5, "b": 1.0}
    wanted = 0.5 * saved["a"]["w"] + saved["b"]["w"] - 0.5 * saved["base"]["w"]
    np.testing.assert_allclose(whole(by_vector.apply(BASE), "w"), wanted, atol=1e-5)
    Recipe("sum", ("half.tv.safetensors",), BASE, ignore=("u*",)).vectors()
    with pytest.raises(SettingError, match="saved vector that changes 'v'"):
        Recipe("sum", ("half.tv.safetensors",), BASE, ignore=("v",)).merged()


@pytest.mark.parametrize(
    "used",
    [
        lambda: TaskVector.diff("half.tv", BASE),
        lambda: TaskVector.diff("half.tv", None),
        lambda: TaskVector.diff(FILES[0], "half.tv"),
        lambda: TaskVector.diff(Checkpoint("half.tv"), BASE),
        lambda: TaskVector.diff(FILES[0], BASE).apply("half.tv"),
        lambda: Recipe("sum", FILES, "half.tv").merged(),
    ],
)
def test_a_saved_vector_is_taken_for_no_checkpoint(saved, used, one_sentence):
    TaskVector.diff(FILES[0], BASE).save("half.tv")
    with pytest.raises(WeightsError, match=r"half.tv is a saved vector; read it with TaskVector.load") as caught:
        used()
    assert one_sentence(caught.value)


def test_without_a_base_only_models_are_merged(saved, one_sentence):
    TaskVector.diff(FILES[0], BASE).save("half.tv")
    Path("adapter").mkdir()
    Path("adapter/adapter_config.json").write_text("{}")
    for models, change, match in (
        (("half.tv", FILES[0]), {}, "half.tv is a saved vector, which is a difference and no model"),
        ((FILES[0], "adapter"), {}, "adapter is an adapter, which is a difference and no model"),
        (FILES, {"scale": 0.5}, "scale is 0.5, which without a base"),
    ):
        with pytest.raises(SettingError, match=match) as caught:
            Recipe("mean", models, **change).merged()
        assert one_sentence(caught.value)
    with pytest.raises(SettingError, match="without a base"):
        merge([TaskVector.diff(FILES[0], None)], "mean").apply(None, scale=0.5)


@pytest.mark.parametrize("method", ["sum", "lore", "mergekit:linear"])
@pytest.mark.parametrize("option", ["scale", "weights", "method", "vectors", "name"])
def test_what_merge_takes_itself_is_no_option(saved, method, option, one_sentence):
    if method == "mergekit:linear" and option == "name":
        return  # mergekit's to refuse
    with pytest.raises(SettingError, match=f"{option}.*option|option '{option}'") as caught:
        Recipe(method, FILES, BASE, options={option: 0.5}).merged()
    assert one_sentence(caught.value)


def test_weights_that_nothing_says_are_equal_ones():
    said = {"merge_method": "task_arithmetic", "base_model": "x", "models": ["a", "b"]}
    assert recipe_of(said).weights == "equal"
    assert recipe_of(said | {"parameters": {"weight": 0.5}}).weights == (0.5, 0.5)
    assert recipe_of(said | {"models": ["a", MODELS[1]]}).weights == (1.0, 0.5)
