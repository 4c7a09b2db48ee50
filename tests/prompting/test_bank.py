from __future__ import annotations

import numpy as np
import pytest

from taskspace.errors import PromptError, SettingError
from taskspace.prompting.bank import PromptBank
from taskspace.prompting.soft import PromptVector, SoftPrompt, inits
from taskspace.task import Task
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.bank import Bank
from taskspace.tuning.evaluation import evaluate, truth_of, worded
from taskspace.tuning.parts import Prompts
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.training import Job, train

torch = pytest.importorskip("torch")

RECIPE = Recipe(steps=6, batch=4, rate=0.05, warmup=1, check=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def backbone(tiny_encoder):
    return load_backbone(tiny_encoder)


def _starts(backbone, count=2, length=3):
    table = backbone.embeddings.float().numpy()
    return [inits.vocabulary(table, length, seed, backbone=backbone.identity) for seed in range(count)]


@pytest.fixture(scope="module")
def tasks(tasks):
    """Classes whose names the encoder knows."""
    trip = tasks["trip"]
    known = {"yes": "train", "no": "snow"}
    return {
        "mood": tasks["mood"],
        "trip": Task(trip.inputs.texts, [known[name] for name in truth_of(trip)], name="trip"),
    }


@pytest.fixture
def bank(backbone):
    return PromptBank(backbone, _starts(backbone), max_length=32)


def test_tuning_is_the_engine_s_and_gives_a_new_bank(backbone, bank, tasks):
    rows, held = [tasks["mood"], tasks["trip"]], [tasks["mood"].take(range(9)), None]
    tuned = bank.tune(rows, RECIPE, validation=held, seeds=[3, 4])
    part = Prompts(backbone, np.stack([prompt.tokens for prompt in bank.prompts]))
    jobs = [Job(worded(backbone, rows[0]), worded(backbone, held[0]), 3), Job(worded(backbone, rows[1]), seed=4)]
    outcomes = train(Bank(backbone, part), jobs, Recipe(**{**RECIPE.to_dict(), "max_length": 32}))
    for row, prompt in enumerate(tuned.prompts):
        np.testing.assert_array_equal(prompt.tokens, part.state(row)["tokens"])
        np.testing.assert_array_equal(prompt.init, bank.prompts[row].tokens)
        assert not np.array_equal(prompt.tokens, prompt.init)
        assert (prompt.backbone, prompt.tasks, prompt.name) == (backbone.identity, (rows[row].name,), rows[row].name)
        said = prompt.provenance
        assert (said["seed"], said["kept"], said["steps"]) == (row + 3, outcomes[row].kept, 6)
        assert (said["init"], said["task"]) == (bank.prompts[row].fingerprint, rows[row].fingerprint)
        assert Recipe.from_dict(said["recipe"]) == Recipe(**{**RECIPE.to_dict(), "max_length": 32})


def test_init_plus_its_vector_is_the_tuned_prompt_again_through_files(bank, tasks, tmp_path):
    tuned = bank.tune([tasks["mood"], tasks["trip"]], RECIPE)
    for row, prompt in enumerate(tuned.prompts):
        prompt.save(tmp_path / f"prompt{row}")
        bank.prompts[row].save(tmp_path / f"init{row}")
        read, init = SoftPrompt.load(tmp_path / f"prompt{row}"), SoftPrompt.load(tmp_path / f"init{row}")
        vector = PromptVector.load(read.vector.save(tmp_path / f"vector{row}.safetensors"))
        again = vector.apply(init, 1.0)
        ulp = np.spacing(np.maximum(np.abs(prompt.tokens), np.abs(init.tokens)))
        assert (np.abs(again.tokens - prompt.tokens) <= ulp).all()
        scores = bank.holding([prompt, again]).scores(tasks["mood"])
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_prompts_scored_together_score_as_they_do_alone(bank, tasks):
    scores = bank.scores(tasks["mood"])
    assert scores.shape == (2, len(tasks["mood"]), 2)
    np.testing.assert_allclose(np.exp(scores).sum(2), 1, atol=1e-5)
    for row, prompt in enumerate(bank.prompts):
        np.testing.assert_allclose(bank.holding([prompt]).scores(tasks["mood"])[0], scores[row], atol=1e-5)
    found = bank.evaluate(tasks["mood"], metric="accuracy")
    np.testing.assert_array_equal(
        found, evaluate(bank.engine(), tasks["mood"], [0, 1], metric="accuracy", max_length=32)
    )


def test_a_killed_tuning_goes_on_and_another_start_does_not_take_its_place(bank, backbone, tasks, tmp_path):
    rows = [tasks["mood"], tasks["trip"]]
    expected = bank.tune(rows, RECIPE).prompts
    kept = bank.tune(rows, RECIPE, folder=tmp_path).prompts
    again = bank.tune(rows, RECIPE, folder=tmp_path).prompts
    for one, two, three in zip(expected, kept, again, strict=True):
        assert one.fingerprint == two.fingerprint == three.fingerprint
    others = bank.holding(_starts(backbone, 3)[1:])
    with pytest.raises(SettingError, match="another start"):
        others.tune(rows, RECIPE, folder=tmp_path)


def test_prompts_that_do_not_fit_are_refused(backbone, one_sentence):
    first, *_ = _starts(backbone)
    wide = SoftPrompt(np.ones((3, backbone.width + 1), np.float32), name="wide")
    elsewhere = SoftPrompt(
        first.tokens, type(backbone.identity)(**{**backbone.identity.to_dict(), "table": "other"}), name="elsewhere"
    )
    prefix = SoftPrompt(np.ones((3, 64), np.float32), name="layers", layout="prefix")
    for prompts, said in (
        ([], "needs prompts"),
        ([first, wide], "'wide' is 17 wide"),
        ([first, elsewhere], "'elsewhere' was tuned on"),
        ([prefix], "'layers' holds keys and values"),
        ([first, _starts(backbone, 1, length=5)[0]], "has 3 tokens and 'vocabulary-0' 5"),
    ):
        with pytest.raises(PromptError, match=said) as error:
            PromptBank(backbone, prompts)
        assert one_sentence(error.value)


def test_as_many_tasks_as_prompts_are_asked_for(bank, tasks, one_sentence):
    for arguments, more in (([tasks["mood"]], {}), ([tasks["mood"]] * 2, {"seeds": [1]})):
        with pytest.raises(SettingError, match="one of each for every prompt") as error:
            bank.tune(arguments, RECIPE, **more)
        assert one_sentence(error.value)
