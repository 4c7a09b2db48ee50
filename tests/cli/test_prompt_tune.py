"""``taskspace prompt tune`` and ``eval`` on a microscopic encoder and decoder: what they print, keep and refuse."""

from __future__ import annotations

import json
import shutil

import pytest

from taskspace.prompting import PromptBank, tune_prompts, usual_recipe
from taskspace.prompting.soft import SoftPrompt
from taskspace.prompting.transfer import forget
from taskspace.task import Task
from taskspace.tuning import _checkpoint
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.examples import Verbaliser
from taskspace.tuning.training import Training

SHORT = ("--steps", "4", "--batch", "4", "--length", "2", "--max-length", "16")


@pytest.fixture(autouse=True)
def one_thread():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def files(folder, tiny_encoder, tiny_decoder, write, rows_of, make_tasks):
    shutil.copytree(tiny_encoder, folder / "model")
    shutil.copytree(tiny_decoder, folder / "lm")
    for seed, split in enumerate(("train", "test")):
        task = make_tasks(rows=24, seed=seed)["mood"]
        (folder / "mood").mkdir(exist_ok=True)
        write(folder / "mood" / f"{split}.jsonl", rows_of(task))
        calm = [{"text": f"it is {row['text']}", "label": row["label"]} for row in rows_of(task)]
        (folder / "calm").mkdir(exist_ok=True)
        write(folder / "calm" / f"{split}.jsonl", calm)
    return folder


def test_tasks_and_inits_become_folders_and_a_table(taskspace, files):
    said = taskspace(
        "prompt", "tune", "mood", "calm", "--model", "model", "--inits", "2", "--seed", "3", "--validation", "0.25",
        "--test", "test", "--overlap", "drop", "--out", "out", *SHORT,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert said.err == "tuning 4 prompts on model\n"
    head, *lines = [line.split() for line in said.out.splitlines()]
    assert head == ["prompt", "metric", "validation", "test", "|P0|", "|tau|", "|P0|/|tau|", "steps", "kept_at"]
    assert [line[0] for line in lines] == ["mood.3", "mood.4", "calm.3", "calm.4"]
    assert sorted(path.name for path in (files / "out").iterdir()) == ["calm.3", "calm.4", "mood.3", "mood.4"]
    prompt = SoftPrompt.load("out/calm.4")
    sizes, metrics = prompt.report(), prompt.provenance["metrics"]
    numbers = [metrics["validation"], metrics["test"], sizes["init_norm"], sizes["vector_norm"], sizes["ratio"]]
    assert lines[3][1:7] == ["macro_f1", *(f"{number:.3f}" for number in numbers)]


def test_the_numbers_are_those_of_the_function(taskspace, files):
    said = taskspace("prompt", "tune", "mood", "--model", "model", "--out", "out", "--rate", "0.1", *SHORT, "--json")
    backbone = load_backbone("model")
    recipe = usual_recipe(backbone, steps=4, batch=4, rate=0.1, max_length=16)
    (prompt,) = tune_prompts([Task.from_file("mood", limit=5000)], model=backbone, length=2, recipe=recipe)
    (found,) = said.document["prompts"]
    assert found["vector_norm"] == prompt.report()["vector_norm"] > 0
    assert (found["name"], found["rows"], found["steps"], found["metrics"]) == ("mood", 24, 4, {})
    assert SoftPrompt.load("out/mood").fingerprint == prompt.fingerprint


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's
def test_peft_loads_what_was_written(taskspace, files):
    peft = pytest.importorskip("peft")
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    rows = ("--limit", "6", "--word", "good=good", "--word", "bad=bad", "--template", "{text} =")
    assert taskspace("prompt", "tune", "mood", "--model", "lm", "--out", "out", *SHORT, *rows).code == 0
    prompt = SoftPrompt.load("out/mood")
    assert prompt.provenance["wording"]["template"] == "{text} ="
    model = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained("lm"), "out/mood")
    assert torch.equal(model.prompt_encoder["default"].embedding.weight, torch.tensor(prompt.tokens))


def test_a_stopped_run_goes_on_where_it_was(taskspace, files, monkeypatch):
    words = ("prompt", "tune", "mood", "calm", "--model", "model", "--validation", "0.2", *SHORT)
    assert taskspace(*words, "--out", "whole").code == 0
    save, taken = _checkpoint.save, []

    def stopping(folder, training):
        save(folder, training)
        if training.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_checkpoint, "save", stopping)
    said = taskspace(*words, "--out", "cut")
    assert said.code == 130
    assert "run the same command to go on" in said.err
    monkeypatch.setattr(_checkpoint, "save", save)
    advance = Training.advance

    def counted(self):
        taken.append(self.step)
        advance(self)

    monkeypatch.setattr(Training, "advance", counted)
    assert taskspace(*words, "--out", "cut").code == 0
    assert taken == [2, 3]
    for name in ("mood", "calm"):
        assert SoftPrompt.load(f"cut/{name}").fingerprint == SoftPrompt.load(f"whole/{name}").fingerprint
    again = taskspace(*words, "--out", "cut")
    assert "kept mood, calm: tuned before" in again.err
    assert taken == [2, 3]


