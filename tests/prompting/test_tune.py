"""Tuning many prompts in one bank: they learn, hold out what they are scored on, keep what is finished, go on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from taskspace.errors import DataError, PromptError, SettingError
from taskspace.prompting import PromptBank, tune_prompts, usual_recipe
from taskspace.prompting.begin import begin, table_of
from taskspace.prompting.soft import SoftPrompt
from taskspace.task import Task
from taskspace.tuning import _checkpoint
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.examples import Verbaliser
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.splits import held_out, k_shot
from taskspace.tuning.training import Training

FEW = Recipe(steps=4, batch=4, rate=0.05, warmup=0, check=1, max_length=16)


@pytest.fixture(autouse=True)
def one_thread():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def backbone(tiny_encoder):
    return load_backbone(tiny_encoder)


@pytest.fixture(scope="module")
def mood(make_tasks):
    return make_tasks(rows=40)["mood"]


@pytest.fixture(scope="module")
def topic(make_tasks):
    """With class names that the microscopic models have words for."""
    task = make_tasks(rows=40)["topic"]
    words = {"sky": "rain", "table": "bread", "paint": "red"}
    return Task(task.texts, [words[task.label_names[code]] for code in task.labels.codes], name="topic")


def tokens_of(prompts):
    return [prompt.tokens.tobytes() for prompt in prompts]


def test_a_prompt_learns_its_task(backbone, topic):
    recipe = Recipe(steps=60, batch=40, rate=0.1, warmup=5, check=60, max_length=16)
    prompt = SoftPrompt.tune(topic, model=backbone, length=6, recipe=recipe)
    bare = begin("vocabulary", backbone, length=6)
    assert np.array_equal(prompt.init, bare.tokens)
    scores = PromptBank(backbone, [bare, prompt], max_length=16).scores(topic)
    before, after = scores[:, np.arange(len(topic)), topic.labels.codes].mean(axis=1)
    assert after > before + 0.1


def test_scores_are_those_of_the_held_out_rows(backbone, mood, make_tasks):
    train, held, test = held_out(mood, validation=0.2, test=make_tasks(rows=20, seed=5)["mood"], overlap="drop")
    (prompt,) = tune_prompts([train], model=backbone, length=3, recipe=FEW, validation=held, test=test)
    bank = PromptBank(backbone, [prompt], max_length=16)
    scores = {"validation": bank.evaluate(held).item(), "test": bank.evaluate(test).item()}
    assert prompt.provenance["metrics"] == {"metric": "macro_f1", **scores}
    losses = dict(prompt.provenance["validation"])
    assert losses[prompt.provenance["kept"]] == min(losses.values())


def test_every_task_from_every_init_as_if_it_were_alone(backbone, mood, topic):
    both = tune_prompts([mood, topic], model=backbone, inits=2, length=3, seed=7, recipe=FEW)
    assert [prompt.name for prompt in both] == ["mood.7", "mood.8", "topic.7", "topic.8"]
    assert [prompt.tasks for prompt in both] == [("mood",), ("mood",), ("topic",), ("topic",)]
    assert both[0].provenance["init"] == both[2].provenance["init"] != both[1].provenance["init"]
    alone = SoftPrompt.tune(topic, model=backbone, length=3, seed=8, recipe=FEW)
    assert alone.name == "topic"
    np.testing.assert_allclose(alone.tokens, both[3].tokens, atol=1e-5)


def test_the_provenance_makes_it_again(backbone, mood):
    prompt = SoftPrompt.tune(mood, model=backbone, length=3, seed=2, recipe=FEW, shots=8, validation=0.25)
    about = prompt.provenance
    train, held, _ = held_out(mood, validation=0.25, shots=8, seed=2)
    assert (about["task"], about["held_out"]) == (train.fingerprint, held.fingerprint)
    assert (len(train), len(held), about["rows"]) == (6, 2, 6)
    assert Recipe.from_dict(about["recipe"]) == FEW
    assert about["init"] == begin("vocabulary", backbone, length=3, seed=2).fingerprint
    assert about["seed"] == 2


def test_shots_are_drawn_per_init(backbone, mood):
    one, two = tune_prompts([mood], model=backbone, inits=2, length=2, recipe=FEW, shots=6)
    assert one.provenance["task"] == k_shot(mood, 6, 0).fingerprint
    assert two.provenance["task"] == k_shot(mood, 6, 1).fingerprint
    assert one.provenance["task"] != two.provenance["task"]


@pytest.mark.parametrize(
    ("init", "first"),
    [("text:good bread", "good"), ("classes", "bad"), ("random", None)],
)
def test_inits_by_name(backbone, mood, init, first):
    start = begin(init, backbone, length=4, answers=["bad", "good"])
    table = table_of(backbone)
    assert start.tokens.shape == (4, 16)
    distance = np.linalg.norm(table - start.tokens[0], axis=1)
    if first is None:
        assert distance.min() > 0
    else:
        assert distance.argmin() == backbone.tokenizer.convert_tokens_to_ids(first)
        assert distance.min() == 0


def test_a_prompt_is_an_init_from_memory_or_from_its_folder(backbone, mood, topic, tmp_path):
    source = SoftPrompt.tune(mood, model=backbone, length=3, recipe=FEW)
    source.save(tmp_path / "source")
    found = [SoftPrompt.tune(topic, model=backbone, init=i, recipe=FEW) for i in (source, tmp_path / "source")]
    assert [prompt.init.tobytes() for prompt in found] == [source.tokens.tobytes()] * 2
    assert tokens_of(found[:1]) == tokens_of(found[1:])
    assert found[0].length == 3


def test_a_language_model_is_worded_and_the_wording_is_on_record(tiny_decoder, mood):
    words = Verbaliser("{text} =", answers={"good": "good", "bad": "bad"})
    prompt = SoftPrompt.tune(mood.take(range(8)), model=tiny_decoder, length=2, recipe=FEW, verbaliser=words)
    assert prompt.provenance["wording"]["template"] == "{text} ="
    plain = SoftPrompt.tune(mood.take(range(8)), model=tiny_decoder, length=2, recipe=FEW)
    assert plain.provenance["wording"] is None
    assert plain.tokens.tobytes() != prompt.tokens.tobytes()


@pytest.mark.parametrize(("kind", "rate"), [("encoder", 0.01), ("decoder", 0.01), ("encoder-decoder", 0.3)])
def test_the_usual_rate_is_that_of_the_kind(kind, rate):
    recipe = usual_recipe(SimpleNamespace(kind=kind), steps=200)
    assert (recipe.rate, recipe.warmup, recipe.check, recipe.steps) == (rate, 20, 20, 200)
    assert usual_recipe(SimpleNamespace(kind=kind), rate=1.0, steps=1).rate == 1.0


class Killed(Exception):
    """In place of a signal."""


@pytest.fixture
def steps_taken(monkeypatch):
    """The steps of every training from here on."""
    taken = []
    advance = Training.advance

    def counted(self):
        taken.append(self.step)
        advance(self)

    monkeypatch.setattr(Training, "advance", counted)
    return taken


def test_a_killed_tuning_ends_with_the_same_numbers(backbone, mood, topic, tmp_path, monkeypatch, steps_taken):
    def run(folder):
        return tune_prompts(
            [mood, topic], model=backbone, length=3, recipe=FEW, validation="within", folder=tmp_path / folder
        )

    whole = run("whole")
    save = _checkpoint.save

    def dying(folder, training):
        save(folder, training)
        if training.step == 2:
            raise Killed

    monkeypatch.setattr(_checkpoint, "save", dying)
    with pytest.raises(Killed):
        run("cut")
    monkeypatch.setattr(_checkpoint, "save", save)
    assert not list((tmp_path / "cut").glob("[!.]*"))  # nothing is taken for finished
    steps_taken.clear()
    assert tokens_of(run("cut")) == tokens_of(whole)
    assert steps_taken == [2, 3]
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["mood", "topic"]


def test_a_tuning_killed_between_two_saves_tunes_nothing_anew(
    backbone, mood, topic, tmp_path, monkeypatch, steps_taken
):
    save = SoftPrompt.save

    def dying(self, folder):
        if self.name == "topic":
            raise Killed
        return save(self, folder)

    def run():
        return tune_prompts([mood, topic], model=backbone, length=3, recipe=FEW, folder=tmp_path / "out")

    monkeypatch.setattr(SoftPrompt, "save", dying)
    with pytest.raises(Killed):
        run()
    monkeypatch.setattr(SoftPrompt, "save", save)
    steps_taken.clear()
    mended = run()
    assert steps_taken == []
    assert tokens_of(mended) == tokens_of(tune_prompts([mood, topic], model=backbone, length=3, recipe=FEW))


def test_what_is_finished_is_read_and_what_is_new_is_tuned(backbone, mood, topic, tmp_path, steps_taken):
    heard = []
    first = tune_prompts([mood], model=backbone, length=3, recipe=FEW, folder=tmp_path)
    steps_taken.clear()
    again = tune_prompts([mood], model=backbone, length=3, recipe=FEW, folder=tmp_path, tell=heard.append)
    assert steps_taken == []
    assert tokens_of(again) == tokens_of(first)
    assert heard == ["kept mood: tuned before"]
    more = tune_prompts([mood, topic], model=backbone, length=3, recipe=FEW, folder=tmp_path)
    assert len(steps_taken) == FEW.steps
    assert tokens_of(more[:1]) == tokens_of(first)
    assert SoftPrompt.load(tmp_path / "topic").provenance == more[1].provenance


def test_a_finished_prompt_can_be_scored_later(backbone, mood, make_tasks, tmp_path, steps_taken):
    tune_prompts([mood], model=backbone, length=3, recipe=FEW, folder=tmp_path)
    steps_taken.clear()
    test = make_tasks(rows=20, seed=3)["mood"]
    train, _, _ = held_out(mood, test=test, overlap="drop")
    if len(train) < len(mood):
        pytest.skip("the small tasks share a row by chance")
    (scored,) = tune_prompts([mood], model=backbone, length=3, recipe=FEW, folder=tmp_path, test=test)
    assert steps_taken == []
    (found,) = PromptBank(backbone, [scored], max_length=16).evaluate(test)
    assert scored.provenance["metrics"] == {"metric": "macro_f1", "test": found}
    assert SoftPrompt.load(tmp_path / "mood").provenance["metrics"] == scored.provenance["metrics"]


def test_a_prompt_that_was_tuned_otherwise_is_not_replaced(backbone, mood, tmp_path, one_sentence):
    (first,) = tune_prompts([mood], model=backbone, length=3, recipe=FEW, folder=tmp_path)
    with pytest.raises(PromptError, match="another init") as told:
        tune_prompts([mood], model=backbone, length=3, seed=1, recipe=FEW, folder=tmp_path)
    assert one_sentence(told.value)
    assert tokens_of([SoftPrompt.load(tmp_path / "mood")]) == tokens_of([first])
    (forced,) = tune_prompts([mood], model=backbone, length=3, seed=1, recipe=FEW, folder=tmp_path, force=True)
    assert tokens_of([SoftPrompt.load(tmp_path / "mood")]) == tokens_of([forced]) != tokens_of([first])


def test_another_init_does_not_go_on_from_the_state_of_the_first(backbone, mood, tmp_path, monkeypatch):
    """The state of a training holds no init, so that it must not be taken for that of another one."""
    save = _checkpoint.save

    def dying(folder, training):
        save(folder, training)
        raise Killed

    monkeypatch.setattr(_checkpoint, "save", dying)
    with pytest.raises(Killed):
        tune_prompts([mood], model=backbone, init="text:red", length=3, recipe=FEW, folder=tmp_path)
    monkeypatch.setattr(_checkpoint, "save", save)
    (prompt,) = tune_prompts([mood], model=backbone, init="text:rain", length=3, recipe=FEW, folder=tmp_path)
    (alone,) = tune_prompts([mood], model=backbone, init="text:rain", length=3, recipe=FEW)
    assert tokens_of([prompt]) == tokens_of([alone])


def test_names_are_one_folder_each(backbone, mood, tmp_path):
    for name in ("a/b", "..", ".state"):
        named = Task(mood.texts, mood.labels, name=name)
        tune_prompts([named], model=backbone, length=2, recipe=FEW, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["%2E.", "%2Estate", "a%2Fb"]


def mistakes(mood, topic):
    shared = Task([*mood.texts[:3], "the red road"], ["good", "bad", "good", "bad"], name="mood")
    apart = Task(["a very dull red road it was", "we saw a lovely green road"], ["bad", "good"], name="mood")
    return {
        "zero shots": ({"shots": 0}, SettingError),
        "1 shots are too few for the 2 classes": ({"shots": 1}, SettingError),
        "training rows also stand in the validation split": ({"validation": shared}, DataError),
        "training rows also stand in the test split": ({"test": shared}, DataError),
        "validation rows also stand in the test split": ({"validation": apart, "test": apart}, DataError),
        "is not a share": ({"validation": 1.5}, SettingError),
        "validation='withn' is not known": ({"validation": "withn"}, SettingError),
        "the 2 inits are all the same": ({"inits": 2, "init": "text:red"}, SettingError),
        "neither a file nor a way to begin": ({"init": "vocabularies"}, SettingError),
        "from 0 inits are nothing": ({"inits": 0}, SettingError),
        "2 test splits were given for 1 tasks": ({"test": [None, None]}, SettingError),
        "overlap='keep' is not known": ({"overlap": "keep"}, SettingError),
        "is 4 wide": ({"init": SoftPrompt(np.ones((2, 4)), name="narrow")}, PromptError),
    }


@pytest.mark.parametrize(
    "told",
    [
        "zero shots", "1 shots are too few for the 2 classes", "training rows also stand in the validation split",
        "training rows also stand in the test split", "validation rows also stand in the test split", "is not a share",
        "validation='withn' is not known",
        "the 2 inits are all the same", "neither a file nor a way to begin", "from 0 inits are nothing",
        "2 test splits were given for 1 tasks", "overlap='keep' is not known", "is 4 wide",
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(backbone, mood, topic, tmp_path, one_sentence, told):
    settings, error = mistakes(mood, topic)[told]
    with pytest.raises(error, match=told) as raised:
        tune_prompts([mood], model=backbone, recipe=FEW, folder=tmp_path / "out", **settings)
    assert one_sentence(raised.value)
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_mistakes_about_several_tasks(backbone, mood, topic, tasks, one_sentence, tmp_path):
    (tmp_path / "file").write_text("")
    for given, settings, error, told in (
        ([mood, mood], {}, SettingError, "2 tasks are called 'mood'"),
        ([mood, topic], {"test": topic}, SettingError, "one test split was given for 2 tasks"),
        ([tasks["degree"]], {}, SettingError, "has numbers, which a prompt on an encoder cannot answer"),
        ([Task(["a", "b"])], {}, DataError, "has no labels"),
        ([mood], {"folder": tmp_path / "file"}, PromptError, "cannot be made"),
    ):
        with pytest.raises(error, match=told) as raised:
            tune_prompts(given, model=backbone, recipe=FEW, **settings)
        assert one_sentence(raised.value)


def test_overlapping_rows_can_be_dropped_from_what_is_learned_from(backbone, mood):
    shared = mood.take(range(6))
    (prompt,) = tune_prompts([mood], model=backbone, length=2, recipe=FEW, test=shared, overlap="drop")
    train, _, test = held_out(mood, test=shared, overlap="drop")
    assert prompt.provenance["task"] == train.fingerprint
    assert not set(train.texts) & set(test.texts)


def test_another_precision_is_not_taken_for_the_kept_one(tiny_encoder, mood, tmp_path, one_sentence):
    tune_prompts([mood], model=tiny_encoder, init="text:red", length=2, recipe=FEW, folder=tmp_path)
    kept = SoftPrompt.load(tmp_path / "mood").provenance
    assert (kept["precision"], kept["quantization"]) == ("float32", None)
    start = SoftPrompt(SoftPrompt.load(tmp_path / "mood").init, name="start")
    with pytest.raises(PromptError, match="another precision") as told:
        tune_prompts([mood], model=tiny_encoder, init=start, recipe=FEW, folder=tmp_path, dtype="bfloat16")
    assert one_sentence(told.value)


def test_how_the_start_was_made_stays_on_record(backbone, mood, topic):
    first = SoftPrompt.tune(mood, model=backbone, length=3, seed=4, recipe=FEW)
    said = first.provenance["start"]
    assert (said["how"], said["seed"], len(said["ids"])) == ("vocabulary", 4, 3)
    applied = first.vector.apply(begin("vocabulary", backbone, length=3, seed=9), 0.5)
    second = SoftPrompt.tune(topic, model=backbone, init=applied, recipe=FEW)
    assert second.provenance["start"]["of"]["scale"] == 0.5
    (source,) = second.provenance["start"]["of"]["applied"]["sources"].values()
    assert (source["name"], "provenance" in source) == ("mood", False)


def test_only_its_own_state_is_dropped(backbone, mood, tmp_path):
    other = tmp_path / ".state" / "another"
    other.mkdir(parents=True)
    tune_prompts([mood], model=backbone, length=2, recipe=FEW, folder=tmp_path)
    assert [path.name for path in (tmp_path / ".state").iterdir()] == ["another"]


def test_a_bank_reads_as_far_as_its_recipe_unless_told(backbone, mood, one_sentence):
    starts = [begin("vocabulary", backbone, length=2)]
    tuned = PromptBank(backbone, starts).tune([mood], FEW)
    assert (tuned.max_length, tuned.prompts[0].provenance["recipe"]["max_length"]) == (16, 16)
    assert PromptBank(backbone, starts, max_length=16).tune([mood], FEW).prompts[0].fingerprint == (
        tuned.prompts[0].fingerprint
    )
    with pytest.raises(SettingError, match="reads 16 tokens of a text and the bank 32") as told:
        PromptBank(backbone, starts, max_length=32).tune([mood], FEW)
    assert one_sentence(told.value)
