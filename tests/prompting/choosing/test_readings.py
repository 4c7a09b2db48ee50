from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from taskspace.errors import DataError, LabelerError, SettingError
from taskspace.labelers.prompts import ClassScores, Example, Prompt, Reading, class_scores
from taskspace.prompting.choosing import PromptReadings, gather_readings
from taskspace.prompting.choosing._gather import wording
from taskspace.prompting.choosing._readings import FREE_INPUTS
from taskspace.task import Inputs

NEVER = -np.inf


def prompt(name="p", template="{text} It was", **more):
    return Prompt(name, template, more.pop("answers", {"bad": ("bad",), "good": ("good", "fine")}), **more)


def same(one, other):
    for name in ("prompts", "keys", "labels", "rows", "model", "fingerprint", "wordings", "provenance"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("log_unnorm", "known", "soft", "free", "perplexity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


def test_probabilities_by_hand(readings_of):
    readings = readings_of([[[0.2, 0.6], [0.1, 0.1]], [[0.5, 0.0], [0.3, 0.3]]], known=[[1, 1], [1, 0]])
    np.testing.assert_allclose(readings.probs, [[[0.25, 0.75], [0.5, 0.5]], [[1, 0], [0, 0]]])
    np.testing.assert_allclose(readings.coverage, [[0.8, 0.2], [0.5, 0.0]])
    np.testing.assert_array_equal(readings.predictions, [[1, 0], [0, -1]])  # of equals the first; -1 unknown
    assert readings.shape == (2, 2, 2)
    assert repr(readings) == "PromptReadings(2 prompts, 2 rows, 2 labels, 'tiny')"


def test_masses_too_small_for_a_float_still_compare(readings_of):
    readings = replace(readings_of(np.ones((1, 1, 2))), log_unnorm=np.array([[[-2000.0, -2000.0 + math.log(3)]]]))
    np.testing.assert_allclose(readings.probs, [[[0.25, 0.75]]])


def test_readings_are_a_value(readings_of):
    given = np.full((1, 2, 2), 0.5)
    readings = readings_of(given)
    for array in (readings.log_unnorm, readings.known, readings.probs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    log_unnorm = np.zeros((1, 2, 2))
    copied = replace(readings, log_unnorm=log_unnorm)
    log_unnorm[:] = -5
    np.testing.assert_array_equal(copied.log_unnorm, np.zeros((1, 2, 2)))


def test_what_is_unknown_is_forgotten(readings_of):
    readings = replace(readings_of(np.full((1, 2, 2), 0.5)), known=np.array([[True, False]]))
    assert np.isneginf(readings.log_unnorm[0, 1]).all()
    readings = replace(readings, log_unnorm=np.array([[[-1.0, -2.0], [np.nan, np.nan]]]))  # NaN where unknown is fine
    assert np.isneginf(readings.log_unnorm[0, 1]).all()


def test_some_prompts(random_readings):
    readings = random_readings(0)
    some = readings.take(["p2", "p0"])
    same(some, readings.take([2, 0]))
    assert some.prompts == ("p2", "p0")
    assert some.keys == ("key2", "key0")
    np.testing.assert_array_equal(some.probs, readings.probs[[2, 0]])
    np.testing.assert_array_equal(some.free, readings.free[[2, 0]])
    assert readings.take(np.array([1, 1])).prompts == ("p1", "p1")
    with pytest.raises(SettingError, match="no prompt 'p9'; there is 'p0', 'p1'"):
        readings.take(["p9"])


def test_some_rows(random_readings):
    readings = random_readings(1)
    some = readings.take_rows([3, 3, 0])
    assert some.rows == tuple(readings.rows[i] for i in (3, 3, 0))
    np.testing.assert_array_equal(some.known, readings.known[:, [3, 3, 0]])
    np.testing.assert_array_equal(some.perplexity, readings.perplexity[:, [3, 3, 0]])
    np.testing.assert_array_equal(some.free, readings.free)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"free": np.zeros((4, 2, 3))},
            r"free has shape \(4, 2, 3\), but 4 prompts, 7 rows and 3 labels need \(4, 3, 3\)",
        ),
        ({"soft": np.ones(3, dtype=bool)}, r"soft has shape \(3,\)"),
        ({"keys": ("a", "b")}, "keys that are not one per prompt"),
        ({"log_unnorm": np.full((4, 7, 3), NEVER)}, "prompt 'p0' gives row 0 no finite log-probability"),
        ({"log_unnorm": np.full((4, 7, 3), np.nan)}, "prompt 'p0' gives row 0 no finite log-probability"),
        ({"log_unnorm": np.full((4, 7, 3), np.inf)}, "prompt 'p0' gives row 0 no finite log-probability"),
    ],
)
def test_what_does_not_fit(random_readings, change, sentence):
    with pytest.raises(LabelerError, match=sentence):
        replace(random_readings(2), **change)


