"""``merge``: files in, one model out, or one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A base folder with a configuration, and two tuned files."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    tensors = {"layer.weight": (6, 4), "layer.bias": (4,), "classifier.weight": (2, 4)}
    made = {}
    for name in ("base", "one", "two"):
        made[name] = {key: generator.standard_normal(shape).astype(np.float16) for key, shape in tensors.items()}
    (tmp_path / "base").mkdir()
    save_file(made["base"], tmp_path / "base" / "model.safetensors")
    (tmp_path / "base" / "config.json").write_text('{"model_type": "none"}')
    for name in ("one", "two"):
        save_file(made[name], tmp_path / f"{name}.safetensors")
    return made


ASKED = ("merge", "one.safetensors", "two.safetensors", "--base", "base")


def test_a_folder_with_configuration_and_card(taskspace, models, tmp_path):
    said = taskspace(*ASKED, "-o", "merged", "--weights", "0.5,0.25", "--ignore", "classifier.*")
    assert said.code == 0
    assert said.out.startswith("wrote merged (3 tensors)")
    found = load_file(tmp_path / "merged" / "model.safetensors")
    base, one, two = (models[name]["layer.weight"].astype(np.float32) for name in ("base", "one", "two"))
    wanted = base + 0.5 * (one - base) + 0.25 * (two - base)
    np.testing.assert_allclose(found["layer.weight"], wanted, atol=2e-3)
    np.testing.assert_array_equal(found["classifier.weight"], models["base"]["classifier.weight"])
    assert json.loads((tmp_path / "merged" / "config.json").read_text()) == {"model_type": "none"}
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "| one | 0.5 |" in card
    assert '"merge_method": "sum"' in card
    assert "Nothing was trained for it" in card


def test_a_file_and_json(taskspace, models, tmp_path):
    document = taskspace(*ASKED, "-o", "m.safetensors", "--method", "ties", "--set", "density=0.5", "--json").document
    assert document["recipe"]["options"] == {"density": 0.5}
    assert load_file(tmp_path / "m.safetensors")["layer.weight"].shape == (6, 4)


def test_a_dry_run_writes_nothing(taskspace, models, tmp_path):
    before = sorted(p.name for p in tmp_path.iterdir())
    document = taskspace(*ASKED, "--dry-run", "--method", "tsv", "--json").document
    sizes = 2 * (24 + 4 + 8)
    assert document["estimate"]["tensors"] == 3
    assert document["estimate"]["written"] == sizes
    assert document["estimate"]["passes"] == 3
    assert document["estimate"]["read"] == 9 * sizes
    assert document["estimate"]["seconds"] > 0
    said = taskspace(*ASKED, "--dry-run").out
    assert "nothing written" in said
    assert " GB once;" in said
    assert " GB in 3 passes;" in taskspace(*ASKED, "--dry-run", "--method", "ties").out
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_recipe(taskspace, models, tmp_path):
    recipe = {"merge_method": "linear", "base_model": "base", "models": ["one.safetensors", "two.safetensors"]}
    (tmp_path / "recipe.yml").write_text(json.dumps(recipe))
    assert taskspace("merge", "--recipe", "recipe.yml", "-o", "m.safetensors").code == 0
    one, two = (models[name]["layer.bias"].astype(np.float32) for name in ("one", "two"))
    np.testing.assert_allclose(load_file(tmp_path / "m.safetensors")["layer.bias"], (one + two) / 2, atol=2e-3)


def test_the_help_names_every_method():
    import inspect

    from taskspace.cli.merge import merge
    from taskspace.merging.methods import METHODS

    said = inspect.get_annotations(merge)["method"]
    assert all(name in said for name in METHODS)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("merge", "-o", "x"), "no model was given"),
        (ASKED, "nothing says where to write"),
        ((*ASKED, "-o", "x", "--method", "tie"), "did you mean 'ties'?"),
        ((*ASKED, "-o", "x", "--set", "density"), "NAME=VALUE"),
        ((*ASKED, "-o", "x", "--set", "densty=0.1", "--method", "ties"), "did you mean 'density'?"),
        ((*ASKED, "-o", "x", "--weights", "1,2,3"), "3 weights were given for 2"),
        ((*ASKED, "-o", "base"), "is there already"),
        ((*ASKED, "-o", "x", "--recipe", "r.yml"), "both given"),
        (("merge", "absent.safetensors", "--base", "base", "-o", "x"), "there is no checkpoint"),
        ((*ASKED, "-o", "x", "--dtype", "int8"), "dtype"),
        ((*ASKED, "-o", "two.safetensors"), "is there already"),
        ((*ASKED, "-o", "nowhere/x.safetensors"), "choose another place"),
        ((*ASKED, "-o", "x", "--method", "ties", "--set", "density=high"), "density of ties is 'high'"),
        ((*ASKED, "-o", "x", "--method", "tsv", "--set", "rank=2.5"), "a whole number"),
        ((*ASKED, "-o", "x", "--method", "remove", "--set", "recalibrate=1"), "true or false"),
        ((*ASKED, "-o", "x", "--method", "dare", "--set", "seed=true"), "a whole number"),
        ((*ASKED, "-o", "x", "--scale", "inf"), "finite"),
        ((*ASKED, "-o", "x", "--scale", "1e9"), "too large for F16"),
        (("merge", "one.safetensors", "two.safetensors", "-o", "x"), "give the base, or merge the models themselves"),
        (("merge", "one.safetensors", "-o", "x", "--method", "mean", "--ignore", "*"), "none was given"),
        (("merge", "one.safetensors", "-o", "x", "--method", "mean", "--scale", "0.5"), "without a base"),
        ((*ASKED, "-o", "x", "--set", "scale=0.5"), "sum has no option 'scale'"),
        ((*ASKED, "-o", "x", "--head", "base"), "--head is about rows to learn from; give --fit"),
        ((*ASKED, "-o", "x", "--unlabelled"), "--unlabelled is about rows to learn from; give --fit"),
        ((*ASKED, "-o", "x", "--fit", "r.jsonl", "--scale", "0.5"), "leave the scale out"),
        (("merge", "nobody/nothing", "--base", "base", "-o", "x"), "model 'nobody/nothing' is neither a local folder"),
        (("merge", "one.safetensors", "--base", "nobody/nothing", "-o", "x"), "check the name and the network"),
    ],
)
def test_one_sentence_for_what_cannot_be_merged(taskspace, models, tmp_path, words, hint):
    before = sorted(p.name for p in tmp_path.iterdir())
    said = taskspace(*words)
    assert said.code == 2
    assert hint in said.sentence
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_the_recipe_of_a_card_gives_the_same_bytes(taskspace, models, tmp_path):
    words = ("--method", "dare_ties", "--set", "seed=2", "--weights", "0.7,1e-05", "--scale", "0.5", "--dtype", "F32")
    assert taskspace(*ASKED, *words, "--ignore", "classifier.*", "-o", "m").code == 0
    card = (tmp_path / "m" / "README.md").read_text()
    (tmp_path / "recipe").write_text(card.partition("```json")[2].partition("```")[0])
    said = taskspace("merge", "--recipe", "recipe", "-o", "n")
    assert not said.code, said.err
    assert (tmp_path / "m/model.safetensors").read_bytes() == (tmp_path / "n/model.safetensors").read_bytes()
    assert (tmp_path / "n" / "README.md").read_text() == card.replace("# m\n", "# n\n").replace(
        "seed 2;", "density 0.2, seed 2;"
    )


def test_one_file_of_a_base_brings_what_lies_beside_it(taskspace, models, tmp_path):
    assert taskspace("merge", "one.safetensors", "--base", "base/model.safetensors", "-o", "m").code == 0
    assert json.loads((tmp_path / "m" / "config.json").read_text()) == {"model_type": "none"}
    (tmp_path / "bare").mkdir()
    (tmp_path / "base" / "model.safetensors").rename(tmp_path / "bare" / "model.safetensors")
    (tmp_path / "bare" / "notes.txt").write_text("no model's folder")
    assert taskspace("merge", "one.safetensors", "--base", "bare/model.safetensors", "-o", "n").code == 0
    assert sorted(path.name for path in (tmp_path / "n").iterdir()) == ["README.md", "model.safetensors"]


def test_models_and_bases_of_the_hub(taskspace, models, tmp_path, monkeypatch):
    """By their ids, from the cache; names and the card go by the id, and not by the folder of a commit."""
    hub = pytest.importorskip("huggingface_hub")
    cache = {"me/base": tmp_path / "c0ffee", "me/tuned": tmp_path / "decaf"}
    (tmp_path / "base").rename(cache["me/base"])
    cache["me/tuned"].mkdir()
    (tmp_path / "one.safetensors").rename(cache["me/tuned"] / "model.safetensors")
    (cache["me/tuned"] / "config.json").write_text("{}")
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **_: str(cache[name]))
    said = taskspace("merge", "me/tuned", "two.safetensors", "--base", "me/base", "-o", "m")
    assert not said.code, said.err
    assert "TaskVector(tuned + two, 3 tensors, on base)" in said.out
    assert (tmp_path / "m" / "config.json").exists()
    assert hub.ModelCard.load(tmp_path / "m" / "README.md").data.base_model == "me/base"


def bad(made, **changes):
    """A checkpoint with some tensors changed, or left out where that is None."""
    return {name: values for name, values in (made | changes).items() if values is not None}


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"layer.bias": None}, "base has 'layer.bias', which odd has not"),
        ({"more": np.zeros(2, np.float16)}, "odd has 'more', which base has not"),
        ({"layer.weight": np.zeros((5, 4), np.float16)}, "resize both models"),
        ({"ids": np.arange(3)}, "'ids'"),
        ({"layer.bias": np.full(4, np.nan, np.float16)}, "NaN"),
    ],
)
@pytest.mark.parametrize("method", ["sum", "ties", "tsv"])
def test_a_model_that_does_not_fit_leaves_nothing(taskspace, models, tmp_path, changes, hint, method):
    if "ids" in changes:
        save_file(models["base"] | {"ids": np.zeros(3, np.int64)}, tmp_path / "base" / "model.safetensors")
    save_file(bad(models["one"], **changes), tmp_path / "odd.safetensors")
    before = sorted(p.name for p in tmp_path.iterdir())
    said = taskspace("merge", "odd.safetensors", "--base", "base", "-o", "x", "--method", method)
    assert (said.code, hint in said.sentence) == (2, True), said.err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_file_that_was_cut_short(taskspace, models, tmp_path):
    file = tmp_path / "one.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    said = taskspace(*ASKED, "-o", "x")
    assert (said.code, "cut short" in said.sentence) == (2, True)
    assert not (tmp_path / "x").exists()


def test_models_of_one_file_name_are_told_apart(taskspace, models, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.safetensors").rename(tmp_path / name / "model.safetensors")
    files = [f"{name}/model.safetensors" for name in ("one", "two")]
    assert taskspace("merge", *files, "--base", "base", "-o", "m", "--weights", "0.7,0.3").code == 0
    card = (tmp_path / "m" / "README.md").read_text()
    assert "| one/model | 0.7 |" in card
    assert "| two/model | 0.3 |" in card


def test_the_card_is_one_that_the_hub_reads(taskspace, models, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    assert taskspace(*ASKED, "-o", "m").code == 0
    data = hub.ModelCard.load(tmp_path / "m" / "README.md").data
    assert data.tags == ["merge", "taskspace"]
    assert data.base_model is None  # a folder of that name is no model there
    assert taskspace("merge", "one.safetensors", "--base", tmp_path / "base", "-o", "n").code == 0
    assert hub.ModelCard.load(tmp_path / "n" / "README.md").data.base_model is None
    assert taskspace("merge", "one.safetensors", "--method", "mean", "-o", "o").code == 0
    assert "without a base" in hub.ModelCard.load(tmp_path / "o" / "README.md").text


def test_models_themselves_keep_the_configuration_of_the_first(taskspace, models, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one.safetensors").rename(tmp_path / "one" / "model.safetensors")
    (tmp_path / "one" / "config.json").write_text('{"model_type": "one"}')
    assert taskspace("merge", "one", "two.safetensors", "-o", "m", "--method", "mean").code == 0
    one, two = (models[name]["layer.bias"].astype(np.float32) for name in ("one", "two"))
    np.testing.assert_allclose(load_file(tmp_path / "m/model.safetensors")["layer.bias"], (one + two) / 2, atol=2e-3)
    assert json.loads((tmp_path / "m" / "config.json").read_text()) == {"model_type": "one"}


@pytest.fixture
def tuned(tmp_path, tiny_classifier, monkeypatch):
    """A classifier that transformers saved, and one tuned from it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_classifier)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    model.save_pretrained(tmp_path / "tuned")
    return tiny_classifier


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_transformers_loads_the_result(taskspace, tuned, tmp_path, dtype):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    words = ("merge", "tuned", "--base", tuned, "-o", "m", "--scale", "0.5", "--dtype", dtype, "--shard-size", "0.001")
    assert taskspace(*words).code == 0
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained("m"), AutoTokenizer.from_pretrained("m")
    assert model.dtype is {"F32": torch.float32, "BF16": torch.bfloat16}[dtype]
    assert model.config.id2label == {0: "negative", 1: "positive"}
    base = AutoModelForSequenceClassification.from_pretrained(tuned).to(model.dtype)
    wanted = base.classifier.weight + torch.tensor(0.005)
    torch.testing.assert_close(model.classifier.weight, wanted.to(model.dtype), atol=4e-3, rtol=1e-2)
    assert torch.isfinite(model(**tokenizer("good weather", return_tensors="pt")).logits).all()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft's