def test_finished_prompts_are_not_overwritten(taskspace, files):
    words = ("prompt", "tune", "mood", "--model", "model", "--out", "out", *SHORT)
    assert taskspace(*words).code == 0
    first = SoftPrompt.load("out/mood").fingerprint
    said = taskspace(*words, "--seed", "1")
    assert (said.code, said.out) == (2, "")
    assert "holds a prompt tuned with another init" in said.sentence
    assert SoftPrompt.load("out/mood").fingerprint == first
    assert taskspace(*words, "--seed", "1", "--force").code == 0
    assert SoftPrompt.load("out/mood").fingerprint != first


@pytest.fixture
def tuned(files, tiny_encoder):
    """Two prompts on the encoder in ``out``, and their backbone."""
    backbone = load_backbone("model")
    recipe = usual_recipe(backbone, steps=6, batch=4, rate=0.3, max_length=16)
    tasks = [Task.from_file(name) for name in ("mood", "calm")]
    prompts = tune_prompts(tasks, model=backbone, length=2, recipe=recipe, folder="out")
    return backbone, prompts


def test_eval_scores_all_prompts_on_all_tasks(taskspace, tuned):
    backbone, prompts = tuned
    bank = PromptBank(backbone, prompts, max_length=16)
    document = taskspace("prompt", "eval", "out", "--on", "mood", "--on", "calm/test.jsonl", "--json").document
    assert document["metrics"] == {"mood": "macro_f1", "calm/test.jsonl": "macro_f1"}
    found = {each["prompt"]: each["scores"] for each in document["prompts"]}
    assert list(found) == ["calm", "mood"]
    mood, calm = (Task.from_file(name, split="test") for name in ("mood", "calm"))
    for name, one, other in zip(("mood", "calm"), bank.evaluate(mood), bank.evaluate(calm), strict=True):
        assert found[name] == pytest.approx({"mood": one, "calm/test.jsonl": other})


def test_eval_takes_a_metric_and_prints_a_table(taskspace, tuned):
    backbone, prompts = tuned
    said = taskspace("prompt", "eval", "out/mood", "out/calm", "--on", "mood", "--metric", "accuracy")
    scores = PromptBank(backbone, prompts, max_length=16).evaluate(
        Task.from_file("mood", split="test"), metric="accuracy"
    )
    lines = said.out.splitlines()
    assert lines[0].split() == ["prompt", "mood", "accuracy"]
    assert [line.split() for line in lines[1:]] == [
        [name, f"{score:.3f}"] for name, score in zip(("mood", "calm"), scores, strict=True)
    ]


def test_eval_tells_what_is_lost_when_a_task_is_taken_away(taskspace, tuned):
    backbone, prompts = tuned
    lost, kept = Task.from_file("mood", split="test"), Task.from_file("calm", split="test")
    curve = forget(backbone, prompts[0], prompts[0].vector, forgotten=lost, kept=kept, max_length=16)
    document = taskspace("prompt", "eval", "out/mood", "--forget", "mood", "--keep", "calm", "--json").document
    assert document["chosen"] == curve.chosen
    assert [row["forgotten"] for row in document["scales"]] == curve.forgotten.tolist()
    assert [row["kept"] for row in document["scales"]] == curve.kept.tolist()
    lines = taskspace("prompt", "eval", "out/mood", "--forget", "mood", "--keep", "calm").out.splitlines()
    assert lines[0].split() == ["taken_away", "forgotten", "kept"]
    assert len(lines) == 1 + len(curve.scales) + 1


