"""Choosing a prompt end to end, with a model made of a table: what it asks, how it orders, how sure it is."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest

from taskspace import Pool, Space, Task
from taskspace.errors import DataError, LabelerError, SettingError
from taskspace.labelers.prompts import Prompt, PromptModel, Reading, from_prompt
from taskspace.labelers.store import AnswerStore
from taskspace.prompting.choosing import METHODS, ROW_METHODS, choose, choose_prompt, compare, score, study_prompts

ANSWERS = {"bad": ("bad",), "good": ("good",)}
SHARP = Prompt("sharp", "How is it? {text}", ANSWERS)
SHY = Prompt("shy", "Perhaps: {text}", ANSWERS)
STUCK = Prompt("stuck", "Always: {text}", ANSWERS)
SWAPPED = Prompt("swapped", "Not: {text}", ANSWERS)
PROMPTS = [STUCK, SHY, SHARP, SWAPPED]
PRAISE = {"good", "fine", "great", "lovely", "bright"}


class Table:
    """Knows praise when it reads it; how much it says of that depends on the prompt.  Counts what it is asked."""

    name = "table"
    fingerprint = "table-1"
    provenance = {"model": "table"}  # noqa: RUF012

    def __init__(self, said="3, 2"):
        self.asked = []
        self.said = said

    def readings(self, prompt, inputs):
        for row, (text, pair) in enumerate(zip(inputs.texts, inputs.pairs, strict=True)):
            self.asked.append((prompt.name, text, pair))
            yield {row: self.reading(prompt, text)}

    def reading(self, prompt, text):
        noise = (zlib.crc32(text.encode()) % 100) / 1000
        good = 0.9 if PRAISE & set(text.split()) else 0.1
        good = {"sharp": good, "shy": 0.5 + (good - 0.5) / 4, "stuck": 0.95, "swapped": 1 - good}[
            prompt.name
        ] - noise / 2
        good = min(max(good, 0.01), 0.99)
        return Reading(
            (math.log(0.8 * (1 - good)), math.log(0.8 * good)), (1, 1), prompt_log_prob=-9.0, prompt_tokens=3
        )

    def write(self, request, *, max_tokens, chat=False):
        return self.said


@pytest.fixture
def mood(make_tasks):
    return make_tasks(rows=80, seed=7)["mood"]


@pytest.fixture
def store():
    return AnswerStore(None)


def test_the_fake_is_a_model():
    assert isinstance(Table(), PromptModel)


def test_the_prompt_that_is_sure_and_balanced_comes_first(mood, store):
    choice = choose_prompt([STUCK, SHY, SHARP], mood, Table(), store=store)
    assert [hit.name for hit in choice] == ["sharp", "shy", "stuck"]
    assert choice.best.prompt is SHARP
    assert choice.best.sure == 1.0
    assert choice.best.coverage == pytest.approx(0.8)
    assert [hit.rank for hit in choice] == [1, 2, 3]
    assert choice.hits[0].score > choice.hits[1].score > choice.hits[2].score


def test_every_text_is_put_to_every_prompt_once(mood, store):
    model = Table()
    choice = choose_prompt(PROMPTS, [*mood.texts, *mood.texts], model, store=store)
    distinct = set(mood.texts)
    assert sorted(model.asked) == sorted((p.name, text, None) for p in PROMPTS for text in distinct)
    assert (choice.cost.asked, choice.cost.kept) == (4 * len(distinct), 0)
    again = choose_prompt([STUCK, SHY, replace(SHARP, template="New: {text}")], mood, model, store=store)
    assert (again.cost.asked, again.cost.kept) == (len(distinct), 2 * len(distinct))


def test_one_pass_serves_every_method(mood, store):
    model = Table()
    study = study_prompts(PROMPTS, mood, model, ask_model=True, store=store)
    asked = len(model.asked)
    assert asked == 4 * (len(set(mood.texts)) + 3)
    choices = compare(study)
    assert len(model.asked) == asked
    methods = {choice.method for choice in choices}
    assert methods == {*METHODS, *ROW_METHODS, "self_select"}
    assert {c.calibration for c in choices if c.method == "mi"} == {"none", "cc", "cbm", "pmi_dc"}
    for choice in choices:
        if choice.method in METHODS:
            values = score(study.readings, choice.method, choice.calibration).values
            assert [hit.score for hit in choice] == sorted(values, reverse=True)
        assert sum(hit.sure for hit in choice) == pytest.approx(1.0) or choice.method == "self_select"


def test_content_free_texts_are_asked_only_where_needed(mood, store):
    plain, contextual = Table(), Table()
    choose_prompt([SHARP, SHY], mood, plain, calibration="cbm", store=AnswerStore(None))
    choose_prompt([SHARP, SHY], mood, contextual, calibration="cc", store=store)
    extra = set(contextual.asked) - set(plain.asked)
    assert extra == {(name, text, None) for name in ("sharp", "shy") for text in ("", "N/A", "[MASK]")}


@pytest.mark.parametrize("method", ["mi", "fute_signed"])
@pytest.mark.parametrize("calibration", ["cc", "cbm", "pmi_dc"])
def test_every_calibration_measures_what_it_needs(mood, store, encoder, shared_home, method, calibration):
    space = Space(Pool(mood.texts[:30]), surrogate=encoder, components=5)
    choice = choose_prompt(
        PROMPTS, mood, Table(), method=method, calibration=calibration, like=mood, space=space, store=store
    )
    assert sum(hit.sure for hit in choice) == pytest.approx(1)
    texts = 30 if method == "fute_signed" else len(set(mood.texts))
    assert f"when its texts ({texts}) are drawn again" in str(choice)


def test_sureness_is_the_share_of_redrawn_texts_won(mood, store):
    assert choose(study_prompts([SHARP, STUCK], mood, Table(), store=store), "mi").best.sure == 1.0
    study = study_prompts([SHARP, SHY], mood.texts[:6], Table(), store=store)
    rng = np.random.default_rng(5)
    wins = 0.0
    for _ in range(100):
        rows = rng.integers(len(study.readings.rows), size=len(study.readings.rows))
        values = score(study.readings.take_rows(rows), "le").values
        wins += (values[0] == values.max()) / (values == values.max()).sum()
    by_name = {hit.name: hit.sure for hit in choose(study, "le", seed=5)}
    assert by_name["sharp"] == pytest.approx(wins / 100)


def test_fute_compares_with_a_data_set_and_the_signed_form_sees_swapped_answers(mood, store, encoder, shared_home):
    other = Task(mood.texts[40:], [mood.label_names[c] for c in mood.stated_labels.codes[40:]], name="sibling")
    space = Space(Pool(mood.texts), surrogate=encoder, components=20, shrinkage=0.3)
    study = study_prompts(PROMPTS, mood.texts, Table(), like=other, space=space, store=store)
    cosine, signed = choose(study, "fute"), choose(study, "fute_signed")
    here = space.embed(other)
    for hit in cosine:
        there = space.embed(from_prompt(hit.prompt, Table(), store=store))
        assert hit.score == pytest.approx(here.similarity(there), abs=1e-5)
    assert signed.hits[-1].name == "swapped"
    assert signed.hits[-1].score < 0 < signed.best.score
    by_name = {hit.name: hit.score for hit in cosine}
    assert by_name["swapped"] == pytest.approx(by_name["sharp"], rel=0.05)


def test_fute_without_a_space_takes_the_texts_as_pool(mood, store, encoder, monkeypatch, shared_home):
    monkeypatch.setattr("taskspace.space.load_surrogate", lambda *args, **kwargs: encoder)
    model = Table()
    choice = choose_prompt(PROMPTS, mood, model, method="fute_signed", like=mood, store=store)
    assert choice.best.name in ("sharp", "shy")
    assert choice.cost.asked == len(model.asked) == 4 * len(set(mood.texts))


def test_equal_wordings_are_ranked_once_and_told(mood, store):
    twin = replace(SHARP, name="stuck", template="how is it?  {text}")

    class Deaf(Table):
        def reading(self, prompt, text):
            return super().reading(SHARP, text)

    choice = choose_prompt([SHARP, twin, SHY], mood, Deaf(), store=store)
    assert [hit.name for hit in choice] == ["sharp", "shy"]
    assert "same: 'stuck' has the words of 'sharp', left out" in str(choice)
    assert "same: 'shy' answers like 'sharp'" in str(choice)


def test_a_prompt_that_stands_there_twice_has_one_voice(mood, store):
    """Two that say "good" against one that tells: with the one three times, the majority would turn."""
    twins = [replace(SHARP, name="stuck", template=SHARP.template + " " * n) for n in range(3)]

    class Named(Table):
        def reading(self, prompt, text):
            return super().reading(SHARP if prompt.template.startswith("How") else STUCK, text)

    others = [SHY, SWAPPED]
    once = compare(study_prompts([SHARP, *others], mood, Named(), store=store))
    thrice = compare(
        study_prompts(
            [SHARP, *(replace(t, name=f"t{n}") for n, t in enumerate(twins[1:])), *others], mood, Named(), store=store
        )
    )
    for one, three in zip(once, thrice, strict=True):
        assert [(hit.name, hit.score, hit.sure) for hit in one] == [(hit.name, hit.score, hit.sure) for hit in three]
    majority = next(choice for choice in thrice if choice.method == "zmv")
    assert majority.best.name == "shy"


def test_labels_that_are_noise_are_noted(mood, store, encoder, shared_home):
    space = Space(Pool(mood.texts), surrogate=encoder, components=20, shrinkage=0.3)
    shuffled = np.random.default_rng(0).permutation(mood.stated_labels.codes)
    noise = Task(mood.texts, [mood.label_names[c] for c in shuffled], name="noise")
    told = {
        task.name: choose_prompt(PROMPTS, mood, Table(), method="fute", like=task, space=space, store=store).notes
        for task in (mood, noise)
    }
    assert (
        "the labels of 'noise' cannot be told from noise on the base model, so the order means nothing" in told["noise"]
    )
    assert not told["mood"]


def test_what_is_doubtful_is_noted(store):
    class Silent(Table):
        def reading(self, prompt, text):
            if text == "c":
                return Reading(said=None, words="no idea")
            return Reading((-9.0, -8.0 - len(text)), (1, 1))

    choice = choose_prompt([SHARP, SHY], ["a", "bb", "c", "dddd"], Silent(), store=store)
    assert [note.split(";")[0] for note in choice.notes] == [
        "only 4 texts",
        "the model seldom says any of the answers of 'sharp', 'shy'",
        "no answer could be read on 25% of the texts for 'sharp'",
    ]


def test_a_model_that_only_speaks_serves_some_methods(mood, store):
    class Speaks(Table):
        def reading(self, prompt, text):
            return Reading(said=int(bool(PRAISE & set(text.split()))) if prompt is not STUCK else 1, words="…")

    study = study_prompts(PROMPTS, mood, Speaks(), store=store)
    assert choose(study, "ge").hits[-1].name == "stuck"
    with pytest.raises(SettingError, match="only said a label"):
        choose(study, "mi")
    assert {choice.method for choice in compare(study)} == {"ge", "zmv"}


def test_self_select_is_one_question(mood, store):
    model = Table(said="3, 2")
    choice = choose_prompt(PROMPTS, mood, model, method="self_select", store=store)
    assert [hit.name for hit in choice][:2] == ["sharp", "shy"]
    assert all(math.isnan(hit.sure) for hit in choice)
    assert "the model named no prompt" in str(
        choose_prompt(PROMPTS, mood, Table(said="?"), method="self_select", store=store)
    )


def test_printed_and_written(mood, store):
    choice = choose_prompt(PROMPTS, mood, Table(), calibration="cbm", store=store)
    lines = str(choice).splitlines()
    assert lines[0].split() == ["rank", "prompt", "score", "sure", "coverage"]
    assert lines[1].split()[:2] == ["1", choice.best.name]
    assert lines[-1].startswith(f"cost: {choice.cost.calls} calls of the model, 0 answers from the store")
    document = json.loads(json.dumps(choice.to_dict()))
    assert [hit["name"] for hit in document["hits"]] == [hit.name for hit in choice]
    unsure = choose_prompt(PROMPTS, mood, Table(), method="self_select", store=store).to_dict()
    assert json.loads(json.dumps(unsure, allow_nan=False))["hits"][0]["sure"] is None


def test_pairs(store):
    pair = Prompt("sharp", "{text} / {text_pair}?", ANSWERS)
    task = Task(["a good", "b", "c"], ["good", "bad", "bad"], ["x", "y", "z"])
    model = Table()
    choose_prompt([pair, replace(pair, name="shy")], task, model, calibration="cc", store=store)
    assert {(text, second) for _, text, second in model.asked} >= {("a good", "x"), ("", ""), ("N/A", "N/A")}


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"method": "mi_gg"}, SettingError, "no method 'mi_gg'; did you mean 'mi_g'"),
        ({"calibration": "cbn"}, SettingError, "no calibration 'cbn'; did you mean 'cbm'"),
        ({"method": "fute"}, SettingError, "give one of the same classes"),
        ({"method": "ppl", "calibration": "cbm"}, SettingError, "nothing to calibrate; leave cbm out"),
        ({"prompts": []}, SettingError, "no prompts"),
        ({"prompts": [SHARP, replace(SHY, template="{text} {text_pair}")]}, SettingError, "prompts of one kind"),
        ({"prompts": [SHARP, replace(SHY, answers={"no": ("no",), "yes": ("yes",)})]}, SettingError, "the same labels"),
        ({"prompts": [SHARP, SHARP]}, SettingError, "two prompts are called"),
        ({"texts": "one"}, DataError, "one string"),
        ({"texts": Task(["a", "b"], None, ["c", "d"])}, DataError, "give rows to match"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_before_the_model_is_asked(mood, store, one_sentence, change, kind, told):
    model = Table()
    settings = {"prompts": PROMPTS, "texts": mood, "model": model, "store": store} | change
    with pytest.raises(kind, match=told) as error:
        choose_prompt(**settings)
    assert one_sentence(error.value)
    assert not model.asked


def test_a_prompt_whose_answers_cannot_be_read_stands_last(mood, store):
    class Mute(Table):
        def reading(self, prompt, text):
            return Reading(said=None, words="?") if prompt is SHY else super().reading(prompt, text)

    choice = choose_prompt([SHY, SHARP, STUCK], mood, Mute(), store=store)
    assert choice.hits[-1].name == "shy"
    assert choice.to_dict()["hits"][-1]["score"] is None
    assert any("100% of the texts for 'shy'" in note for note in choice.notes)


def test_a_model_that_no_prompt_can_read_is_told(mood, store, one_sentence):
    class Mute(Table):
        def reading(self, prompt, text):
            return Reading(said=None, words="?")

    with pytest.raises(LabelerError, match="under any prompt") as error:
        choose_prompt(PROMPTS, mood, Mute(), store=store)
    assert one_sentence(error.value)


def test_a_reasoning_round_is_a_call_more(mood, store):
    choice = choose_prompt([SHARP, replace(SHY, reasoning="Think.")], mood, Table(), store=store)
    assert choice.cost.calls == 3 * len(set(mood.texts))