def test_no_rows(random_readings):
    with pytest.raises(LabelerError, match="nothing to choose from"):
        random_readings(2).take_rows([])


class TestFiles:
    def test_what_is_written_is_read(self, random_readings, tmp_path):
        readings = replace(random_readings(3, wordings=("a", "b", "b", "ü\ud800")), provenance={"revision": "r1"})
        path = readings.save(tmp_path / "some.readings")
        same(PromptReadings.load(path), readings)
        assert [p.name for p in tmp_path.iterdir()] == ["some.readings"]

    def test_an_old_file_is_replaced(self, random_readings, tmp_path):
        random_readings(3).save(tmp_path / "r")
        random_readings(4).save(tmp_path / "r")
        same(PromptReadings.load(tmp_path / "r"), random_readings(4))

    def test_it_is_as_readable_as_any_new_file(self, random_readings, tmp_path):
        (tmp_path / "other").touch()
        path = random_readings(3).save(tmp_path / "r")
        assert path.stat().st_mode == (tmp_path / "other").stat().st_mode

    def test_a_place_that_cannot_be_written(self, random_readings, tmp_path):
        with pytest.raises(DataError, match="cannot write .*; choose another place"):
            random_readings(3).save(tmp_path / "missing" / "r")

    def test_no_file(self, tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            PromptReadings.load(tmp_path / "r")

    def test_a_file_cut_short(self, random_readings, tmp_path):
        path = random_readings(3).save(tmp_path / "r")
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(DataError, match="not a readable file of prompt readings"):
            PromptReadings.load(path)

    @pytest.mark.parametrize("metadata", [None, {"taskspace": "{}"}])
    def test_another_safetensors_file(self, tmp_path, metadata):
        save_file({"vector": np.zeros(3)}, tmp_path / "r", metadata)
        with pytest.raises(DataError, match="holds no prompt readings"):
            PromptReadings.load(tmp_path / "r")

    @pytest.mark.parametrize(
        ("header", "sentence"),
        [
            ("{", "sound"), ("[1]", "sound"), ("{}", "sound"), ('{"format": 2}', "upgrade"), ('{"format": 1}', "sound"),
        ],
    )  # fmt: skip
    def test_a_header_that_is_none(self, random_readings, tmp_path, header, sentence):
        readings = random_readings(3)
        names = ("log_unnorm", "known", "soft", "free", "perplexity")
        save_file(
            {name: np.array(getattr(readings, name)) for name in names}, tmp_path / "r", {"prompt_readings": header}
        )
        with pytest.raises(DataError, match=sentence):
            PromptReadings.load(tmp_path / "r")

    def test_a_header_for_other_numbers(self, random_readings, tmp_path):
        readings = random_readings(3)
        header = {
            name: getattr(readings, name) for name in ("prompts", "keys", "labels", "rows", "model", "fingerprint")
        }
        arrays = {name: np.array(getattr(readings, name)) for name in ("log_unnorm", "known", "soft", "free")}
        arrays["perplexity"] = np.zeros((2, 2))
        written = json.dumps({"format": 1, **header})
        save_file(arrays, tmp_path / "r", {"prompt_readings": written})
        with pytest.raises(DataError, match="perplexity has shape"):
            PromptReadings.load(tmp_path / "r")


class TestGather:
    inputs = Inputs.of(["one", "two"], None)

    def gather(self, prompts, scores, **more):
        return gather_readings(prompts, scores, self.inputs, model="tiny", fingerprint="f", **more)

    def scores(self, log_unnorm, known=(True, True), soft=True, perplexity=(3.0, 4.0)):
        return ClassScores(np.array(log_unnorm), np.array(known), soft, np.array(perplexity))

    def test_classes_in_the_first_prompts_order(self):
        other = prompt("q", "{text} So", answers={"good": ("yes",), "bad": ("no",)})
        first, second = self.scores([[-1.0, -2.0], [-3.0, -4.0]]), self.scores([[-5.0, -6.0], [-7.0, -8.0]])
        readings = self.gather([prompt(), other], [first, second])
        assert readings.labels == ("bad", "good")
        assert readings.prompts == ("p", "q")
        np.testing.assert_array_equal(readings.log_unnorm[1], [[-6.0, -5.0], [-8.0, -7.0]])
        np.testing.assert_array_equal(readings.perplexity, [[3, 4], [3, 4]])
        assert np.isnan(readings.free).all()
        assert readings.keys == (prompt().key, other.key)
        assert readings.rows == tuple(d.hex() for d in self.inputs.digests)

    def test_free_inputs_in_that_order_too(self):
        other = prompt("q", answers={"good": ("yes",), "bad": ("no",)})
        blank = ClassScores(
            np.array([[-1.0, -2.0], [NEVER, NEVER], [-3.0, NEVER]]), np.ones(3, bool), True, np.zeros(3)
        )
        both = self.scores(np.zeros((2, 2)))
        free = self.gather([prompt(), other], [both, both], free=[blank, blank]).free
        assert len(FREE_INPUTS) == 3
        np.testing.assert_array_equal(free[0], [[-1, -2], [np.nan, np.nan], [-3, NEVER]])
        np.testing.assert_array_equal(free[1], [[-2, -1], [np.nan, np.nan], [NEVER, -3]])

    def test_free_inputs_of_which_only_a_label_came_are_not_measured(self):
        blank = class_scores([Reading((-1.0, -2.0, -2.0), (1, 1, 1)), Reading(said=1), Reading(said=0)], prompt())
        free = self.gather([prompt()], [self.scores(np.zeros((2, 2)))], free=[blank]).free
        assert np.isnan(free).all()

    def test_no_mass_at_all_is_no_answer(self):
        readings = self.gather([prompt()], [self.scores([[NEVER, NEVER], [-1.0, NEVER]])])
        np.testing.assert_array_equal(readings.known, [[False, True]])

    def test_from_words_alone(self):
        said = class_scores([Reading(said=1), Reading(said=None, words="who knows")], prompt())
        readings = self.gather([prompt()], [said])
        np.testing.assert_array_equal(readings.soft, [False])
        np.testing.assert_array_equal(readings.predictions, [[1, -1]])
        np.testing.assert_allclose(readings.coverage, [[1, 0]])

    def test_other_labels(self):
        other = prompt("q", answers={"no": ("no",), "yes": ("yes",)})
        with pytest.raises(SettingError, match="'q' answers 'no', 'yes', but 'p' 'bad', 'good'; give all the same"):
            self.gather([prompt(), other], [self.scores(np.zeros((2, 2)))] * 2)

    def test_two_of_a_name(self):
        with pytest.raises(SettingError, match="two prompts are called 'p'"):
            self.gather([prompt(), prompt(template="{text}?")], [self.scores(np.zeros((2, 2)))] * 2)

    def test_none(self):
        with pytest.raises(SettingError, match="no prompts to choose from"):
            self.gather([], [])

    def test_twins(self):
        prompts = [
            prompt("a"),
            prompt("b", "  {text} it\nWAS "),
            prompt("c", "{text} It is"),
            prompt("d", "{text} it is"),
        ]
        readings = self.gather(prompts, [self.scores(np.zeros((2, 2)))] * 4)
        np.testing.assert_array_equal(readings.twins, [0, 0, 2, 2])
        np.testing.assert_array_equal(readings.take([1, 3, 2]).twins, [0, 1, 1])


@pytest.mark.parametrize(
    "change",
    [
        {"answers": {"bad": ("bad",), "good": ("nice", "fine")}}, {"system": "Be brief."}, {"chat": True},
        {"words": "max"}, {"length": "token"}, {"examples": (Example("fun", "good"),)}, {"reasoning": "Think."},
    ],
)  # fmt: skip
def test_prompts_that_differ_in_more_than_spaces(change):
    assert wording(prompt(**change)) != wording(prompt())


@pytest.mark.parametrize(
    "change", [{"name": "q"}, {"note": "mine"}, {"conclusion": "Ergo"}, {"template": "{text}  it was "}]
)
def test_prompts_that_do_not(change):
    assert wording(prompt(**change)) == wording(prompt())