def test_a_wording_of_its_own_is_noted_when_scored_without(taskspace, files):
    words = ("--limit", "4", "--template", "{text} =")
    assert taskspace("prompt", "tune", "mood", "--model", "lm", "--out", "out", *SHORT, *words).code == 0
    plain = taskspace("prompt", "eval", "out", "--on", "mood", "--limit", "4")
    assert (plain.code, "tuned with a template" in plain.err) == (0, True)
    worded = taskspace("prompt", "eval", "out", "--on", "mood", *words)
    assert (worded.code, worded.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mood", "--shots", "0"], "zero shots cannot be trained on"),
        (["mood", "--shots", "1"], "1 shots are too few for the 2 classes"),
        (["mood", "--shots", "2", "--validation", "0.5"], "can be spared"),
        (["mood", "--validation", "mood/test.jsonl", "--test", "test"], "also stand in the test split"),
        (["mood", "--test", "train"], "training rows also stand in the test split"),
        (["mood", "calm", "--test", "mood/test.jsonl"], "is one file for 2 tasks"),
        (["mood/train.jsonl", "--test", "test"], "no folder that could have such a split"),
        (["mood", "--validation", "dev"], "has no split 'dev'"),
        (["mood", "--validation", "1.2"], "is not a share"),
        (["mood", "mood"], "2 tasks are called 'mood'"),
        (["mood", "--init", "vocabluary"], "did you mean 'vocabulary'"),
        (["mood", "--inits", "2", "--init", "classes", "--length", "2"], "all the same"),
        (["mood", "--length", "1000"], "m=1000"),
        (["mood", "--template", "{text}"], "leave --template out"),
        (["mood", "--word", "good"], "CLASS=WORD"),
        (["mood", "--word", "good=fine"], "no word for class 'bad'"),
        (["mood", "--overlap", "keep"], "overlap='keep'"),
        (["none"], "none"),
        (["mood", "--dtype", "float8"], "float8"),
        (["mood", "--rate", "-1"], "rate=-1"),
        (["mood", "--model", "nowhere"], "nowhere"),
        (["mood", "--out", "model/config.json"], "cannot be made"),
        (["mood", "--out", "."], "holds no prompt that was tuned here"),
    ],
)
def test_mistakes_are_one_sentence(taskspace, files, one_sentence, words, told):
    said = taskspace("prompt", "tune", "--model", "model", "--out", "out", *SHORT, *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.sentence
    assert one_sentence(said.sentence)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["out"], "give --on"),
        (["out", "--on", "mood", "--forget", "mood"], "give --on"),
        (["out/mood", "--forget", "mood"], "belong together"),
        (["out", "--forget", "mood", "--keep", "calm"], "2 were given"),
        (["out", "--on", "mood", "--split", "dev"], "no split 'dev'"),
        (["out", "--on", "mood", "--metric", "pearson"], "'pearson' is of numbers"),
        (["out", "--on", "mood", "--model", "lm"], "input embeddings are not those"),
        (["out", "--on", "mood", "--model", "wide"], "is 16 wide and wide is 32"),
        (["out", "longer", "--on", "mood"], "prompts of one length"),
        (["mood", "--on", "mood"], "holds no prompts"),
        (["nothing", "--on", "mood"], "nothing"),
        (["broken", "--on", "mood"], "broken"),
        (["pickle.bin", "--on", "mood"], "pickle of more than tensors"),
    ],
)
def test_prompts_that_do_not_fit_are_one_sentence(taskspace, tuned, files, save_encoder, one_sentence, words, told):
    import numpy as np

    backbone, _ = tuned
    SoftPrompt(np.ones((3, 16)), backbone.identity, "longer").save("longer")
    if "wide" in words:
        save_encoder(files / "wide", hidden_size=32)
    shutil.copytree("out/mood", "broken")
    (files / "broken" / "adapter_model.safetensors").write_bytes(b"half a file")
    write_pickle(files / "pickle.bin")
    said = taskspace("prompt", "eval", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.sentence
    assert one_sentence(said.sentence)


def write_pickle(path):
    """Code that would run on being read."""
    import pickle

    class Trap:
        def __reduce__(self):
            return (json.loads, ("[1]",))

    path.write_bytes(pickle.dumps(Trap()))


def test_two_files_of_one_name_are_two_columns(taskspace, tuned):
    words = ("--on", "mood/test.jsonl", "--on", "calm/test.jsonl", "--on", "mood", "--metric", "accuracy")
    head = taskspace("prompt", "eval", "out/mood", *words).out.splitlines()[0]
    assert head.split() == ["prompt", "mood/test.jsonl", "accuracy", "calm/test.jsonl", "accuracy", "mood", "accuracy"]


def test_forgetting_hears_the_template_and_the_words(taskspace, files):
    words = ("--limit", "6", "--template", "{text} =", "--word", "good=bread", "--word", "bad=rain")
    assert taskspace("prompt", "tune", "mood", "--model", "lm", "--out", "out", *SHORT, *words).code == 0
    asked = ("prompt", "eval", "out/mood", "--forget", "mood", "--keep", "calm", "--json")
    said = taskspace(*asked, *words)
    assert (said.code, said.err) == (0, "")
    wording = Verbaliser("{text} =", answers={"good": "bread", "bad": "rain"})
    prompt = SoftPrompt.load("out/mood")
    lost, kept = (Task.from_file(name, split="test", limit=6) for name in ("mood", "calm"))
    curve = forget(
        load_backbone("lm"), prompt, prompt.vector, forgotten=lost, kept=kept, max_length=16, verbaliser=wording
    )
    assert [row["forgotten"] for row in said.document["scales"]] == pytest.approx(curve.forgotten.tolist())
    assert taskspace(*asked, *words[:2], "--word", "good=bread").code == 2  # no word for the other class