def test_adapters_of_unequal_rank_and_targets(taskspace, tuned, tmp_path):
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")
    from transformers import AutoModelForSequenceClassification

    state = {}
    for name, rank, targets in (("one", 2, ["query"]), ("two", 3, ["query", "value"])):
        model = AutoModelForSequenceClassification.from_pretrained(tuned)
        adapted = peft.get_peft_model(model, peft.LoraConfig(r=rank, target_modules=targets, init_lora_weights=False))
        adapted.save_pretrained(name)
        state[name] = adapted.merge_and_unload().state_dict()
    assert taskspace("merge", "one", "two", "--base", tuned, "-o", "m.safetensors").code == 0
    base = AutoModelForSequenceClassification.from_pretrained(tuned).state_dict()
    found = load_file("m.safetensors")
    for name, values in base.items():
        wanted = state["one"][name] + state["two"][name] - values
        torch.testing.assert_close(torch.as_tensor(found[name]), wanted, atol=1e-5, rtol=1e-5)


def test_weights_learned_on_rows(taskspace, tuned, tmp_path, monkeypatch):
    """Of a model that was moved towards the labels and one that was moved away, the first is taken."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from taskspace import Task
    from taskspace.merging.checkpoint import Checkpoint, whole
    from taskspace.merging.fitting import rows_objective

    texts, labels = ["good weather", "bad weather", "fine food", "awful food"] * 2, ["positive", "negative"] * 4
    rows = "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in zip(texts, labels, strict=True))
    (tmp_path / "rows.jsonl").write_text(rows)
    (tmp_path / "bare.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    model = AutoModelForSequenceClassification.from_pretrained(tuned)
    batch = AutoTokenizer.from_pretrained(tuned)(texts, padding=True, return_tensors="pt")
    model(**batch, labels=torch.tensor([1, 0] * 4)).loss.backward()
    slope = model.classifier.weight.grad
    for name, step in (("better", -1.0), ("worse", 1.0)):
        moved = AutoModelForSequenceClassification.from_pretrained(tuned)
        with torch.no_grad():
            moved.classifier.weight.add_(step * slope / slope.norm())
        moved.save_pretrained(name)

    words = ("merge", "better", "worse", "--base", tuned, "--fit", "rows.jsonl", "--set", "steps=30", "--json", "-o")
    said = taskspace(*words, "m")
    assert not said.code, said.err
    told = said.document["recipe"]
    assert told["weights"][0] > 0.2
    assert told["weights"][1] < -0.2
    loss = rows_objective(tuned, Task.from_file("rows.jsonl"))
    held = {name: Checkpoint(name) for name in (str(tuned), "m")}
    before, after = (
        float(loss({n: torch.as_tensor(whole(each, n)) for n in each.layout}).detach()) for each in held.values()
    )
    assert after < before
    card = (tmp_path / "m" / "README.md").read_text()
    assert "Its weights were fitted on rows.jsonl (by its labels); nothing else was trained" in card
    (tmp_path / "again").write_text(card.partition("```json")[2].partition("```")[0])
    assert taskspace("merge", "--recipe", "again", "-o", "again-made").code == 0
    assert (tmp_path / "again-made/model.safetensors").read_bytes() == (tmp_path / "m/model.safetensors").read_bytes()

    recipe = {"merge_method": "task_arithmetic", "base_model": str(tuned), "models": ["better", "worse"]}
    (tmp_path / "recipe.yml").write_text(json.dumps(recipe))
    fitted = taskspace(
        "merge", "--recipe", "recipe.yml", "--fit", "rows.jsonl", "--set", "steps=30", "--json", "-o", "by-recipe"
    )
    assert fitted.document["recipe"]["weights"] == told["weights"]

    with monkeypatch.context() as patch:
        patch.setattr("taskspace.merging.fitting._learned.rows_objective", None)  # nothing is learned for it
        said = taskspace(*words[:-1], "--dry-run")
        assert not said.code, said.err
        assert said.document["estimate"]["tensors"] > 3

    said = taskspace(
        *words[:6], "bare.jsonl", "--unlabelled", "--set", "steps=3", "--set", "pieces=share", "--json", "-o", "n"
    )
    assert not said.code, said.err
    assert len(said.document["recipe"]["weights"]) == 2
    for wrong, hint in (
        (("--method", "ties"), "learned for a sum"),
        (("--set", "step=3"), "did you mean 'steps'?"),
        (("--set", "steps=many"), "steps of learning weights is 'many'"),
        (("--set", "pieces=tensor"), "task or share"),
        (("--set", "rate=fast"), "rate of learning weights is 'fast'"),
        (("--scale", "0.5"), "leave the scale out"),
    ):
        said = taskspace(*words[:7], *wrong, "-o", "x")
        assert said.code == 2
        assert hint in said.sentence
